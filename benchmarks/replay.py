"""Proof that a refactoring leaves every graph as it was: hashes of graphs, against a record.

    python benchmarks/replay.py [--only TEXT …] [--quick] [--update]

For every spec: the inference graph, and the training step by each convolution choice, whole and in
four micro-batches. For one small spec also every optimizer, loss and option of the step; for every
layer the network of its gradient test. Prints the graphs that changed; exits with 1 if one did.
`--quick` leaves out the large specs. `--update` records what is found; a commit that does
so says which graphs changed, and why. The record holds bytes of one machine and one version of
numpy and onnx: where an untouched checkout differs, record anew there first.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from itertools import product
from pathlib import Path
from zlib import crc32

import numpy as np

from cnndsl.api import load, parse
from cnndsl.backend.inference import Options
from cnndsl.backend.pipelines import inference_tape, split_step, training_step
from cnndsl.backend.step import OPSET, StepOptions
from cnndsl.graph.export import export
from cnndsl.lower.conv.table import algorithms
from cnndsl.lower.driver import Plan
from cnndsl.recipe import CHOSEN, Recipe
from cnndsl.source import UserError

ROOT = Path(__file__).parent.parent
RECORD = ROOT / "benchmarks" / "replay.json"
SMALL = ("lenet5", "mnist", "cifar10", "resnet8")  # by every algorithm; all of `--quick`
OPTIMIZED = ("lenet5", "cifar10", "resnet18_cifar")
BATCH = 8
LARGE = 1 << 16  # bytes: constants from here on are hashed beside the graph, not within

Case = Callable[[], str]


def fingerprint(*tapes):
    """A hash of exported tapes: nodes, attributes, names, types, and every constant's bytes."""
    found = hashlib.sha256()
    for tape in tapes:
        used = {value for node in tape.nodes for value in node.inputs}
        for value, array in tape.consts.items():
            if array.nbytes > LARGE and value in used:
                found.update(f"{value.name} {array.dtype.str} {array.shape}\n".encode())
                found.update(np.ascontiguousarray(array).data)
                tape.consts[value] = np.zeros(0, array.dtype)
        found.update(export(tape, "replay", OPSET).SerializeToString(deterministic=True))
    return found.hexdigest()[:16]


def weights(model):
    """Positive numbers by name and shape, made faster than an initialiser draws them."""
    return {name: _numbers(name, p.shape) for name, p in model.tensors().items()}


def _numbers(name, shape):
    period = np.random.default_rng(crc32(name.encode())).uniform(0.5, 1.5, 4099)
    return np.resize(period.astype(np.float32), shape)


@cache
def spec(name):
    """The model of a spec, or of the text of one."""
    return parse(name).ir if "\n" in name else load(ROOT / "specs" / f"{name}.cnn").ir


def inference(name, **options):
    model = spec(name)
    return fingerprint(inference_tape(model, weights(model), Options(**options)))


def whole(*about):
    return [training_step(*about).tape]


def split(*about):
    gradients, update = split_step(*about)
    return [gradients.tape, update]


def step(name, made=whole, recipe=None, **options):
    """The hash of a step; what is refused is recorded as that."""
    model = spec(name)
    try:
        tapes = made(model, recipe or model.recipe or Recipe(), StepOptions(BATCH, **options))
    except UserError:
        return "refused"
    return fingerprint(*tapes)


def cases(quick=False) -> Iterator[tuple[str, Case]]:
    """Every graph by its name, such as `resnet8 step winograd x4`."""
    for path in sorted((ROOT / "specs").glob("*.cnn")):
        if path.stem in SMALL or not quick:
            yield from graphs(path.stem, path.stem)
    yield from recipes("resnet8")
    yield from mask_losses("shapes_segmentation")
    for name, batch in product(OPTIMIZED, (1, 8)):
        case = partial(inference, name, batch=batch, optimize="cpu")
        yield f"{name} inference cpu {batch}", case
    yield from layers()


def graphs(title, name) -> Iterator[tuple[str, Case]]:
    """Inference, and the step by every choice of convolutions."""
    yield f"{title} inference", partial(inference, name)
    yield f"{title} inference uint8", partial(inference, name, batch=2, uint8=True, fold=False)
    for conv in ("auto", *(trains() if name in SMALL else ("direct", "im2col", "winograd"))):
        for count in (1, 4):
            options = {"plan": Plan(conv), "micro_batches": count}
            yield f"{title} step {conv} x{count}", partial(step, name, **options)


def trains() -> list[str]:
    """Every algorithm that serves training."""
    return [a.name for a in algorithms().values() if "train" in a.phases]


def recipes(name) -> Iterator[tuple[str, Case]]:
    """Steps of one spec by every optimizer and loss, and by what else changes them."""
    for kind in ("optimizer", "loss"):
        for word, choice in CHOSEN[kind].items():
            recipe = replace(Recipe(clip=1.0, ema=0.9), **{kind: choice()})
            yield f"{name} step {kind} {word}", partial(step, name, recipe=recipe)
    yield f"{name} step soft", partial(step, name, soft=True)
    yield f"{name} step plain", partial(step, name, fast=False)
    yield f"{name} step float64", partial(step, name, fast=False, dtype="float64")
    for count in (1, 4):
        yield f"{name} step split x{count}", partial(step, name, split, micro_batches=count)


def mask_losses(name) -> Iterator[tuple[str, Case]]:
    """Steps of a segmentation by every loss that fits."""
    for word, choice in CHOSEN["loss"].items():
        if "masks" in choice.fits:
            recipe = replace(spec(name).recipe, loss=choice())
            for count in (1, 4):
                title = f"{name} step loss {word} x{count}"
                yield title, partial(step, name, recipe=recipe, micro_batches=count)


def layers() -> Iterator[tuple[str, Case]]:
    """The networks of the gradient tests: every layer, every idiom."""
    sys.path.insert(0, str(ROOT / "tests"))
    from test_training_gradients import BODIES, HEAD

    for title, body in BODIES.items():
        yield from graphs(f"layers `{title}`", f"input 3x8x8\n{body}{HEAD}")


def replay(wanted, quick=False) -> dict[str, str]:
    """The hashes of the cases whose names contain one of the texts; all, if there are none."""
    found = dict[str, str]()
    for title, case in cases(quick):
        if not wanted or any(text in title for text in wanted):
            found[title] = case()
    return found


def record() -> dict[str, str]:
    return json.loads(RECORD.read_text(encoding="utf-8"))


def changed(found) -> list[str]:
    """Names of the graphs that are new or other than recorded."""
    before = record()
    return [title for title, digest in found.items() if before.get(title) != digest]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=[], help="cases whose names contain a text")
    parser.add_argument("--quick", action="store_true", help="small specs and layers only")
    parser.add_argument("--update", action="store_true", help="record what is found")
    given = parser.parse_args()
    found = replay(given.only, given.quick)
    differing = changed(found) if RECORD.exists() else list(found)
    print(*(f"changed: {title}" for title in differing), sep="\n", end="\n" * bool(differing))
    print(f"{len(found)} graphs, {len(differing)} changed")
    if given.update:
        kept = record() if given.only or given.quick else {}
        text = json.dumps(kept | found, indent=0, sort_keys=True, ensure_ascii=False)
        RECORD.write_text(text + "\n", encoding="utf-8")
    return bool(differing) and not given.update


if __name__ == "__main__":
    sys.exit(main())
