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

/** Dimensions of one tensor in a file; NumPy allows 64, networks use 4. */
export const tensorRankMax = 8;
/** Bytes of the text header of a NumPy array; NumPy itself refuses more than 10,000. */
export const npyHeaderBytesMax = 10_000;
/** Bytes of the pickle in a PyTorch file; it holds names and shapes only, about 100 bytes per tensor. */
export const pickleBytesMax = 1 << 24;
/** Bytes of one whole number in a pickle; storage sizes need 8. */
export const pickleIntegerBytesMax = 16;
/** Deflate cannot shrink by more than this factor, so a size declared beyond it is a lie told to make us allocate. */
export const deflateRatioMax = 1032;
/** Bytes of the JSON file that describes the layers of a plain safetensors file. */
export const descriptionBytesMax = 1 << 20;
/** Kernel size, stride, dilation or padding of a window, in elements. */
export const windowSizeMax = 1 << 16;
/** Classes of a data set: labels are below it. */
export const classCountMax = 1 << 20;

/** Integers in one list of an ONNX file (attributes, int32_data, int64_data): each costs 8 bytes once read. */
export const onnxIntegerCountMax = 1 << 24;
/** Dimensions of one ONNX tensor: a batch of volumes has five, nothing real has more than eight. */
export const onnxRankMax = 8;
/** Elements that one ONNX import may decode, fold and copy in all: 2 GiB as float64. */
export const onnxElementCountMax = 2 ** 28;
/** Operators in one elementwise expression between two layers: GELU written out has about 15. */
export const onnxExpressionSizeMax = 64;
/** Bytes of the largest tensor of one batch in a forward pass; about four of them live at a time. */
export const evaluationBatchBytesMax = 1 << 26;
/** Bytes of the dense weights that a forward pass makes at a time: small enough to stay near the caches (9.7 s against 14 s with 32 MiB). */
export const evaluationWeightBytesMax = 1 << 22;

/**
 * Bytes of the fast verifier of one thread: a row of some 2^24 edges, all of them candidates; below 2^31, where its addresses turn
 * negative. Longer rows are left to the readable verifier.
 */
export const fastVerifierBytesMax = 2 ** 30;

/** Threads of one solver pool: more than any machine has cores, fewer than would exhaust its memory. */
export const poolThreadsMax = 1024;

/** Characters of one text in a line of a service's log: enough for any reason of ours, too few to fill a disk with. */
export const logTextLengthMax = 300;
/** Time from a WebSocket's opening to its hello. */
export const helloMsMax = 5000;
/** Between two pings of a gateway; a socket that has not answered the one before is cut. */
export const pingMs = 15_000;
/** Bytes waiting in a gateway's socket from which on what the peer asks for has to wait. */
export const bufferedBytesForGrants = 1 << 20;
/** Bytes waiting in a gateway's socket above which it is cut when they have not drained below for bufferedMsMax. */
export const bufferedBytesMax = 1 << 22;
/** Milliseconds that more may wait: the first grants of a worker with 64 threads are some 40 MB at once. */
export const bufferedMsMax = 30_000;
/** Bytes waiting in a gateway's socket above which it is cut at once: two tiles of 600 kB for each of 64 threads, and half as much again. */
export const bufferedBytesHardMax = 1 << 27;
/** Sockets of one gateway; an idle one costs about 12 kB. */
export const connectionCountMax = 10_000;
/** Sockets of one IPv4 /24 or IPv6 /64 beyond loopback: a computing centre behind one address fits. */
export const connectionsPerNetworkMax = 512;
/** Bytes of results that a gateway holds at a time while they are checked and stored. */
export const pendingResultBytesMax = 1 << 28;
/** Layer problems that a worker keeps: those of the jobs it works on now. */
export const keptSpecCountMax = 64;

