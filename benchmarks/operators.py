"""A training step operator by operator: milliseconds, bytes and multiplications of each kind.

    python benchmarks/operators.py [NET:BATCH:OPTIMIZER …] [--threads 1]

From onnxruntime's own profile of some steps. Bytes are those of a node's inputs and outputs, each
read or written once; multiplications are those of matrix products.
"""

import argparse
import json
from collections import defaultdict
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime
from train_step import calibrated, recipe_of
from turns import spec_model

CASES = "resnet8:128:sgd resnet20:128:sgd mobilenet_v2:64:sgd vgg11_bn_cifar:64:sgd"
STEPS, SHOWN = 12, 10  # steps that are counted; kinds that have a row
PRODUCTS = {"MatMul", "FusedMatMul", "Gemm"}


def profiled_sessions(folder):
    """Sessions that are opened from now on write a profile there."""
    plain = onnxruntime.InferenceSession

    def session(model, options, **more):
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        return plain(model, options, **more)

    onnxruntime.InferenceSession = session


def nodes_of(case, threads):
    """The events of each node in the last steps of one graph."""
    from cnndsl.training.compiled import sample_feed

    name, batch, optimizer = case.split(":")
    compiled = calibrated(spec_model(name), recipe_of(optimizer), int(batch), threads)
    feed = sample_feed(compiled)
    for _ in range(STEPS):
        compiled.stepper.step(feed)
    nodes = defaultdict(list)
    for event in json.loads(Path(compiled.stepper.session.end_profiling()).read_text()):
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            nodes[event["name"]].append(event)
    return [events[-STEPS:] for events in nodes.values()]


def cost(event):
    """Bytes and multiplications of a node."""
    args = event["args"]
    moved = sum(int(args[f"{kind}_size"]) for kind in ("activation", "parameter", "output"))
    if args["op_name"] not in PRODUCTS:
        return moved, 0
    (given,) = args["output_type_shape"][0].values()
    (left,) = args["input_type_shape"][0].values()
    return moved, prod(given) * prod(left[-2:]) // given[-2]


def show(case, threads):
    """A row for each kind of operator."""
    kinds = defaultdict(lambda: np.zeros(4))
    for events in nodes_of(case, threads):
        ms = float(np.median([event["dur"] for event in events])) / 1e3
        kinds[events[0]["args"]["op_name"]] += (ms, 1, *cost(events[0]))
    total = sum(kinds.values())
    print(f"\n{case}, {threads} threads: {total[0]:.1f} ms by {total[1]:.0f} nodes, "
          f"{total[2] / 2**30:.2f} GiB, {total[3] / 1e9:.2f} GMAC")  # fmt: skip
    for kind, (ms, count, moved, products) in sorted(kinds.items(), key=lambda k: -k[1][0])[:SHOWN]:
        speed = f"{products / ms / 1e6:6.1f} GMAC/s" if products else ""
        print(f"  {kind:<22} {ms:7.2f} ms  {ms / total[0]:4.0%}  {count:4.0f} nodes  "
              f"{moved / ms / 2**30 * 1e3:6.1f} GiB/s  {speed}", flush=True)  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("cases", nargs="*", default=CASES.split())
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        profiled_sessions(folder)
        for case in arguments.cases:
            show(case, arguments.threads)
