/** Returns text as HTML and SVG take it, between tags and in attributes: names come from files and options. */
export function escapeMarkup(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