/** Nesting depth of a message; ours have four levels, the message itself included. */
export const messageDepthMax = 16;
/** Values in one message, keys not counted: 256 leases have 3,074, 1,024 tile names 3,076. */
export const messageItemCountMax = 4096;
/** Bytes of one string in a message: the longest are a line for people and a URL. */
export const messageStringBytesMax = 1 << 16;
/** Bytes of a frame from a trusted worker: the masks of the largest tile that makes sense (a layer of 25,088 channels, 100 copies). */
export const workerFrameBytesMax = 1 << 24;
/** Bytes of a frame from a volunteer: 150,000 blocks take 165 kB where they are easy, so that a stranger can make us hold little. */
export const volunteerFrameBytesMax = 1 << 20;
/** Blocks of a tile that volunteers are leased: at 12 bits each their result fits a frame. Larger ones are for trusted workers. */
export const volunteerTileBlocksMax = Math.floor((8 * (volunteerFrameBytesMax - 1024)) / 12);
/** Bytes of a frame from a gateway: a spec has 8 bytes per source column, and layers have up to some million columns. */
export const gatewayFrameBytesMax = 1 << 26;
/** Bytes of a frame before `hello` is accepted: 1,024 tile names take up to 150 kB. */
export const helloFrameBytesMax = 1 << 18;
/** Leases in one grant: whoever grants more sends several. */
export const grantLeaseCountMax = 256;
/** Tile names in one message. */
export const tileNameCountMax = 1024;
/** Gateways that a worker knows at a time, and is told of in one message. */
export const gatewayCountMax = 32;
/** UTF-16 units of a line for people that travels in a message. */
export const reasonLengthMax = 500;
/** Characters of a gateway's URL. */
export const gatewayUrlLengthMax = 512;
/** Characters of an access token. */
export const accessTokenLengthMax = 256;
/** Bytes of a lease token. */
export const leaseTokenBytesMax = 64;
/** Milliseconds of any duration in a message: 30 days. */
export const messageDurationMsMax = 30 * 24 * 3600 * 1000;
/** Attempts at one tile. */
export const attemptCountMax = 1 << 20;
/** Target neurons in one tile: a tile has about 150,000 blocks, a neuron at least one. */
export const tileNeuronCountMax = 1 << 17;
/** Bytes that the masks of one tile may unpack to: 150,000 blocks of 40 samples take 750 kB, the largest neurons 43 times that. */
export const tileMaskBytesMax = 1 << 28;
/** Rows that one tile may ask to be tried: each that is missed costs two numbers. */
export const tileRowCountMax = 1 << 22;
/** Blocks that one tile may ask to be tried: minutes of work at easy tolerances, where a usual tile has 150,000. */
export const tileBlockCountMax = 1 << 28;
/** Source columns of a layer, or edges of its bias block, in a spec. */
export const specColumnCountMax = 1 << 23;

/** Rows of one source layer: a layer of 100,000 neurons has some millions; verification holds two numbers for each. */
export const sourceRowsMax = 1 << 24;

/** Bytes of one group of changes that an engine syncs together: 0.1 s of a slow disk. */
export const engineGroupBytesMax = 1 << 23;
/** Changes in one such group. */
export const engineGroupChangesMax = 1024;

