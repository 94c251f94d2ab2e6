"""Checks a Tombola ticket against its target with NumPy alone, sharing no code with Tombola.

    python3 check_ticket.py ticket.safetensors target.safetensors      (exit 0: sound, 1: not; one line either way)

The ticket is seed + bits (src/core/format/ticket-file.ts), the target our network file (src/core/format/network-file.ts).
1. Source layer s has grid integers floor(r * 2^b) - 2^(b-1), r from NumPy's own Philox with key [seed, 2s], biases 2s + 1.
2. Every block: the kept weights sum to the target weight within epsilon * max|w|, or exactly in exact mode.
3. For chains of dense layers: every bias, with the value each constant neuron really has; and the pruned network runs on
   random inputs beside the target: equal to 1e-9 where all is exact, else within a quarter of the output's size.
"""
import json, sys
import numpy as np

ACTIVATIONS = {  # value, intercept at 0, slopes right and left of 0
    "identity": lambda a: (lambda z: z, 0, 1, 1), "relu": lambda a: (lambda z: np.maximum(z, 0), 0, 1, 0),
    "leakyRelu": lambda a: (lambda z: np.where(z >= 0, z, a["slope"] * z), 0, 1, a["slope"]),
    "tanh": lambda a: (np.tanh, 0, 1, 1),
    "sigmoid": lambda a: (lambda z: 1 / (1 + np.exp(-z)), 0.5, 0.25, 0.25),
}

def read_safetensors(path):
    data = open(path, "rb").read()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    metadata, tensors, types = header.pop("__metadata__"), {}, {"I32": "<i4", "U8": "u1", "F64": "<f8"}
    for name, t in header.items():
        tensors[name] = np.frombuffer(data[start:][slice(*t["data_offsets"])], types[t["dtype"]]).reshape(t["shape"])
    return metadata, tensors

def grid(source, stream, shape):
    """Grid integers of one stream, as float64, which holds them and the sums of their products exactly."""
    key = np.array([int(source["seed"]), stream], dtype=np.uint64)
    r = np.random.Generator(np.random.Philox(key=key)).random(shape, dtype=np.float32).astype(np.float64)
    return np.floor(r * 2.0 ** source["gridBits"]) - 2.0 ** (source["gridBits"] - 1)

def check(claim, text):
    if not np.all(claim): raise ValueError(text)

def activation(layer):
    found = [step["activation"] for step in layer["steps"] if step["kind"] == "activation"] or [{"kind": "identity"}]
    return ACTIVATIONS[found[0]["kind"]](found[0])

def nearest(values, step):
    return np.floor(values / step + 0.5) * step if step else values
