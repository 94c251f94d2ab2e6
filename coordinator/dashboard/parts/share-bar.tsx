/** How much is done. */

/** A bar; empty before anything is known. */
export function ShareBar({ share, label }: { readonly share: number | null; readonly label: string }) {
  return <progress max="1" value={share ?? 0} aria-label={label} />;
}
