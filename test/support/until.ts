/** Waiting for what nobody announces. */

/** Resolves once it is so; looks again whenever something may have happened. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 5));
}
