"""Forward and backward of one convolution, by algorithm and shape, beside torch.

    python benchmarks/conv.py [--batch 32] [--threads 2] [C,O,H[,kernel,stride] …]

Prints milliseconds (medians), the algorithm that the cost model picks, and what a bad pick costs.
"""

import argparse
from time import perf_counter

import numpy as np

from cnndsl.backend.pipelines import FAST, SIMPLIFY
from cnndsl.graph.export import export
from cnndsl.graph.tape import Tape
from cnndsl.graph.vjp import gradients
from cnndsl.lower.conv.operator import conv_shape
from cnndsl.lower.conv.table import algorithms, choose
from cnndsl.lower.driver import Lowering, Plan
from cnndsl.lower.packed_image import nchw
from cnndsl.runtime.session import open_session
from cnndsl.shapes import pads_2d

SHAPES = (
    "3,32,32 32,64,16 64,128,8 64,64,32 128,128,16 256,256,8 512,512,4 64,128,32,3,2 "
    "128,256,16,3,2 256,512,8,3,2 64,128,32,1,2 16,16,32 32,32,16 64,64,8 16,32,32,3,2 "
    "128,256,4 256,512,2"
)


def graph(shape, batch, algorithm):
    """The step of one convolution on a tape: x, w → loss, dx, dw."""
    c, o, size, k, s = shape
    high = Tape(path="conv")
    x = high.input("x", (batch, c, size, size))
    w = high.input("w", (o, c, k, k))
    pads = pads_2d("pad", (size, size), (k, k), (s, s), (1, 1))
    high.op("Conv", x, w, kernel_shape=(k, k), strides=(s, s), dilations=(1, 1), pads=pads, group=1)
    lowered = Lowering(high, Plan(algorithm), {x: "x", w: "w"})
    picked = choose(lowered, "conv", conv_shape(lowered, high.nodes[0]))
    lowered.run()
    y = lowered.representations[high.nodes[0].outputs[0]]
    tape = lowered.tape
    loss = tape.op("ReduceMean", nchw(tape, y), tape.ints([0, 1, 2, 3]), keepdims=0)
    dx, dw = gradients(tape, loss, [lowered.packed_params["x"], lowered.packed_params["w"]])
    tape.outputs = {"loss": loss, "dx": dx, "dw": dw}
    for change in (*SIMPLIFY, *FAST):
        tape = change(tape)
    return tape, picked.name


def median(run, count=9):
    times = []
    for _ in range(count + 2):
        start = perf_counter()
        run()
        times.append(perf_counter() - start)
    return float(np.median(times[2:])) * 1e3


def ours(shape, batch, algorithm, threads):
    tape, _ = graph(shape, batch, algorithm)
    session = open_session(export(tape, "conv", 18).SerializeToString(), "cpu", threads)
    rng = np.random.default_rng(0)
    feed = {v.name: rng.random([int(d) for d in v.shape], np.float32) for v in tape.inputs}
    return median(lambda: session.run(None, feed))


def torchs(shape, batch, threads):
    import torch

    torch.set_num_threads(threads)
    c, o, size, k, s = shape
    x = torch.rand(batch, c, size, size).to(memory_format=torch.channels_last).requires_grad_()
    conv = torch.nn.Conv2d(c, o, k, s, k // 2, bias=False).to(memory_format=torch.channels_last)

    def run():
        x.grad = conv.weight.grad = None
        conv(x).mean().backward()

    return median(run)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("shapes", nargs="*", default=SHAPES.split())
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    for text in arguments.shapes:
        c, o, size, k, s = (*map(int, text.split(",")), 3, 1)[:5]
        shape = (c, o, size, k, s)
        picked = graph(shape, arguments.batch, "auto")[1]
        times = {}
        for name in (n for n in algorithms() if n not in ("direct", "im2col-planar")):
            if graph(shape, arguments.batch, name)[1] == name:
                times[name] = ours(shape, arguments.batch, name, arguments.threads)
        best = min(times, key=times.get)
        rival = torchs(shape, arguments.batch, arguments.threads)
        shown = "  ".join(f"{name} {ms:.1f}" for name, ms in times.items())
        regret = times[picked] / times[best] - 1 if picked in times else float("nan")
        print(f"{text:>16}: {shown}  torch {rival:.1f}  picked {picked} ({regret:+.0%})")


if __name__ == "__main__":
    main()