/** Bytes of a result that travel within one message of a NATS stream, whose servers take 1 MB by default; larger ones are blobs. */
export const natsInlineBytesMax = 1 << 18;
/** Bytes of one piece of a blob in a NATS object store: far below what a message may have, large enough for few round trips. */
export const natsPieceBytes = 1 << 18;
/** Writes to NATS that wait for their answer at a time: 128 results of 140 kB are a second of a cluster that syncs. */
export const natsWritesMax = 128;
/** Milliseconds that one commit goes on trying while NATS elects a leader (3 to 5 s were seen). */
export const natsCommitMsMax = 15_000;
/** Milliseconds that a coordinator that starts waits for NATS servers it has reached: they may be electing a leader. */
export const natsOpenMsMax = 60_000;
/** Milliseconds without the engine after which a gateway sends its workers to others; servers that are elected anew take less. */
export const engineAwayMs = 5_000;
/** Milliseconds for which workers do not come back to a gateway without an engine, unless there is no other. */
export const engineAwayRetryMs = 30_000;
/** Milliseconds between two attempts to follow what changes in NATS, at most: the time for which a revoked key may still be good. */
export const natsWatchRetryMsMax = 30_000;
/** Times a blob is read whose pieces have not come to the replica that is asked. */
export const natsObjectReadAttemptsMax = 4;
/** Times a blob is put that somebody else puts at the same time. */
export const natsObjectPutAttemptsMax = 4;
/** Milliseconds that a blob in a shared store may wait for the job that refers to it, and a piece of one for the piece after it. */
export const natsBlobGraceMs = 3_600_000;
/** Subjects that a NATS server lists at once; a longer list comes in parts, between which what is listed may move. */
export const natsSubjectsListedMax = 100_000;
/** Milliseconds that it stays known that a job was removed: who is cut off from the engine for longer does not hear of it. A day. */
export const natsRemovalKnownMs = 86_400_000;
/** Milliseconds between two sweeps of a gateway; each takes a few requests for every job and blob. */
export const natsSweepMs = 86_400_000;
/** Milliseconds after which a work item that its gateway says nothing about is given to another; it says so three times in between. */
export const workAckMs = 60_000;
/** Milliseconds after which a gateway that has not renewed its claim on a job does not drive it any more. */
export const jobClaimMs = 15_000;
/** Milliseconds after which a gateway that has said nothing is left out of the list that workers get. */
export const gatewaySilentMs = 15_000;
/** Milliseconds between two looks for tiles that the shared queue has lost. */
export const workAuditMs = 15_000;
/** Milliseconds after which gateways that share an engine sign leases with a new key: a day, many times what a lease may last. */
export const leaseKeyMs = 86_400_000;
/** Milliseconds that a gateway without workers keeps its work items: the time in which workers come back after a restart. */
export const feedGraceMs = 5_000;
/** Work items that a gateway pulls at a time: 10 MB of targets. */
export const feedPullMax = 256;
/** Layers that a gateway holds for tiles it pulls: those of the jobs at work now. */
export const feedLayersMax = 64;

/** Milliseconds a trusted worker has for a lease at least; longer where a tile is expected to take seconds (ledger/leases.ts). */
export const leaseMsTrusted = 60_000;
/** Milliseconds a volunteer has for a lease at least: background tabs run timers once a minute. */
export const leaseMsVolunteer = 180_000;
/** Milliseconds a lease may last at most, however slow the worker has been. */
export const leaseMsMax = 3_600_000;
/** Milliseconds between signs of life; a peer silent for three of them is gone. */
export const heartbeatMsDefault = 10_000;
/** Milliseconds of work that a worker is given to hold: long enough to hide the way there and back, short enough to lose. */
export const leasedWorkMs = 5_000;
/** Leases of one session at a time: the credit a worker may ask for. */
export const leasesPerSessionMax = 1024;
/** Leases that come to nothing before the coordinator solves a tile itself. */
export const tileAttemptMax = 5;
/** Leases of one tile at a time: the first and one straggler copy. */
export const tileLeaseCountMax = 2;
/** Results of one tile on their way at a time; more senders than leases means late ones or forgers. */
export const resultsPerTileMax = 4;
/** Results of one worker on their way at a time, beyond twice its quota. */
export const resultsPerWorkerMin = 4;
/** Verified results that wait for a second opinion, in all: each keeps its bytes (about 50 kB) in memory. */
export const heldResultsMax = 1024;
/** Tiles that the coordinator solves itself at a time. */
export const localSolvesMax = 2;
/** Sessions of one gateway: an idle one costs about 20 kB with its socket. */
export const sessionsMax = 10_000;
/** Workers remembered after their last session, the longest gone forgotten first. */
export const workersRememberedMax = 100_000;
/** Jobs that a coordinator runs at a time. */
export const runningJobsMax = 1000;
/** Tiles of one job. */
export const tilesPerJobMax = 1_000_000;
/** Outcomes of a worker that are remembered, and how many bad ones among them put it in quarantine. */
export const outcomesRemembered = 100;
/** See {@link outcomesRemembered}. */
export const badOutcomesMax = 3;
/** Milliseconds of the first quarantine; each next one lasts twice as long. */
export const quarantineMsFirst = 600_000;
/** Milliseconds of the longest quarantine: a day. */
export const quarantineMsMax = 86_400_000;
/** One in how many results of a volunteer is solved elsewhere too: catches valid answers that are not the unique one. */
export const canonicalCheckOneIn = 64;
/** Durations of leases that straggler copies are judged by. */
export const durationsRemembered = 256;