class Checker:
    def __init__(self, ticket_path, target_path):
        (texts, self.tensors), (network, self.target) = read_safetensors(ticket_path), read_safetensors(target_path)
        self.meta, self.network = json.loads(texts["tombola"]), json.loads(network["network"])
        self.source, self.layers, self.exact = self.meta["source"], self.network["layers"], self.meta["mode"] == "exact"
        self.half = 2.0 ** (self.source["gridBits"] - 1)
        self.uniform = self.source["biasInit"] == "uniform"
        self.dense = all(l["linear"]["kind"] == "dense" for l in self.layers) and not self.network["inputSteps"]
        self.blocks, self.pruned = 0, []  # pruned: (matrix, bias, activation) of each source layer of a dense chain

    def first_layer(self):
        """Source layer 1: one kept weight a row, constants at the end. Sets what each constant row gives, NaN for others."""
        layer, inputs = self.source["layers"][0], self.tensors["source.1.inputs"]
        q, kept = grid(self.source, 0, (layer["rows"], layer["cols"])), inputs >= 0
        constant = np.arange(len(inputs)) >= len(inputs) - self.meta["univariate"]["constantRows"]
        self.u = np.where(kept, q[np.arange(len(inputs)), inputs], 0)
        check(self.meta["univariate"]["signGroups"] != "positive" or (self.u[kept & ~constant] > 0).all(), "a negative first weight")
        bias = grid(self.source, 1, layer["rows"]) * layer["biasGain"] / self.half * (constant & self.uniform)
        weights = layer["gain"] * self.u / self.half
        value, self.intercept, right, left = activation(self.layers[0])
        self.slope = layer["gain"] / self.half * (right + (left if self.meta["univariate"]["signGroups"] == "both" else 0))
        self.constants = np.where(constant, value(bias + weights), np.nan)
        self.pruned.append((np.zeros((layer["rows"], layer["cols"])), bias, value))
        self.pruned[0][0][kept, inputs[kept]] = weights[kept]
        self.free = np.where(kept & ~constant, inputs, -1)

    def groups(self, k, channels):
        """(channel, columns) of the block groups of target layer k: the copies, or the univariate rows, of each input."""
        if k > 0:
            ends = np.cumsum(self.tensors[f"source.{k + 1}.copy_counts"])
            return list(enumerate(np.split(self.tensors[f"source.{k + 1}.copy_rows"], ends[:-1])))
        rows = [np.flatnonzero(self.free == channel) for channel in range(channels)]
        if self.meta["univariate"]["signGroups"] != "both":
            return list(enumerate(rows))
        return [(c, part) for c, all_rows in enumerate(rows) for part in (all_rows[self.u[all_rows] >= 0], all_rows[self.u[all_rows] < 0])]

    def layer(self, k, channels):
        """Checks source layer k + 2, which stands for target layer k."""
        where, claims, described = f"source layer {k + 2}", self.meta["layers"][k], self.source["layers"][k + 1]
        name = lambda part: self.tensors[f"source.{k + 2}.{part}"]
        w = self.target[f"layer.{k}.weights"].reshape(self.layers[k]["linear"]["outputs"], channels, -1)
        taps, largest = w.shape[2], np.abs(w).max() or 1.0
        q = grid(self.source, 2 * k + 2, (described["rows"], described["cols"] * taps))
        groups, rows, counts, elements = self.groups(k, channels), name("copy_rows"), name("copy_counts"), name("constant_elements")
        edges = np.concatenate([rows_ * taps + t for _, rows_ in groups for t in range(taps)] + [name("bias_elements")])
        bits = np.unpackbits(name("masks"), axis=1, bitorder="little")
        spare = bits[:, len(edges) + claims["ownBias"]:]
        check(bits.shape[1] - 8 < len(edges) + claims["ownBias"] <= bits.shape[1] and not spare.any(), f"{where}: mask bits")
        check((rows >= 0) & (rows < described["rows"] - len(elements)), f"{where}: a row out of range")
        check(len(np.unique(rows)) == len(rows) == counts.sum() and len(counts) == len(w), f"{where}: copies that do not add up")
        neuron, kept, at = np.repeat(np.arange(len(counts)), counts), q[np.ix_(rows, edges)] * bits[:, :len(edges)], 0
        scale = described["gain"] / self.half * (self.slope if k == 0 else 1)
        quantum = claims["weightQuantum"]
        if self.exact:
            check(abs(scale / quantum - 1) < 1e-12 and abs(quantum * (self.half - 1) / largest - 1) < 1e-12, f"{where}: quantum")
        for channel, columns in groups:
            for t in range(taps):
                block, at = kept[:, at:at + len(columns)], at + len(columns)
                found, wanted = (block * (self.u[columns] if k == 0 else 1)).sum(axis=1), w[neuron, channel, t]
                fits = found == np.floor(wanted / quantum + 0.5) if self.exact else np.abs(found * scale - wanted) <= self.meta["epsilon"] * largest * (1 + 1e-9)
                check(fits, f"{where}: row {rows[np.argmin(fits)]}, channel {channel}, tap {t}: residual too large")
                self.blocks += np.count_nonzero(wanted)
        if self.dense:
            self.biases(k, where, (rows, neuron, edges, elements, at, q), described["gain"] / self.half * kept, bits[:, len(edges):].any(axis=1))

    def biases(self, k, where, parts, real, own_kept):
        (rows, neuron, edges, elements, at, q), claims, described = parts, self.meta["layers"][k], self.source["layers"][k + 1]
        own = described["biasGain"] * grid(self.source, 2 * k + 3, described["rows"]) / self.half * self.uniform
        widest = claims["weightQuantum"] / 2 if self.exact else self.meta["epsilon"] * (np.abs(self.target[f"layer.{k}.weights"]).max() or 1)
        check(max(claims["biasTolerance"], claims["biasQuantum"]) <= widest * (1 + 1e-12), f"{where}: biases too coarse")
        got = real[:, at:] @ self.constants[edges[at:]] + own[rows] * own_kept + (self.intercept * real[:, :at].sum(axis=1) if k == 0 else 0)
        wanted = nearest(self.target[f"layer.{k}.bias"], claims["biasQuantum"])[neuron]
        check(np.abs(got - wanted) <= claims["biasTolerance"] + 1e-9, f"{where}: a bias residual too large")
        matrix, bias, ends = np.zeros((len(own), len(self.constants))), np.zeros(len(own)), np.arange(len(own) - len(elements), len(own))
        matrix[np.ix_(rows, edges)], bias[rows], bias[ends] = real, own[rows] * own_kept, own[ends]
        matrix[ends[elements >= 0], elements[elements >= 0]] = described["gain"] / self.half * q[ends[elements >= 0], elements[elements >= 0]]
        self.pruned.append((matrix, bias, activation(self.layers[k])[0]))
        given = self.pruned[-1][2](matrix @ np.nan_to_num(self.constants) + bias)
        self.constants = np.where(np.isin(np.arange(len(own)), ends), given, np.nan)

    def difference(self):
        """Largest |ticket - target| on 200 random inputs; in exact mode against the quantised target."""
        x = np.random.default_rng(0).uniform(*self.meta["inputRange"], (200, self.layers[0]["linear"]["inputs"]))
        y, z = x, np.hstack([x, np.ones((200, int(self.meta["univariate"]["extendedInput"])))])
        for k, (layer, claims) in enumerate(zip(self.layers, self.meta["layers"])):
            w = nearest(self.target[f"layer.{k}.weights"], claims["weightQuantum"])
            y = activation(layer)[0](y @ w.T + nearest(self.target[f"layer.{k}.bias"], claims["biasQuantum"]))
        for matrix, bias, value in self.pruned:
            z = value(z @ matrix.T + bias)
        error = np.abs(z[:, self.tensors[f"source.{len(self.layers) + 1}.copy_rows"]] - y).max()
        whole = self.exact and all(claims["biasQuantum"] for claims in self.meta["layers"])
        check(error <= (1e-9 if whole else 0.25 * max(1.0, np.abs(y).max())), f"the outputs differ by {error}")
        return f", outputs differ by {error:.2g}"

    def verdict(self):
        self.first_layer()
        for k in range(len(self.layers)):
            self.layer(k, self.layers[k - 1]["linear"]["outputs"] if k > 0 else self.source["layers"][0]["cols"] - self.meta["univariate"]["extendedInput"])
        return f"{self.blocks} blocks within {self.meta['epsilon']}" + (self.difference() if self.dense else "")

if __name__ == "__main__":
    try:
        print("sound:", Checker(*sys.argv[1:3]).verdict())
    except (ValueError, KeyError, IndexError) as error:
        print("not sound:", error)
        sys.exit(1)
