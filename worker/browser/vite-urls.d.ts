/** Vite bundles a worker's script and gives its URL. */
declare module '*?worker&url' {
  const url: string;
  // biome-ignore lint/style/noDefaultExport: this is how Vite gives it.
  export default url;
}
