"""What a run writes of its best weights besides `best.onnx`: `export int8` in the recipe."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnndsl.backend.check import checked_bytes
from cnndsl.quantize.images import COUNT, images_of
from cnndsl.quantize.int8 import Int8Options, to_int8
from cnndsl.quantize.losses import float_options
from cnndsl.runtime.foreign import load_checked
from cnndsl.training.callbacks import Callback

if TYPE_CHECKING:
    from cnndsl.quantize.int8 import Int8
    from cnndsl.recipe import Export

NAME = "best.int8.onnx"


class Exporter(Callback):
    """Writes `best.int8.onnx` at the end, with its proof, where the recipe wants it."""

    def on_end(self, run: Any) -> None:
        """Calibrated on training images, proven on those that validated the run."""
        if run.recipe.export is None:
            return
        folder = run.folder.path / "weights"
        (folder / NAME).unlink(missing_ok=True)  # of the run before it went on
        images = images_of(run.data, run.recipe.known_task(), COUNT)
        options = Int8Options(run.recipe.export.max_drop)
        best = load_checked(folder / "best.onnx")
        made = to_int8(best, "best.onnx", images, options, run.folder.log)
        told = [str(made.proof.table()), *made.proof.remarks()]
        if made.advice is None:
            run.folder.keep(NAME, checked_bytes(made.model))
        else:
            told.append(_missed(made, run.recipe.export, run.folder.path))
        run.folder.log("\n".join(told))
        if run.settings.progress != "none":
            print("\n".join(told), file=sys.stderr)


def is_missing(run: Any) -> bool:
    """Whether a finished run was to write a file and has not, because it loses too much."""
    return bool(run.recipe.export) and not (run.folder.path / "weights" / NAME).exists()


def _missed(made: "Int8", export: "Export", run: Path) -> str:
    assert made.advice is not None
    allowed = f"export int8 max_drop={export.max_drop:g}"
    command = f"cnndsl compile {run} --int8 --uint8 -o {run / 'weights' / NAME} "
    told = made.advice.told(lambda paths: command + float_options(paths), "a larger max_drop")
    return "\n  ".join([f"{NAME} is not written: {made.proof.loss}, more than `{allowed}`", *told])
