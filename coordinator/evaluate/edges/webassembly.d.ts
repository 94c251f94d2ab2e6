/** The part of WebAssembly that the loader needs: Node's types leave it to the DOM's. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => { readonly kind: 'module' };
  readonly Instance: new (module: object) => { readonly exports: Readonly<Record<string, unknown>> };
};
