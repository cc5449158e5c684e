"""What a run writes of its best weights besides `best.onnx`: `best.int8.onnx`, by `export int8` or
`quantize int8` in the recipe.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnndsl.backend.check import checked_bytes
from cnndsl.backend.places import RANGES
from cnndsl.quantize.images import COUNT, images_of
from cnndsl.quantize.int8 import Int8Options, to_int8
from cnndsl.quantize.losses import float_options
from cnndsl.quantize.trained import int8_model, proof_of
from cnndsl.runtime.foreign import load_checked
from cnndsl.training.callbacks import Callback
from cnndsl.weights import read_raw

if TYPE_CHECKING:
    from onnx import ModelProto

    from cnndsl.quantize.int8 import Int8
    from cnndsl.recipe import Export, Recipe

NAME = "best.int8.onnx"


class Exporter(Callback):
    """Writes `best.int8.onnx` at the end, with its proof, where the recipe wants it."""

    def on_end(self, run: Any) -> None:
        """Trained or calibrated on training images, proven on those that validated the run."""
        if not _wanted(run.recipe):
            return
        (run.folder.path / "weights" / NAME).unlink(missing_ok=True)  # of the run before it went on
        told = _trained(run) if run.recipe.quantize else _calibrated(run)
        run.folder.log("\n".join(told))
        if run.settings.progress != "none":
            print("\n".join(told), file=sys.stderr)


def _calibrated(run: Any) -> list[str]:
    """Write the int8 file by ranges of training images; what is said of it."""
    images = images_of(run.data, run.recipe.known_task(), COUNT)
    options = Int8Options(run.recipe.export.max_drop)
    best = load_checked(run.folder.path / "weights" / "best.onnx")
    made = to_int8(best, "best.onnx", images, options, run.folder.log)
    told = [str(made.proof.table()), *made.proof.remarks()]
    if made.advice is None:
        told.append(_written(run, made.model))
    else:
        told.append(_missed(made, run.recipe.export, run.folder.path))
    return told


def _trained(run: Any) -> list[str]:
    """Write the int8 graph that training measured; what is said of it."""
    folder = run.folder.path / "weights"
    info = read_raw(folder / "best.safetensors").info
    found = run.steps.rounding.restored({}, info)
    if not found:
        began = f"before epoch {run.recipe.quantize.start}, from which it rounds"
        return [f"{NAME} is not written: training has ended {began}"]
    best = load_checked(folder / "best.onnx")
    made = int8_model(best, run.steps.rounding.places, found[RANGES])
    proof = proof_of(best, made, run.data, run.recipe.known_task(), run.steps.rounding.places)
    return [str(proof.table()), *proof.remarks(), _written(run, made)]


def _written(run: Any, model: "ModelProto") -> str:
    run.folder.keep(NAME, checked_bytes(model))
    return f"written: {run.folder.path / 'weights' / NAME}"


def _wanted(recipe: "Recipe") -> bool:
    return recipe.export is not None or recipe.quantize is not None


def is_missing(run: Any) -> bool:
    """Whether a finished run was to write a file and has not: it loses too much, or training ended
    before it rounded.
    """
    return _wanted(run.recipe) and not (run.folder.path / "weights" / NAME).exists()


def _missed(made: "Int8", export: "Export", run: Path) -> str:
    assert made.advice is not None
    allowed = f"export int8 max_drop={export.max_drop:g}"
    command = f"cnndsl compile {run} --int8 --uint8 -o {run / 'weights' / NAME} "
    told = made.advice.told(lambda paths: command + float_options(paths), "a larger max_drop")
    return "\n  ".join([f"{NAME} is not written: {made.proof.loss}, more than `{allowed}`", *told])
