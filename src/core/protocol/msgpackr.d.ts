/** The parts of msgpackr that codec.ts uses, for its build without `new Function`, which comes without types. */
declare module 'msgpackr/index-no-eval' {
  export class Packr {
    constructor(options: {
      readonly useRecords: false;
      readonly structuredClone: false;
      readonly mapsAsObjects: true;
      readonly int64AsType: 'number';
      readonly copyBuffers: true;
      readonly variableMapSize: true;
    });
    pack(value: unknown): Uint8Array;
    unpack(bytes: Uint8Array): unknown;
  }
  export function addExtension(extension: { readonly type: number; unpack(): never }): void;
}
