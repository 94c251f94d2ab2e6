/** One layer: the map of its tiles and what was found in them. */
import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import type { LiveLayer, LiveLayerReport } from '../../../src/core/live/views.ts';
import { layerFigures, layerStanding, layerTitle, tilesText } from '../view-model.ts';
import { FigureList } from './figure-list.tsx';
import { ResidualPlot } from './residual-plot.tsx';
import { ShareBar } from './share-bar.tsx';
import { StandingPill } from './standing-pill.tsx';
import { TileMap } from './tile-map.tsx';

/** What a layer's detail shows. */
export interface LayerDetailProps {
  readonly layer: LiveLayer;
  readonly index: number;
  /** All layers before it are done. */
  readonly isNext: boolean;
  readonly isOpen: boolean;
  readonly isExact: boolean;
  readonly report: LiveLayerReport | null;
}

/** A layer that can be folded; drawn again only when something of it has changed. */
export function LayerDetail(props: LayerDetailProps) {
  const { layer, index, isNext, isOpen, isExact, report } = props;
  return useMemo(() => <Layer {...props} />, [layer, index, isNext, isOpen, isExact, report]);
}

function Layer({ layer, index, isNext, isOpen, isExact, report }: LayerDetailProps) {
  const title = layerTitle(layer, index);
  const share = layer.isDone
    ? 1
    : layer.copiesWanted === 0
      ? 0
      : Math.min(1, layer.copies / layer.copiesWanted);
  // What is folded is not drawn: a deep network has hundreds of layers.
  const isShown = useSignal(isOpen);
  const toggle = (event: Event): void => {
    isShown.value = (event.currentTarget as HTMLDetailsElement).open;
  };
  return (
    <details class="layer" open={isOpen} onToggle={toggle}>
      <summary>
        <h3>{title}</h3>
        <StandingPill {...layerStanding(layer, isNext)} />
        <ShareBar share={share} label={`Progress of ${title}`} />
      </summary>
      {isShown.value && (
        <>
          {layer.cells !== '' && <TileMap cells={layer.cells} label={`Tiles of ${title}`} />}
          <p class="note">{tilesText(layer)}</p>
          <div class="found">
            <FigureList figures={layerFigures(layer, report?.residualMax ?? null)} />
            {!isExact && <ResidualPlot counts={layer.residuals} title={title} />}
          </div>
        </>
      )}
    </details>
  );
}
