"""Checks a Tombola ticket against its target with NumPy alone, sharing no code with Tombola.

    python3 check_ticket.py ticket.safetensors target.safetensors [--inputs x.npy] [--against export.npz]
    (exit 0: sound, 1: not, 2: not checked, since a file cannot be read or is none of its kind; one line in any case)

The ticket is seed + bits (src/core/format/ticket-file.ts), the target our network file (src/core/format/network-file.ts;
`tombola export --format target` makes one of any target).
Tickets of both constructions are checked: with 2L every target layer has a univariate source layer of its own before it.
1. Source layer s has grid integers floor(r * 2^b) - 2^(b-1), r from NumPy's own Philox with key [seed, 2s], biases 2s + 1.
2. Every block: the kept weights sum to the target weight within epsilon * max|w|, or exactly in exact mode; every bias, with
   the value each constant neuron really has.
3. The pruned network runs beside the target, on the inputs given, [count, ...], or on random ones in the declared range:
   equal to 1e-9 where all is exact, else within a quarter of the output's size.
4. With --against, the rows, masks and numbers of an .npz export (src/core/export/export-npz.ts) are the ticket's, to the bit.
"""
import argparse, json, math, sys
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

erf = np.vectorize(math.erf, otypes=[float])
softplus = lambda z: np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
sigmoid = lambda z: np.exp(-softplus(-z))
elu = lambda z, alpha: np.where(z >= 0, z, alpha * np.expm1(np.minimum(z, 0)))
GELU = {"erf": lambda z: z * 0.5 * (1 + erf(z / math.sqrt(2))),
        "tanh": lambda z: z * 0.5 * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z ** 3)))}
ACTIVATIONS = {  # value, intercept at 0, slopes right and left of 0
    "identity": lambda a: (lambda z: z, 0, 1, 1),
    "relu": lambda a: (lambda z: np.maximum(z, 0), 0, 1, 0),
    "leakyRelu": lambda a: (lambda z: np.where(z >= 0, z, a["slope"] * z), 0, 1, a["slope"]),
    "elu": lambda a: (lambda z: elu(z, a["alpha"]), 0, 1, a["alpha"]),
    "selu": lambda a: (lambda z: a["gamma"] * elu(z, a["alpha"]), 0, a["gamma"], a["gamma"] * a["alpha"]),
    "tanh": lambda a: (np.tanh, 0, 1, 1),
    "sigmoid": lambda a: (sigmoid, 0.5, 0.25, 0.25),
    "softplus": lambda a: (softplus, math.log(2), 0.5, 0.5),
    "softsign": lambda a: (lambda z: z / (1 + np.abs(z)), 0, 1, 1),
    "gelu": lambda a: (GELU[a["form"]], 0, 0.5, 0.5),
    "hardSwish": lambda a: (lambda z: z * np.clip(z / 6 + 0.5, 0, 1), 0, 0.5, 0.5),
    "mish": lambda a: (lambda z: z * np.tanh(softplus(z)), 0, 0.6, 0.6),
    "silu": lambda a: (lambda z: z * sigmoid(z), 0, 0.5, 0.5),
}
POINT = {"kind": "convolution", "kernel": [1, 1], "strides": [1, 1], "dilations": [1, 1], "padding": [0, 0, 0, 0]}

def check(claim, text):
    if not np.all(claim): raise ValueError(text)

class Unreadable(Exception):
    """A file that is not what it was given for."""

def read_file(path, key, otherwise):
    """The JSON at a key of a safetensors file's metadata, and its tensors."""
    try:
        texts, tensors = read_safetensors(path)
        return json.loads(texts[key]), tensors
    except (OSError, MemoryError): raise
    except Exception as error: raise Unreadable(f"{path} is {otherwise}") from error

def read_safetensors(path):
    data = open(path, "rb").read()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    metadata, tensors, types = header.pop("__metadata__"), {}, {"I32": "<i4", "U8": "u1", "F64": "<f8"}
    for name, t in header.items():
        begin, end = t["data_offsets"]
        tensors[name] = np.frombuffer(data[start + begin:start + end], types[t["dtype"]]).reshape(t["shape"])
    return metadata, tensors

