/** A word on how something is. */
import type { Standing } from '../view-model.ts';

/** The word, with a colour that says the same. */
export function StandingPill({ text, tone }: Standing) {
  return <span class={`pill ${tone}`}>{text}</span>;
}
