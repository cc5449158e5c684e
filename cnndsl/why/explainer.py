"""Which way a compiled model is explained: by its own heat map, by gradients, or from outside."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from cnndsl.backend.artifact import why_model
from cnndsl.backend.inference import Options
from cnndsl.decompile import Decompiled, decompiled
from cnndsl.runtime.foreign import checked, load_checked
from cnndsl.runtime.predict import Predictor, open_predictor
from cnndsl.source import UserError
from cnndsl.weights.model_info import info_from_onnx, onnx_entries
from cnndsl.why.occlusion import Occlusion

if TYPE_CHECKING:
    from onnx import ModelProto

_HEAT = "heat"


class Explainer(Protocol):
    """Gives heat maps."""

    def heat(self, batch: NDArray[np.generic]) -> NDArray[np.float32]:
        """N×H×W in 0…1, for a batch of the model's input."""
        ...


@dataclass(frozen=True)
class HeatOutput:
    """A model that gives the heat map itself."""

    predictor: Predictor
    index: int

    def heat(self, batch: NDArray[np.generic]) -> NDArray[np.float32]:
        """Its output."""
        return self.predictor.run(batch)[self.index]


def open_explainer(
    file: "Path | ModelProto", predictor: Predictor, device: str = "auto"
) -> Explainer:
    """Of a model with an output `heat`, that; of our own ones, Grad-CAM; of others, occlusion.

    UserError where an answer has no place in the image: vectors, masks, images of one place.
    """
    model = load_checked(file) if isinstance(file, Path) else checked(file)
    own = _heat_output(model, predictor)
    if own is not None:
        return own
    if len(predictor.shape) != 3:
        raise UserError("the model takes no images: there is nothing to draw a heat map on")
    if any(size not in (0, 1) for size in predictor.output.shape[2:]):
        raise UserError("a heat map explains one answer an image, and the model gives a map")
    spec = _spec(model)
    if spec is None:
        return Occlusion(predictor)
    info = info_from_onnx(onnx_entries(model), "the model")
    graph = why_model(spec.model, spec.tensors, Options(uint8=predictor.uint8, info=info))
    made = _heat_output(graph, open_predictor(graph, device))
    assert made is not None
    return made


def _heat_output(model: "ModelProto", predictor: Predictor) -> HeatOutput | None:
    names = [output.name for output in model.graph.output]
    return HeatOutput(predictor, names.index(_HEAT)) if _HEAT in names else None


def _spec(model: "ModelProto") -> Decompiled | None:
    """The spec and the weights that a file of ours carries, if these can be read from it."""
    if "cnndsl_source" not in onnx_entries(model):
        return None
    try:
        return decompiled(model)
    except UserError:  # its weights are quantised, or transformed
        return None
