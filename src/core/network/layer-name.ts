/** Names of layers as tables, progress and messages show them. */

/** Tells whether a name says anything: ONNX models often number their nodes, which beside counts would only confuse. */
export function isTelling(name: string): boolean {
  return !/^\d*$/.test(name);
}

/** Returns what to call a target layer. Names come from files: what could steer a terminal or end a code block is left out. */
export function layerTitle(name: string, index: number): string {
  const plain = name
    .replace(/[\p{Cc}\p{Cf}`]+/gu, ' ')
    .trim()
    .slice(0, titleLengthMax);
  return isTelling(plain) ? plain : `target layer ${index + 1}`;
}

const titleLengthMax = 40;
