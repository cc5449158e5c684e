"""cnndsl in Python: `load`, `check`, `Model`, `train`."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnndsl import ir
from cnndsl.lints import inspect
from cnndsl.passes.analyse import analyse, recipe_of
from cnndsl.passes.includes import read
from cnndsl.report.html import Findings, History, summary_html
from cnndsl.report.summary import Summary, summarise
from cnndsl.shapes import Shape
from cnndsl.source import Diagnostic, Failed, Source, UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from onnx import ModelProto

    from cnndsl.recipe import Recipe
    from cnndsl.training.callbacks import Callback


@dataclass(frozen=True)
class Model:
    """A checked network. `ir` holds its layers, for those who want to walk them."""

    ir: ir.Model

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.ir.name

    @property
    def params(self) -> int:
        """Number of learned parameters."""
        return self.ir.params

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one sample."""
        return self.ir.macs

    @property
    def input(self) -> Shape:
        """Shape of one sample, channels first."""
        return self.ir.input

    @property
    def outputs(self) -> dict[str, Shape]:
        """Shape of each output, by name."""
        return self.ir.output_shapes()

    def summary(self) -> Summary:
        """Rows, totals and JSON; `print(model.summary())` shows the table."""
        return summarise(self.ir)

    def diagram(self, depth: int | None = None) -> str:
        """A picture of the network as SVG; `depth` is how many levels of blocks are opened."""
        from cnndsl.diagram import diagram

        return diagram(self.ir, depth)

    def _repr_html_(self) -> str:
        picture = f"<details><summary>diagram</summary>{self.diagram()}</details>"
        return summary_html(self.summary()) + picture

    def initial_weights(self, seed: int = 0) -> "dict[str, NDArray[np.float32]]":
        """Fresh tensors by name, as the layers' initialisers draw them."""
        from cnndsl.backend.weights import initial_weights

        return initial_weights(self.ir, seed)

    def to_onnx(
        self,
        weights: "dict[str, NDArray[np.float32]] | str | Path | None" = None,
        *,
        seed: int = 0,
        opset: int = 17,
        batch: int | None = None,
        fold: bool = True,
        uint8: bool = False,
        mean: "float | Sequence[float] | None" = None,
        std: "float | Sequence[float] | None" = None,
    ) -> "ModelProto":
        """The inference graph (see `cnndsl compile --help`); UserError for weights that do not fit.

        `weights` is a dict of arrays, a safetensors file, or None for fresh ones from `seed`.
        `mean` and `std` are those that the file's weights were trained with, if nothing is given.
        """
        from cnndsl.backend.inference import Options, inference_model
        from cnndsl.backend.weights import fit_weights, initial_weights, normalisation, read_weights

        file = Path(weights) if isinstance(weights, str | Path) else None
        if weights is None:
            tensors = initial_weights(self.ir, seed)
        elif isinstance(weights, dict):
            tensors = fit_weights(weights, self.ir, "the given weights")
        else:
            tensors = read_weights(Path(weights), self.ir)
        options = Options(opset, batch, fold, uint8, *normalisation(file, mean, std))
        options.check(self.ir)
        return inference_model(self.ir, tensors, options)


def load(path: str | Path, **settings: float) -> Model:
    """The model of a spec file; `settings` override its file-level lets.

    Raises Failed (with all diagnostics) where the spec has errors, UserError where it cannot be
    read.
    """
    return _whole(*analyse(read(Path(path)), settings))


def parse(text: str, **settings: float) -> Model:
    """The model of a spec given as text; raises as `load`."""
    return _whole(*analyse(Source(text), settings))


def _whole(model: ir.Model | None, found: list[Diagnostic]) -> Model:
    if model is None:
        raise Failed(found)
    return Model(model)


def check(text: str) -> Findings:
    """All errors of a spec given as text, or else its warnings; raises nothing for any text."""
    return Findings(inspect(Source(text))[1])


def train(
    model: Model,
    data: str | None = None,
    *,
    out: str | Path | None = None,
    data_dir: str | Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    callbacks: "Sequence[Callback]" = (),
    progress: str = "auto",
    **recipe: Any,
) -> History:
    """Train on a data set and return a row an epoch: loss, accuracy, val_loss, val_accuracy …

    `recipe` overrides the spec's, in its words: `epochs=5`, `optimizer="sgd lr=0.1"`; an optimizer,
    loss or schedule may be an object, too. The run folder is `out`, or the next free `runs/trainN`.
    Raises UserError where model and data do not fit or the loss stops being a number.
    """
    from cnndsl.data.registry import located
    from cnndsl.recipe import Recipe
    from cnndsl.training import run
    from cnndsl.training.folder import next_free
    from cnndsl.training.settings import Settings

    changes = {"data": data} | recipe if data else recipe
    chosen = _overridden(model.ir.recipe or Recipe(), changes)
    settings = Settings(Path(out) if out else next_free(), device, threads, progress=progress)
    folder = Path(data_dir) if data_dir else None
    chosen = replace(chosen, data=chosen.data and located(chosen.data))
    said = {
        "file": f"{model.name}.cnn",
        "set": [f"{name}={str(value).lower()}" for name, value in model.ir.settings.items()],
        "data": chosen.data,
        "data_dir": str(folder.resolve()) if folder else None,
        "recipe": chosen.written(),
        "device": device,
        "threads": threads,
    }
    trainer = run.start(model.ir, chosen, settings, folder, arguments=said, callbacks=callbacks)
    return History(trainer.fit())


def _overridden(recipe: "Recipe", changes: dict[str, Any]) -> "Recipe":
    """The recipe with changes: objects as they are, texts and numbers read as a spec's are."""
    known = [f.name for f in fields(recipe) if f.compare]
    strange = sorted(changes.keys() - set(known))
    if strange:
        raise UserError(f"a recipe has no {', '.join(strange)}; it has {', '.join(known)}")
    said = {k: v for k, v in changes.items() if isinstance(v, str | int | float) and k != "data"}
    section = "; ".join(f"{name} {value}" for name, value in said.items())
    read = recipe_of(section, "cnndsl.train")
    return replace(recipe, **changes | {name: getattr(read, name) for name in said})
