"""Runs exported tickets in PyTorch, as a user would load them, for tests.

    python3 run_torch.py jobs.json    (prints JSON: for each job its outputs and its masks' digests)

A job: {"file": torch export, "inputs": flat list, "shape": [count, ...], "double": whether to run in float64}. safetensors' own Python package is not asked for.
"""
import hashlib, json, sys
import numpy as np
import torch
from torch import nn
from torch.nn.utils import prune

def load_file(path):
    """What safetensors.torch.load_file gives, and the metadata."""
    data = open(path, "rb").read()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    metadata, tensors, types = header.pop("__metadata__"), {}, {"F32": "<f4", "BOOL": "?"}
    for name, t in header.items():
        begin, end = t["data_offsets"]
        array = np.frombuffer(data[start + begin:start + end], types[t["dtype"]]).reshape(t["shape"])
        tensors[name] = torch.from_numpy(array.copy())
    return tensors, metadata

def run(job):
    state, metadata = load_file(job["file"])
    model = eval(metadata["torch"], {"nn": nn})  # our own test's file; users paste the line
    for layer in model:
        if hasattr(layer, "weight"):
            prune.identity(prune.identity(layer, "weight"), "bias")
    model.load_state_dict(state)
    kind = torch.float64 if job.get("double") else torch.float32
    x = torch.tensor(job["inputs"], dtype=torch.float32).reshape(job["shape"]).to(kind)
    with torch.no_grad():
        y = model.to(kind)(x)
    if "tombola_outputs" in metadata: y = y[:, json.loads(metadata["tombola_outputs"])]
    masks = [getattr(layer, f"{part}_mask") for layer in model if hasattr(layer, "weight_mask") for part in ("weight", "bias")]
    digests = [hashlib.sha256(mask.numpy().astype(np.uint8).tobytes()).hexdigest() for mask in masks]
    return {"outputs": y.flatten().tolist(), "masks": digests}

print(json.dumps([run(job) for job in json.load(open(sys.argv[1]))]))
