"""The images by which a model becomes int8: of its run, its spec, or of data that are given."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cnndsl.data.decoding import Reading
from cnndsl.data.registry import located, open_dataset
from cnndsl.data.splits import with_validation
from cnndsl.ir import Model
from cnndsl.quantize.images import COUNT, Images, images_of
from cnndsl.recipe import Recipe
from cnndsl.runtime.predict import open_predictor
from cnndsl.source import UserError, either
from cnndsl.tasks import usual
from cnndsl.training.class_names import as_learned, check_compiled, check_count
from cnndsl.training.run import open_any_data, splitting
from cnndsl.training.targets import read_as
from cnndsl.weights.model_info import ModelInfo

if TYPE_CHECKING:
    from onnx import ModelProto


def spec_images(
    model: Model, recipe: Recipe, info: ModelInfo, data_dir: Path | None = None, count: int = COUNT
) -> Images:
    """Of the recipe's data, with the classes and the task that `info` tells of the weights."""
    if recipe.data is None:
        raise _no_data()
    task, reading = info.task or recipe.known_task(), Reading(info=info)
    arranged = partial(with_validation, arranged=splitting(recipe))
    found = read_as(task, open_any_data(model, recipe, data_dir, reading, arranged))
    return images_of(as_learned(model, info.classes, task, found), task, count)


def onnx_images(
    model: "ModelProto", data: str | None, data_dir: Path | None = None, count: int = COUNT
) -> Images:
    """Of data, for a compiled model; it tells its task and its classes, or is a classifier."""
    if data is None:
        raise _no_data()
    predictor = open_predictor(model, "cpu")
    task = predictor.task or usual()
    reading = Reading(info=predictor.info)
    found = open_dataset(located(data), predictor.shape, data_dir, reading, with_validation)
    found = read_as(task, found)
    check_compiled("the model", predictor.classes, task, found)
    if outputs := predictor.output.shape[1]:
        check_count("the model", outputs, task, found)
    return images_of(found, task, count)


def _no_data() -> UserError:
    return UserError(
        "int8 is calibrated on images, and none are given\n  "
        + either("--data NAME, or `train { data NAME }` in the spec", "give `data`")
    )
