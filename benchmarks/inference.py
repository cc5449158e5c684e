"""Inference on onnxruntime: `compile --optimize cpu` against the plain graph, and torch.

    python benchmarks/inference.py [NET[@32]:BATCH …] [--rounds 5] [--threads 2] [--clock wall|cpu]
        [--rivals plain,unfolded,eager,channels_last,compile]

Weights are random. `ours` is what `compile --optimize cpu --batch BATCH` writes, `plain` the same
without `--optimize`, `unfolded` that with batch norm left in. `@32` takes pictures of 32×32 in ten
classes, as the rivals in torch do. `all:8` is every spec. The largest difference of the outputs and
the bytes of both files come first.
"""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from turns import SPECS, options, run_all, spec_model

CASES = "vgg16:1 vgg16:8 unet:1 unet:8 resnet18:1 resnet18:8"
TORCH = ("eager", "channels_last", "compile")
FOLDER = "CNNDSL_BENCH_FOLDER"  # where a run keeps its graphs for its workers


def model_of(name):
    from cnndsl.api import load

    return spec_model(name.removesuffix("@32")) if "@" in name else load(SPECS / f"{name}.cnn").ir


def graph(program, case):
    """The file of a program's graph, written once."""
    from cnndsl.backend.artifact import inference_model
    from cnndsl.backend.inference import Options
    from cnndsl.weights.initial import initial_weights

    path = Path(os.environ[FOLDER], f"{case}-{program}.onnx".replace(":", "-"))
    if not path.exists():
        name, batch = case.split(":")
        model, optimize = model_of(name), "cpu" if program == "ours" else None
        how = Options(batch=int(batch), fold=program != "unfolded", optimize=optimize)
        made = inference_model(model, initial_weights(model), how)
        path.write_bytes(made.SerializeToString(deterministic=True))
    return path


def our_run(program, case, threads):
    from cnndsl.runtime.session import open_session

    session = open_session(graph(program, case), "cpu", threads)
    (port,) = session.get_inputs()
    x = np.random.default_rng(0).random(port.shape, np.float32)
    return lambda: session.run(None, {port.name: x})


def work(program, case, threads):
    if program not in TORCH:
        return our_run(program, case, threads)
    from rivals import torch_run

    name, batch = case.split(":")
    return torch_run(name.removesuffix("@32"), int(batch), threads, program)


def compiled(case):
    """Write both files and print their sizes and how far their outputs are apart."""
    ours, plain = (graph(program, case) for program in ("ours", "plain"))
    sizes = [path.stat().st_size / 2**20 for path in (plain, ours)]
    if ours.read_bytes() == plain.read_bytes():
        return print(f"\n{case}: the plain file, {sizes[0]:.1f} MiB", flush=True)
    y, z = (our_run(program, case, 2)() for program in ("ours", "plain"))
    error = max(np.abs(a - b).max() / np.abs(b).max() for a, b in zip(y, z, strict=True))
    return print(f"\n{case}: {sizes[0]:.1f} → {sizes[1]:.1f} MiB, outputs {error:.1e} apart")


def is_won(case):
    """Whether the files differ; they are made in a process of their own, as is what is timed."""
    command = [sys.executable, __file__, "--work", "compiled", case]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    print(told, end="", flush=True)
    return "the plain file" not in told


def every(cases):
    for case in cases:
        name, batch = case.split(":")
        specs = sorted(path.stem for path in SPECS.glob("*.cnn")) if name == "all" else [name]
        yield from (f"{spec}:{batch}" for spec in specs)


def main():
    given = options(CASES, ("plain",), ("unfolded", *TORCH))
    if given.work == "compiled":
        return compiled(given.cases[0])
    if given.work:
        return run_all(given, work, __file__)
    rivals = set(given.rivals.split(","))
    with TemporaryDirectory() as folder:
        os.environ[FOLDER] = folder
        for case in every(given.cases):
            if is_won(case) or rivals != {"plain"}:
                given.cases = [case]
                run_all(given, work, __file__)
            for path in Path(folder).iterdir():
                path.unlink()
    return None


if __name__ == "__main__":
    sys.exit(main())
