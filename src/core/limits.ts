/**
 * Every bound of the project, with its unit and its reason. A bound that is not here does not exist.
 */

/** Grid bits b of a source: below 2 there is no sign and size, above 24 a sample is no longer exact in float32. */
export const gridBitsMin = 2;
/** See {@link gridBitsMin}. */
export const gridBitsMax = 24;

/** Samples in a block that is solved exactly. Half sums of 2^20 entries still fit a worker's memory (about 64 MB). */
export const exactBlockSizeMax = 40;
/** Samples at the end of a long block that are solved exactly after the greedy walk (mathematics.md §5). */
export const longBlockTailCount = 20;
/** Samples in a long block: 4,096 samples of 2^24 stay far below 2^53, so float64 sums are exact. */
export const longBlockSizeMax = 4096;

/** Bytes of a safetensors header; the reference implementation allows 100 MB, ours are a few kB. */
export const safetensorsHeaderBytesMax = 1 << 20;
/** Tensors in one safetensors file or npz archive. */
export const tensorCountMax = 4096;
/** Bytes of one ONNX model without its external data (2 GiB is protobuf's own limit). */
export const onnxBytesMax = 2 ** 31 - 1;
/** Nodes of one ONNX graph. */
export const onnxNodeCountMax = 10_000;
/** Nesting depth of ONNX protobuf messages and of pickles. */
export const parseDepthMax = 32;
/** Entries of one zip archive (PyTorch `.pt`, NumPy `.npz`). */
export const zipEntryCountMax = 4096;
/** Bytes that one archive or gzip stream may unpack to. */
export const unpackedBytesMax = 2 ** 31 - 1;

/** Layers with parameters in one target. */
export const layerCountMax = 1024;
/** Elements of one weight tensor: positions stay below 2^53 with room for the source's width. */
export const weightCountMax = 2 ** 31 - 1;
