/** Names of layers as tables and progress show them. */

/** Tells whether a name says anything: ONNX models often number their nodes, which beside counts would only confuse. */
export function isTelling(name: string): boolean {
  return !/^\d*$/.test(name);
}

/** Returns what to call a target layer. */
export function layerTitle(name: string, index: number): string {
  return isTelling(name) ? name : `target layer ${index + 1}`;
}