def grid(source, stream, shape):
    """Grid integers of one stream; 24 bits and a sign fit float32 exactly."""
    key = np.array([int(source["seed"]), stream], dtype=np.uint64)
    r = np.random.Generator(np.random.Philox(key=key)).random(shape, dtype=np.float32)
    r *= np.float32(2.0 ** source["gridBits"])
    return np.subtract(np.floor(r, out=r), np.float32(2.0 ** (source["gridBits"] - 1)), out=r)

def windows(x, w, fill=0.0):
    """[N, C, rows, columns, kernel height, kernel width] of a window over [N, C, H, W]."""
    top, left, bottom, right = w["padding"]
    (kh, kw), (sh, sw), (dh, dw) = w["kernel"], w["strides"], w.get("dilations", [1, 1])
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=fill)
    return sliding_window_view(x, ((kh - 1) * dh + 1, (kw - 1) * dw + 1), axis=(2, 3))[:, :, ::sh, ::sw, ::dh, ::dw]

def linear(shape, x, weights, bias):
    """A layer of weights [rows, inputs · taps] on [N, inputs] or [N, channels, H, W]."""
    if shape["kind"] == "dense": return x @ weights.T + bias
    patches = windows(x, shape)
    z = np.tensordot(patches, weights.reshape(len(weights), x.shape[1], *shape["kernel"]), ([1, 4, 5], [1, 2, 3]))
    return np.moveaxis(z + bias, 3, 1)

def apply(step, x):
    kind = step["kind"]
    if kind == "activation": return ACTIVATIONS[step["activation"]["kind"]](step["activation"])[0](x)
    if kind == "flatten": return x.reshape(len(x), -1)
    if kind == "globalAveragePool": return x.mean(axis=(2, 3), keepdims=True)
    if kind == "maxPool": return windows(x, step, -np.inf).max(axis=(4, 5))
    sums = windows(x, step).sum(axis=(4, 5))
    if step["countPadding"]: return sums / np.prod(step["kernel"])
    return sums / np.maximum(1, windows(np.ones_like(x), step).sum(axis=(4, 5)))

def run(steps, x):
    for step in steps: x = apply(step, x)
    return x

def rounded(values):
    return np.floor(values) + (values - np.floor(values) >= 0.5)

def nearest(values, step):
    return rounded(values / step) * step if step else values

