/** When to leave the machine alone without being told: on battery, in data-saving mode, in a tab that nobody has looked at for long. */

/** Why nothing is solved for now. */
export type PauseReason = 'hidden' | 'battery' | 'save-data';

/** What is known of the machine and the tab. */
export interface Surroundings {
  readonly isHidden: boolean;
  /** Hidden for hiddenMsMax or longer. */
  readonly isLongHidden: boolean;
  readonly isOnBattery: boolean;
  readonly isSavingData: boolean;
}

/** A tab hidden for longer is as good as forgotten. */
export const hiddenMsMax = 30 * 60_000;

/** Returns why to pause, or null. */
export function pauseReason({ isLongHidden, isOnBattery, isSavingData }: Surroundings): PauseReason | null {
  if (isOnBattery) return 'battery';
  if (isSavingData) return 'save-data';
  return isLongHidden ? 'hidden' : null;
}

interface BatteryManager extends EventTarget {
  readonly charging: boolean;
}

interface NetworkInformation extends EventTarget {
  readonly saveData?: boolean;
}

/** Tells what surrounds the page, now and after every change. What a browser does not say counts as no reason to pause. */
export function watchSurroundings(onChange: (surroundings: Surroundings) => void): void {
  const { connection } = navigator as { connection?: NetworkInformation };
  const { getBattery } = navigator as { getBattery?: () => Promise<BatteryManager> };
  const dataQuery = matchMedia('(prefers-reduced-data: reduce)');
  let battery: BatteryManager | undefined;
  let isLongHidden = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tell = (): void =>
    onChange({
      isHidden: document.hidden,
      isLongHidden,
      isOnBattery: battery?.charging === false,
      isSavingData: connection?.saveData === true || dataQuery.matches,
    });
  const seeVisibility = (): void => {
    clearTimeout(timer);
    isLongHidden = false;
    if (document.hidden)
      timer = setTimeout(() => {
        isLongHidden = true;
        tell();
      }, hiddenMsMax);
    tell();
  };
  document.addEventListener('visibilitychange', seeVisibility);
  connection?.addEventListener?.('change', tell);
  dataQuery.addEventListener('change', tell);
  getBattery?.call(navigator).then(
    (found) => {
      battery = found;
      found.addEventListener('chargingchange', tell);
      tell();
    },
    // Some browsers have the method and do not let pages use it.
    () => tell(),
  );
  seeVisibility();
}