/** Milliseconds of a worker's first backoff; it doubles, with full jitter. */
export const backoffMsMin = 1_000;
/** Milliseconds of a worker's longest backoff. */
export const backoffMsMax = 300_000;
/** Elements of one source row, and target weights of one neuron, in a spec: a solver holds a row of them (128 MiB). */
export const specRowElementCountMax = 1 << 25;

/** Networks whose connections a gateway counts at a time: those without connections are forgotten first. */
export const networkCountMax = 65_536;
/** Uploads that a coordinator takes at a time. */
export const uploadCountMax = 2;
/** Bytes of the options of a submitted job, JSON. */
export const jobOptionsBytesMax = 1 << 14;

/** Tiles of one job that are asked for and not done: 0.25 s of work each keep 1,000 workers busy; each holds about 50 kB of targets. */
export const tilesInFlightMax = 2048;
/** Stored results that are checked in full at a time: what the verifying threads can use, and some 100 MB of masks. */
export const tilesCheckedAtATimeMax = 64;
/** Times one tile is solved because its result could not be read back. */
export const tileReadAttemptsMax = 3;
/** Times a job's stored results are repaired because the ticket does not verify. */
export const jobRepairsMax = 2;
/** Characters of a job's name. */
export const jobNameLengthMax = 200;
/** Bytes of a submitted network file: 30 million weights. */
export const jobNetworkBytesMax = 1 << 28;
/** Jobs that are kept, over ones included. */
export const jobCountMax = 10_000;
/** Milliseconds that each part of a coordinator that ends is waited for: what it has not done by then is done after the next start. */
export const closeMsMax = 2_000;
/** Jobs that are worked on at a time; each holds its network and the results of the layer in hand in memory. */
export const jobsAtWorkMax = 16;
/** Milliseconds after which a job that could not use the store tries again. */
export const jobStoreRetryMs = 5000;
/** Records that an engine reads at a time: 50 MB of ordinary results. */
export const engineGroupReadsMax = 256;
/** Peers whose breaches of the protocol a gateway remembers. */
export const offendersRememberedMax = 65_536;
/** Jobs that a volunteer is told of at a time: a page shows one, and knows by its tiles which. */
export const viewedJobCountMax = 8;

/** Cells of a layer's picture on the dashboard, one byte each: more than a narrow screen shows apart. */
export const liveCellsMax = 4096;
/** Figures of a job's rate that are kept. */
export const liveRatesMax = 240;
/** Jobs whose tiles' pictures are kept: some 100 kB each. */
export const liveBoardsMax = 64;
/** Jobs in the dashboard's list. */
export const liveJobsMax = 100;
/** Workers in the dashboard's list; all are a request away. */
export const liveWorkersMax = 20;
/** Troubles in the dashboard's list. */
export const liveTroublesMax = 30;
/** Viewers of one coordinator: each costs a socket and up to one snapshot of memory. */
export const liveViewersMax = 256;
/** Bytes waiting in a viewer's socket from which on it is left out until they have gone. */
export const liveBufferedBytesMax = 1 << 16;
/** Milliseconds after which a viewer that does not read is cut. */
export const liveStuckMsMax = 30_000;

/** Calls of a job's thread that the coordinator's has not taken up yet: each costs it up to half a millisecond. */
export const threadCallsOnTheWayMax = 16;

/** Bytes of a tensor that an export makes at a time, or one row if that is longer: large enough for a disk, small enough for caches. */
export const exportChunkBytes = 1 << 20;

/** Tokens that are revoked at a time: the file with their ids is read again whenever it changes. */
export const revokedTokensMax = 1000;
/** Cells of one sweep: each is a search of a second at least. */
export const sweepCellCountMax = 10_000;

/** Seconds of one core that tiles are cut to: short enough to lose, long enough for one coordinator to serve thousands of threads. */
export const tileSecondsDefault = 0.5;
/** Seconds of one core that tiles may be cut to, at least: what surrounds a tile takes milliseconds. */
export const tileSecondsMin = 0.1;
/** Seconds of one core that tiles may be cut to, at most: what a thread loses whose worker goes. */
export const tileSecondsMax = 600;
