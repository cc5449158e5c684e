"""Specs in Python: `load`, `parse`, `check`, `Model`, `from_onnx`, `formatted`."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cnndsl import ir
from cnndsl.argument_types import WrongType, as_flag, as_path, as_whole, optional, shown
from cnndsl.lints import inspect
from cnndsl.passes.analyse import analyse
from cnndsl.passes.includes import normal, read
from cnndsl.recipe import Views
from cnndsl.report.html import Findings, summary_html
from cnndsl.report.summary import Summary, summarise
from cnndsl.setting_values import numbers, views_of
from cnndsl.shapes import Shape
from cnndsl.source import Diagnostic, Failed, Source, UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from onnx import ModelProto

    from cnndsl.weights.fit import ModelWeights


@dataclass(frozen=True, eq=False)
class Model:
    """A checked network. `ir` holds its layers, for those who want to walk them."""

    ir: ir.Model

    def __repr__(self) -> str:
        return f"<cnndsl.Model {self.ir}>"

    @property
    def text(self) -> str:
        """The spec, as it is written."""
        return self.ir.source.text

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

        return diagram(self.ir, optional(as_whole, "depth", depth, 0))

    def _repr_html_(self) -> str:
        picture = f"<details><summary>diagram</summary>{self.diagram()}</details>"
        return summary_html(self.summary()) + picture

    def initial_weights(self, seed: int = 0) -> "dict[str, NDArray[np.float32]]":
        """Fresh tensors by name, as the layers' initialisers draw them."""
        from cnndsl.weights.initial import initial_weights

        return initial_weights(self.ir, as_whole("seed", seed, 0))

    def to_onnx(
        self,
        weights: "Mapping[str, NDArray[np.float32]] | str | Path | None" = None,
        *,
        seed: int = 0,
        opset: int = 17,
        batch: int | None = None,
        fold: bool = True,
        uint8: bool = False,
        mean: "float | Sequence[float] | None" = None,
        std: "float | Sequence[float] | None" = None,
        classes: "Sequence[str] | None" = None,
        preprocess: str | None = None,
        optimize: str | None = None,
        why: bool = False,
        views: "str | Views | None" = None,
    ) -> "ModelProto":
        """The inference graph (see `cnndsl compile --help`); UserError for weights that do not fit.

        `weights` are arrays by name, a file of weights, or None for fresh ones from `seed`.
        `mean`, `std` and the names of `classes` are those of the file, if nothing is given; a
        UserWarning says where they can hardly be meant. `preprocess` names both: `imagenet`.
        `optimize="cpu"` takes faster convolutions where they win, for a fixed `batch`. With `why`
        the outputs are `probabilities` N×C and `heat` N×H×W, what of an image the answer rests on,
        for a fixed batch, one image by default. `views` are those of each image whose outputs are
        averaged, in the words of a spec: `"mirror shift=1"`.
        """
        from cnndsl.backend.artifact import inference_model, why_model
        from cnndsl.backend.inference import Options

        loaded = self._weights(weights, seed, mean, std, classes, preprocess)
        fixed = optional(as_whole, "batch", batch)
        options = Options(
            as_whole("opset", opset), fixed, as_flag("fold", fold), as_flag("uint8", uint8),
            loaded.info, optimize, views=views_of(views, "to_onnx") or Views(),
        )  # fmt: skip
        options.check(self.ir)
        if not as_flag("why", why):
            return inference_model(self.ir, loaded.tensors, options)
        if optimize or not fold or views:
            raise UserError("why=True goes neither with fold=False nor with optimize or views")
        return why_model(self.ir, loaded.tensors, options)

    def _weights(
        self, weights: Any, seed: int, mean: Any, std: Any, classes: Any, preprocess: Any
    ) -> "ModelWeights":
        """Tensors and what is known of them; what can hardly be meant is a UserWarning."""
        from cnndsl.weights.fit import ModelWeights, as_weights, read_weights, told
        from cnndsl.weights.model_info import ModelInfo
        from cnndsl.weights.preprocess import prepared

        if weights is None:
            loaded = ModelWeights(self.initial_weights(seed), ModelInfo())
        elif isinstance(weights, str | Path):
            loaded = told(read_weights(Path(weights), self.ir))
        elif isinstance(weights, Mapping):
            arrays = cast("Mapping[str, Any]", weights)
            loaded = ModelWeights(as_weights(arrays, self.ir), ModelInfo())
        else:
            raise WrongType(f"weights: a file, or arrays by name, not {shown(weights)}")
        info = prepared(loaded.info, preprocess).updated(mean, std, classes)
        for doubt in info.doubts():
            warnings.warn(doubt, stacklevel=3)
        return replace(loaded, info=info)

    def save_page(
        self,
        folder: str | Path,
        weights: "Mapping[str, NDArray[np.float32]] | str | Path | None" = None,
        *,
        train: bool = False,
        runtime: str | Path | None = None,
        batch: int | None = None,
        seed: int = 0,
        mean: "float | Sequence[float] | None" = None,
        std: "float | Sequence[float] | None" = None,
        classes: "Sequence[str] | None" = None,
        preprocess: str | None = None,
    ) -> None:
        """Write a page that runs the model in a browser (see `cnndsl compile --web`).

        With `train` it learns there from pictures of one's own, `batch` at once: the last layer of
        a model with `weights`, the whole of one without. `runtime` is where onnxruntime-web is: an
        address, by default a CDN's, or a folder that is copied. The rest is as of `to_onnx`.
        UserError for a task that has no page, and where the folder holds other things.
        """
        from cnndsl.web.build import whole_page

        if batch is not None and not train:
            raise UserError("batch: a page that does not train takes one picture at a time")
        loaded = self._weights(weights, seed, mean, std, classes, preprocess)
        page = whole_page(
            self.ir, loaded, runtime and str(runtime), pretrained=weights is not None,
            train=as_flag("train", train), batch=optional(as_whole, "batch", batch, 1),
        )  # fmt: skip
        page.write(as_path("folder", folder))

    def save(self, path: str | Path, **options: Any) -> None:
        """Write the spec to a `.cnn` file, or the inference graph to an `.onnx` file.

        A spec is written with the files that it uses, beside it. `options` are those of `to_onnx`,
        `weights` above all. UserError for another ending and where a file cannot be written.
        """
        from cnndsl.files import write_below, write_whole

        target = as_path("path", path)
        if target.suffix == ".cnn" and not options:
            write_below(target.parent, self.ir.used)
            write_whole(target, self.text.encode())
        elif target.suffix == ".onnx":
            write_whole(target, self.to_onnx(**options).SerializeToString(deterministic=True))
        elif options:
            raise UserError(f"{target}: {', '.join(options)} are for an .onnx file")
        else:
            raise UserError(f"{target} is written as .cnn (the spec) or .onnx (the graph)")


