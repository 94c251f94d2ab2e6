/** Light or dark, for what is drawn rather than styled. */
import { signal } from '@preact/signals';

const query = window.matchMedia('(prefers-color-scheme: dark)');
/** Whether the page is dark; changes with the system's setting. */
export const isDark = signal(query.matches);
query.addEventListener('change', () => {
  isDark.value = query.matches;
});

/** Returns a colour of style.css by the name of its variable. */
export function colourOf(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
