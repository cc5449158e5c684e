"""cnndsl in Python: `load`, `check`, `Model`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cnndsl import ir
from cnndsl.passes.analyse import analyse
from cnndsl.passes.includes import read
from cnndsl.report.summary import Summary, summarise
from cnndsl.shapes import Shape
from cnndsl.source import Diagnostic, Failed, Source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnx import ModelProto


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
        mean: tuple[float, ...] = (0.0,),
        std: tuple[float, ...] = (1.0,),
    ) -> "ModelProto":
        """The inference graph (see `cnndsl compile --help`); UserError for weights that do not fit.

        `weights` is a dict of arrays, a safetensors file, or None for fresh ones from `seed`.
        """
        from cnndsl.backend.inference import Options, inference_model
        from cnndsl.backend.weights import fit_weights, initial_weights, read_weights

        if weights is None:
            tensors = initial_weights(self.ir, seed)
        elif isinstance(weights, dict):
            tensors = fit_weights(weights, self.ir, "the given weights")
        else:
            tensors = read_weights(Path(weights), self.ir)
        options = Options(opset, batch, fold, uint8, mean, std)
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


def check(text: str) -> list[Diagnostic]:
    """All diagnostics of a spec given as text; raises nothing, whatever the text."""
    return analyse(Source(text))[1]
