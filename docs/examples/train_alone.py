"""Trains a step made by `cnndsl compile specs/cifar10.cnn --train -o step.onnx`.

Needs onnxruntime and numpy, nothing else: state goes in, new state comes out.
"""

import sys

import numpy as np
import onnxruntime

quiet = onnxruntime.SessionOptions()
quiet.log_severity_level = 3  # it would warn of each state input that has a default
session = onnxruntime.InferenceSession(sys.argv[1], quiet, providers=["CPUExecutionProvider"])
outputs = [o.name for o in session.get_outputs()]
size = next(i.shape for i in session.get_inputs() if i.name == "x")
rng = np.random.default_rng(0)

# Two easy classes: bright above, or bright below. Labels are 0 and 1.
labels = rng.integers(0, 2, size[0])
pictures = rng.integers(0, 100, size).astype(np.uint8)
half = size[2] // 2
pictures[labels == 0, :, :half] += 100
pictures[labels == 1, :, half:] += 100

state = {}  # the first run starts from the values in the file
for step in range(40):
    feed = {"x": pictures, "y": labels, "lr": np.array(1e-3, np.float32), **state}
    result = dict(zip(outputs, session.run(outputs, feed), strict=True))
    state = {n.removesuffix(".new"): np.asarray(v) for n, v in result.items() if n.endswith(".new")}
    if step % 10 == 9:
        print(f"step {step + 1}: loss {result['loss']:.4f}, {result['correct']:.0f} right")