def load(path: str | Path, /, **settings: float) -> Model:
    """The model of a spec file; `settings` override its file-level lets.

    Raises Failed (with all diagnostics) where the spec has errors, UserError where it cannot be
    read.
    """
    file = as_path("cnndsl.load", path)
    if "\n" in str(path):
        raise UserError("cnndsl.load takes the path of a file\n  cnndsl.parse takes a spec's text")
    return _whole(*analyse(read(file), numbers(settings)))


def parse(text: str, /, **settings: float) -> Model:
    """The model of a spec given as text; raises as `load`."""
    return _whole(*analyse(_source(text), numbers(settings)))


def check(spec: str | Path, /, **settings: float) -> Findings:
    """All errors of a spec, or else its warnings; raises nothing for any text of one.

    A Path is a file, which may use others; UserError where it cannot be read, and for the text of a
    path, which is not a spec.
    """
    source = read(spec) if isinstance(spec, Path) else _source(spec)
    return Findings(inspect(source, numbers(settings))[1])


def _source(text: str) -> Source:
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise WrongType(f"the text of a spec is a str, not {type(text).__name__}")
    if text.endswith(".cnn") and "\n" not in text:
        raise UserError(f"{text!r} is a path, and no text of a spec\n"
                        f"  cnndsl.load({text!r}), or cnndsl.check(Path({text!r}))")  # fmt: skip
    return Source(normal(text.removeprefix("\ufeff")))


def _whole(model: ir.Model | None, found: list[Diagnostic]) -> Model:
    if model is None:
        raise Failed(found)
    return Model(model)


def from_onnx(
    model: "str | Path | ModelProto", /
) -> "tuple[Model, dict[str, NDArray[np.float32]]]":
    """The spec of an ONNX classifier and its tensors by their names there: `to_onnx` turned round.

    UserError names an operator that the language has no word for.
    """
    from cnndsl.decompile import decompiled
    from cnndsl.runtime.foreign import checked, load_checked

    proto = load_checked(Path(model)) if isinstance(model, str | Path) else checked(model)
    found = decompiled(proto)
    return Model(found.model), dict(found.tensors)


def formatted(text: str, /) -> str:
    """A spec in the one layout, as `cnndsl fmt` writes it; Failed where it does not parse."""
    from cnndsl.fmt.render import formatted

    return formatted(_source(text))
