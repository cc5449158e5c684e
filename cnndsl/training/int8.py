"""The images by which a model becomes int8: of its run, its spec, or of data that are given."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cnndsl.data.arrays import Arrays
from cnndsl.data.decoding import Reading
from cnndsl.data.registry import ARRAYS, located, open_dataset
from cnndsl.data.splits import with_validation
from cnndsl.ir import Model
from cnndsl.quantize.images import COUNT, FEWEST, Images, images_of
from cnndsl.recipe import Recipe
from cnndsl.runtime.predict import open_predictor
from cnndsl.source import UserError, either, option
from cnndsl.tasks import usual
from cnndsl.training.class_names import as_compiled, as_learned, check_output
from cnndsl.training.opening import open_any_data, splitting
from cnndsl.training.run_config import RunConfig, read_config, read_model
from cnndsl.training.targets import read_as
from cnndsl.weights.model_info import ModelInfo, info_from_onnx, onnx_entries

if TYPE_CHECKING:
    from onnx import ModelProto


@dataclass(frozen=True)
class Wanted:
    """Data by name, path or arrays, None for those of the run or the spec, and how many images to
    calibrate by; `display` is how their reading is told.
    """

    data: str | Arrays | None = None
    data_dir: Path | None = None
    count: int = COUNT
    display: str = "auto"

    def __post_init__(self) -> None:
        if self.count < FEWEST:
            asked = option("calibrate", self.count)
            told = f"{asked}: too few images\n  at least {FEWEST}, some hundred are usual"
            raise UserError(told)

    @property
    def name(self) -> str | None:
        """Of the data."""
        if self.data is None:
            return None
        return located(self.data) if isinstance(self.data, str) else ARRAYS

    @property
    def arrays(self) -> Arrays | None:
        """The data themselves."""
        return None if isinstance(self.data, str) else self.data


def spec_images(model: Model, run: Path | None, info: ModelInfo, wanted: Wanted) -> Images:
    """Of the data that are wanted, or else of the run, or of the spec.

    Classes, task and how images are cut are those of the weights' `info`.
    """
    config = RunConfig() if run is None else read_config(run)
    recipe, data_dir = config.recipe_for(model), wanted.data_dir or config.data_dir
    if wanted.data is not None:
        recipe, data_dir = replace(recipe, data=wanted.name), wanted.data_dir
    if recipe.data is None:
        raise _no_data()
    return _images(model, recipe, info, data_dir, wanted)


def run_images(run: Path, compiled: "ModelProto", wanted: Wanted) -> Images:
    """As `spec_images`, of a run folder and its model, compiled."""
    info = info_from_onnx(onnx_entries(compiled), str(run))
    return spec_images(read_model(run, read_config(run)), run, info, wanted)


def _images(
    model: Model, recipe: Recipe, info: ModelInfo, data_dir: Path | None, wanted: Wanted
) -> Images:  # fmt: skip
    task = info.task or recipe.known_task()
    reading = Reading(display=wanted.display, arrays=wanted.arrays, info=info)
    arranged = partial(with_validation, arranged=splitting(recipe))
    found = read_as(task, open_any_data(model, recipe, data_dir, reading, arranged))
    return images_of(as_learned(model, info.classes, task, found), task, wanted.count)


def onnx_images(model: "ModelProto", wanted: Wanted) -> Images:
    """Of data, for a compiled model; it tells its task and its classes, or is a classifier."""
    if wanted.name is None:
        raise _no_data()
    predictor = open_predictor(model, "cpu")
    task = predictor.task or usual()
    reading = Reading(display=wanted.display, arrays=wanted.arrays, info=predictor.info)
    found = open_dataset(wanted.name, predictor.shape, wanted.data_dir, reading, with_validation)
    found = as_compiled("the model", predictor.classes, task, read_as(task, found))
    check_output("the model", predictor.output.shape[1:], task, found)
    return images_of(found, task, wanted.count)


def _no_data() -> UserError:
    return UserError(
        "int8 is calibrated on images, and none are given\n  "
        + either("--data NAME, or `train { data NAME }` in the spec", "give `data`")
    )