class Checker:
    def __init__(self, options):
        no_ticket, advice = "no ticket.safetensors, or a damaged one", "make one with tombola export --format target"
        self.meta, self.tensors = read_file(options.ticket, "tombola", no_ticket)
        self.network, self.target = read_file(options.target, "network", f"no target.safetensors; {advice}")
        self.source, self.layers, self.exact = self.meta["source"], self.network["layers"], self.meta["mode"] == "exact"
        self.univariates = [self.meta["univariate"], *self.meta.get("deeperUnivariates", [])]
        check(self.meta["format"] == 1, "another format than 1")
        epsilon, range_, bits = self.meta["epsilon"], self.meta["inputRange"], self.source["gridBits"]
        check(epsilon == 0 if self.exact else self.meta["mode"] == "tolerance" and 0 < epsilon < 1, "a tolerance that the mode does not have")
        check(range_[0] <= range_[1] and 2 <= bits <= 24, "an input range or grid bits that no ticket has")
        check([0 < of["gain"] < np.inf and 0 <= of["biasGain"] < np.inf for of in self.source["layers"]], "a gain that no source has")
        quanta = [of[part] for of in self.meta["layers"] for part in ("weightQuantum", "biasQuantum")]
        check(self.exact or not any(quanta), "a quantum, which tolerance mode does not have")
        for name, tensor in self.tensors.items():
            kind = (np.uint8, 2) if name.endswith(".masks") else (np.int32, 1)
            check((tensor.dtype, tensor.ndim) == kind, f"{name}: another type or shape than a ticket's")
        check(len(self.univariates) in (1, len(self.layers)), "univariate layers for some target layers only")
        check(len(self.source["layers"]) == self.place(len(self.layers) - 1) + 1, "source layers that do not fit the target's")
        self.half, self.uniform = 2.0 ** (self.source["gridBits"] - 1), self.source["biasInit"] == "uniform"
        self.export = np.load(options.against) if options.against else None
        shape, (low, high) = self.network["inputShape"], self.meta["inputRange"]
        x = np.load(options.inputs) if options.inputs else np.random.default_rng(0).uniform(low, high, (8, *shape))
        self.x = run(self.network["inputSteps"], x.reshape(-1, *shape).astype(float))
        self.blocks = 0

    def univariate(self, k):
        """The univariate source layer before target layer k: one kept weight a row, constants at the end; a column of ones, where there
        is one, acts as a bias. Its inputs lie where the copies of the layer before do, a tap for each of their positions."""
        s, meta = self.place(k) - 1, self.univariates[k]
        layer, inputs, where = self.source["layers"][s], self.tensors[f"source.{s + 1}.inputs"], f"source layer {s + 1}"
        extended, taps, x = meta["extendedInput"], layer["taps"], self.x if k == 0 else self.z
        columns = np.arange(layer["cols"] - extended) if k == 0 else self.rows
        elements = (columns[:, None] * taps + np.arange(taps)).ravel()
        q = grid(self.source, 2 * s, (layer["rows"], layer["cols"] * taps))
        check(len(inputs) == layer["rows"] and len(elements) == self.inputs_of(k), f"{where}: shape")
        check(k == 0 or (not extended and layer["cols"] == self.source["layers"][s - 1]["rows"]), f"{where}: shape")
        check(not extended or not self.uniform, f"{where}: an extended input although there are biases")
        check(meta["constantRows"] in range(layer["rows"] + 1), f"{where}: constants without rows")
        kept, constant = inputs >= 0, np.arange(len(inputs)) >= len(inputs) - meta["constantRows"]
        number = np.full(q.shape[1], -1)  # of the input that lies at an element
        number[elements] = np.arange(len(elements))
        check((inputs >= -1) & (inputs < q.shape[1]), f"{where}: a first weight to no input")
        self.free = np.where(kept & ~constant, number[inputs], -1)
        check((self.free >= 0) | ~kept | constant, f"{where}: a first weight to no input")
        check(~(kept & constant) | (extended & (inputs == q.shape[1] - 1)), f"{where}: a constant that reads an input")
        self.u = np.where(kept, q[np.arange(len(inputs)), inputs], 0).astype(float)
        positive = meta["signGroups"] == "positive"
        check(not positive or (self.u[kept & ~constant] >= 0).all(), f"{where}: a negative first weight")
        check(not positive or self.lowest_input(k) >= 0, f"{where}: a negative input where only positive weights serve")
        own = layer["gain"] / self.half * q[:, -1].astype(float) if extended else self.own_biases(s)
        keeps = constant & (kept if extended else self.uniform)
        self.rows = np.flatnonzero(kept | constant)
        mask = np.zeros((len(self.rows), len(elements)), bool)
        edge = self.free[self.rows] >= 0
        mask[edge, self.free[self.rows][edge]] = True
        weights = layer["gain"] / self.half * q[np.ix_(self.rows, elements)].astype(float)
        self.compare(s + 1, layer, q[:, :layer["cols"] * taps - extended], (self.rows, columns), mask, own, keeps)
        behind = [[s["activation"] for s in of["steps"] if s["kind"] == "activation" and s["activation"]["kind"] != "identity"][:1] for of in self.layers[:k + 1]]
        activation = ([{"kind": "identity"}] + sum(behind, []))[-1]  # the layer's, or the last one before it
        _, self.intercept, right, left = ACTIVATIONS[activation["kind"]](activation)
        check(meta["signGroups"] != "any" or right == left, f"{where}: one block per weight, but a slope per sign")
        self.slope = layer["gain"] / self.half * (right + (left if meta["signGroups"] == "both" else 0))
        target = self.layers[k]["linear"]
        shape = {**POINT, "padding": target["padding"]} if target["kind"] == "convolution" else {"kind": "dense"}
        z = linear(shape, x, weights * mask, (own * keeps)[self.rows])
        self.z, self.is_constant = apply({"kind": "activation", "activation": activation}, z), constant[self.rows]

    def lowest_input(self, k):
        """The least that a univariate layer's inputs can be: what the steps make of the declared range; behind a layer, of any number."""
        low, high = self.meta["inputRange"] if k == 0 else (-1e300, 1e300)
        steps = self.network["inputSteps"] if k == 0 else self.layers[k - 1]["steps"]
        with np.errstate(all="ignore"):
            for activation in (step["activation"] for step in steps if step["kind"] == "activation"):
                x = np.clip(np.append(np.linspace(-8, 8, 1601), [low, high]), low, high)  # turns and kinks lie between -8 and 8
                values = ACTIVATIONS[activation["kind"]](activation)[0](x)
                low, high = values.min(), values.max()
        return low

    def place(self, k):
        """The 0-based source layer that stands for target layer k."""
        return 2 * k + 1 if len(self.univariates) > 1 else k + 1

    def is_first(self, k):
        """Whether target layer k reads a univariate layer: all do in the 2L construction."""
        return k < len(self.univariates)

    def inputs_of(self, k):
        """Inputs or input channels of target layer k."""
        linear = self.layers[k]["linear"]
        return self.target[f"layer.{k}.weights"].size // linear["outputs"] // int(np.prod(linear.get("kernel", 1)))

    def own_biases(self, k):
        layer = self.source["layers"][k]
        return grid(self.source, 2 * k + 1, layer["rows"]).astype(float) * (layer["biasGain"] / self.half) * self.uniform

    def groups(self, k, channels):
        """(channel, source rows) of the block groups of target layer k: the copies, or the univariate rows, of each input."""
        if not self.is_first(k):
            ends = np.cumsum(self.tensors[f"source.{k + 1}.copy_counts"])
            return list(enumerate(np.split(self.tensors[f"source.{k + 1}.copy_rows"], ends[:-1])))
        rows = [np.flatnonzero(self.free == channel) for channel in range(channels)]
        if self.univariates[k]["signGroups"] != "both": return list(enumerate(rows))
        return [(c, part) for c, all_ in enumerate(rows) for part in (all_[self.u[all_] >= 0], all_[self.u[all_] < 0])]

    def layer(self, k):
        """Checks the source layer that stands for target layer k, and runs it."""
        s, claims, first = self.place(k), self.meta["layers"][k], self.is_first(k)
        where, described = f"source layer {s + 1}", self.source["layers"][s]
        name, target, taps = lambda part: self.tensors[f"source.{s + 1}.{part}"], self.layers[k]["linear"], described["taps"]
        w = self.target[f"layer.{k}.weights"].reshape(target["outputs"], -1, taps)
        channels, biases = w.shape[1], self.target[f"layer.{k}.bias"]
        largest = np.abs(w).max() or np.abs(biases).max()  # of the target as it is: what tolerances and quanta are relative to
        positions = 1 if first else self.inputs_of(k) // self.layers[k - 1]["linear"]["outputs"]
        fitting = int(np.prod(target["kernel"])) if target["kind"] == "convolution" else positions
        check(taps == fitting and described["cols"] == self.source["layers"][s - 1]["rows"], f"{where}: shape")
        q = grid(self.source, 2 * s, (described["rows"], described["cols"] * taps))
        groups, rows, counts, ends = self.groups(k, channels), name("copy_rows"), name("copy_counts"), name("constant_elements")
        edges = np.concatenate([of * taps + t for _, of in groups for t in range(taps)] + [name("bias_elements")])
        check((edges >= 0) & (edges < q.shape[1]) & np.isin(edges // taps, self.rows), f"{where}: an edge to a pruned row")
        bits = np.unpackbits(name("masks"), axis=1, bitorder="little")
        if len(rows) == 0: bits = np.zeros((0, len(edges) + claims["ownBias"]), np.uint8)  # no row says how long it would be
        check(len(bits) == len(rows) and len(groups) in (channels, 2 * channels), f"{where}: shape")
        check(bits.shape[1] - 8 < len(edges) + claims["ownBias"] <= bits.shape[1], f"{where}: mask bits")
        check(not bits[:, len(edges) + claims["ownBias"]:].any(), f"{where}: mask bits")
        check(len(ends) <= (described["rows"] if k + 1 < len(self.layers) and len(self.univariates) == 1 else 0), f"{where}: constants without rows")
        check((rows >= 0) & (rows < described["rows"] - len(ends)), f"{where}: a row out of range")
        check((counts >= 0).all() and len(np.unique(rows)) == len(rows) == counts.sum() and len(counts) == len(w), f"{where}: copies that do not add up")
        check((k + 1 < len(self.layers) and len(self.univariates) == 1) or (counts == 1).all(), f"{where}: not one row for each output")
        neuron, kept, at = np.repeat(np.arange(len(counts)), counts), q[np.ix_(rows, edges)] * bits[:, :len(edges)], 0
        gain = described["gain"] / self.half
        scale, quantum = gain * (self.slope if first else 1), claims["weightQuantum"]
        if self.exact:
            check(quantum == (largest / (self.half - 1) or 1) and abs(scale / quantum - 1) < 1e-12, f"{where}: quantum")
        check(np.array([len(of) for _, of in groups]) <= 40, f"{where}: a block of more than 40 samples")
        check(len(name("bias_elements")) <= 4096, f"{where}: a bias block of more than 4096 edges")
        check(len(np.unique(name("bias_elements"))) == len(name("bias_elements")), f"{where}: a bias edge twice")
        for channel, of in groups:
            for t in range(taps):
                block, at = kept[:, at:at + len(of)].astype(float), at + len(of)
                found, wanted = (block * (self.u[of] if first else 1)).sum(axis=1), w[neuron, channel, t]  # exact: below 40 * 2^46
                fits = found == rounded(wanted / quantum) if self.exact else np.abs(found * scale - wanted) <= self.meta["epsilon"] * largest * (1 + 1e-9)
                check(fits, f"{where}: row {rows[~fits][:1].sum()}, channel {channel}, tap {t}: residual too large")
                self.blocks += np.count_nonzero(wanted)
        own, own_kept = self.own_biases(s), bits[:, len(edges):].any(axis=1)
        intercept = self.intercept * kept[:, :at].sum(axis=1, dtype=float) if first else 0
        values = self.constant_values(k, where, name("bias_elements"))
        got = gain * (kept[:, at:] @ values + intercept) + own[rows] * own_kept
        sizes = gain * (np.abs(kept[:, at:]) @ np.abs(values) + np.abs(intercept)) + np.abs(own[rows] * own_kept)
        widest = 0 if largest == 0 else quantum / 2 if self.exact else self.meta["epsilon"] * largest
        check(max(claims["biasTolerance"], claims["biasQuantum"]) <= widest * (1 + 1e-12), f"{where}: biases too coarse")
        wanted = nearest(biases, claims["biasQuantum"])[neuron]
        residual, noise = np.abs(got - wanted), 1e-12 * (sizes + np.abs(wanted))  # of float64 sums of 4,100 terms
        hit = (residual <= noise) & (noise <= claims["biasQuantum"] / 64)
        check(hit | (residual + noise <= claims["biasTolerance"] * (1 + 1e-6)), f"{where}: a bias residual too large")
        check(ends >= -1, f"{where}: a constant that reads no edge")
        self.constant_values(k, where, ends[ends >= 0])
        self.prune(k, (rows, edges, ends), bits, q, own, own_kept)

    def constant_values(self, k, where, elements):
        """What edges (column · taps + tap) into target layer k read; they must lead to constants and read one value everywhere."""
        target, taps = self.layers[k]["linear"], self.source["layers"][self.place(k)]["taps"]
        places = np.searchsorted(self.rows, elements // taps, sorter=np.argsort(self.rows))
        places = np.argsort(self.rows)[np.minimum(places, len(self.rows) - 1)]
        check((self.rows[places] == elements // taps) & self.is_constant[places], f"{where}: a bias edge to no constant")
        if target["kind"] == "dense": return self.z[0].reshape(len(self.rows), taps)[places, elements % taps]
        patches = windows(self.z[:1], self.window(k))[0].reshape(len(self.rows), -1, taps)[places, :, elements % taps]
        check(np.ptp(patches, axis=1) == 0, f"{where}: a constant that is another at a border")
        return patches[:, 0]

    def window(self, k):
        """A univariate layer has the padding of the convolution behind it, which has none then."""
        target = self.layers[k]["linear"]
        return {**target, "padding": [0, 0, 0, 0]} if self.is_first(k) and target["kind"] == "convolution" else target

    def prune(self, k, indices, bits, q, own, own_kept):
        (rows, edges, ends), described = indices, self.source["layers"][self.place(k)]
        taps, first_end = described["taps"], described["rows"] - len(ends)
        active = np.concatenate([rows, np.arange(first_end, described["rows"])])
        place = np.full(described["cols"], -1)
        place[self.rows] = np.arange(len(self.rows))
        spread = lambda elements: place[elements // taps] * taps + elements % taps
        mask = np.zeros((len(active), len(self.rows) * taps), bool)
        mask[:len(rows), spread(edges)] = bits[:, :len(edges)]
        mask[len(rows) + np.flatnonzero(ends >= 0), spread(ends[ends >= 0])] = True
        keeps = np.zeros(described["rows"], bool)
        keeps[rows], keeps[first_end:] = own_kept, self.uniform
        self.compare(self.place(k) + 1, described, q, (active, self.rows), mask, own, keeps)
        columns = (self.rows[:, None] * taps + np.arange(taps)).ravel()
        weights = np.where(mask, q[np.ix_(active, columns)], 0).astype(float) * (described["gain"] / self.half)
        z = linear(self.window(k), self.z, weights, (own * keeps)[active])
        self.z, self.rows, self.is_constant = run(self.layers[k]["steps"], z), active, np.arange(len(active)) >= len(rows)

    def compare(self, s, described, q, indices, mask, biases, keeps):
        """Source layer s of the export: rows, masks and float32 numbers, pruned or in full."""
        if self.export is None: return
        where, (active, columns), taps = f"export, source layer {s}", indices, described["taps"]
        rows, weights, mask_, bias, bias_mask = (self.export[f"source.{s}.{part}"] for part in ("rows", "weight", "weight_mask", "bias", "bias_mask"))
        full = json.loads(self.export["metadata"].tobytes())["tombola_form"] == "full"
        check(np.array_equal(rows, np.arange(described["rows"]) if full else active), f"{where}: rows")
        elements, wanted = (columns[:, None] * taps + np.arange(taps)).ravel(), mask
        if full:
            wanted = np.zeros(q.shape, bool)
            wanted[np.ix_(active, elements)] = mask
        else: q = q[np.ix_(rows, elements)]
        numbers = (described["gain"] / self.half * q.astype(float)).astype(np.float32)
        check(np.array_equal(mask_.reshape(wanted.shape), wanted), f"{where}: mask")
        check(np.array_equal(weights.reshape(wanted.shape), numbers), f"{where}: weights")
        check(np.array_equal(bias_mask, keeps[rows]), f"{where}: bias mask")
        check(np.array_equal(bias, biases[rows].astype(np.float32)), f"{where}: biases")

    def difference(self):
        """Largest |ticket - target| over the inputs; in exact mode against the quantised target."""
        y = self.x
        for k, (layer, claims) in enumerate(zip(self.layers, self.meta["layers"])):
            weights = nearest(self.target[f"layer.{k}.weights"], claims["weightQuantum"])
            bias = nearest(self.target[f"layer.{k}.bias"], claims["biasQuantum"])
            y = run(layer["steps"], linear(layer["linear"], y, weights.reshape(len(weights), -1), bias))
        error, size = np.abs(self.z - y).max(), max(1.0, np.abs(y).max())
        whole = self.exact and all(claims["biasQuantum"] for claims in self.meta["layers"])
        check(error <= (1e-9 if whole else 0.25) * size, f"the outputs differ by {error}")
        return f", outputs of {len(y)} inputs differ by {error:.2g} of {size:.2g}"

    def verdict(self):
        for k in range(len(self.layers)):
            if self.is_first(k): self.univariate(k)
            self.layer(k)
        return f"{self.blocks} blocks of weights within {self.meta['epsilon']}{self.difference()}{'' if self.export is None else ', export equal'}"

def one_line(error):
    telling = isinstance(error, (ValueError, OSError, Unreadable))
    return " ".join((str(error) if telling else repr(error)).split())

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for option in ("ticket", "target", "--inputs", "--against"): parser.add_argument(option)
    try:
        print("sound:", Checker(parser.parse_args()).verdict())
    except (OSError, MemoryError, Unreadable) as error:
        print("not checked:", one_line(error))
        sys.exit(2)
    except Exception as error:  # whatever a damaged file leads to
        print("not sound:", one_line(error))
        sys.exit(1)
