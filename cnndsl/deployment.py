"""Compiled models in Python: `to_int8`, `to_float16`, `heat_maps`, `bench`."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cnndsl.argument_types import as_flag, as_number, as_whole
from cnndsl.report.html import History
from cnndsl.run_arguments import (
    compiled_model,
    data_or_arrays,
    model_file,
    path_or_none,
    patterns,
    thread_count,
)
from cnndsl.source import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnx import ModelProto
    from PIL.Image import Image

    from cnndsl.quantize.float16 import Float16
    from cnndsl.quantize.int8 import Int8
    from cnndsl.run_arguments import Data
    from cnndsl.training.bench_models import Timing

_BEST = Path("weights/best.onnx")  # of a run folder


def to_int8(
    model: "str | Path | History | ModelProto",
    data: "Data | None" = None,
    *,
    calibrate: int = 512,
    max_drop: float = 1.0,
    keep_float: str | Sequence[str] = (),
    reduce_range: bool = False,
    data_dir: str | Path | None = None,
    mean: "float | Sequence[float] | None" = None,
    std: "float | Sequence[float] | None" = None,
    preprocess: str | None = None,
    progress: str = "auto",
) -> "Int8":
    """The model in eight bits, with what that costs and wins: `.proof`, `.model`, `.save(path)`.

    `model` is a run folder, an ONNX file or what `Model.to_onnx` gives; `data` are as of `train`,
    by default those of the run. `calibrate` training images tell the ranges of activations; of six
    ways the best on validation images is taken, and measured on test images. Layers that the
    patterns `keep_float` name stay float32; with `reduce_range` weights have seven bits, for CPUs
    without VNNI. `mean`, `std` and `preprocess` are as of `predict`. A line on stderr tells of each
    way; with `progress="none"` nothing is told.

    UserError where more than `max_drop` points of the task's metric (of an error, percent) are
    lost; it names the layers that lose most. Also where there are too few images, and for a model
    that is not a float32 model.
    """
    from cnndsl.data.progress import teller
    from cnndsl.quantize import int8
    from cnndsl.training.int8 import Wanted, onnx_images, run_images

    say = teller(progress)
    graph, name = _float_model(model, mean, std, preprocess)
    folder = path_or_none("data_dir", data_dir)
    wanted = Wanted(data_or_arrays(data), folder, as_whole("calibrate", calibrate), progress)
    options = int8.Int8Options(
        as_number("max_drop", max_drop, 0), tuple(patterns("keep_float", keep_float)),
        as_flag("reduce_range", reduce_range),
    )  # fmt: skip
    run = _run(model)
    images = onnx_images(graph, wanted) if run is None else run_images(run, graph, wanted)
    made = int8.to_int8(graph, name, images, options, say)
    if made.advice is None:
        return made
    told = made.advice.told(lambda paths: f"keep_float={[*paths]}", "a larger max_drop")
    lost = f"{made.proof.loss}, more than max_drop={options.max_drop:g}"
    raise UserError("\n  ".join([lost, *told]))


def to_float16(
    model: "str | Path | History | ModelProto", *, keep_float: str | Sequence[str] = ()
) -> "Float16":
    """The model in float16 between float32 inputs and outputs: `.proof`, `.model`, `.save(path)`.

    For GPUs and phones: a CPU is slower with it. `model` and `keep_float` are as of `to_int8`.
    UserError where outputs are more than 1e-2 of the largest off, where float16 cannot hold an
    activation, and for a model that is not a float32 model.
    """
    from cnndsl.quantize import float16

    graph, name = _float_model(model)
    made = float16.to_float16(graph, name, patterns("keep_float", keep_float))
    if made.proof.problem:
        raise UserError(f"float16: {made.proof.problem}")
    return made


def heat_maps(
    model: "str | Path | ModelProto",
    pictures: "str | Path | Image | NDArray[np.generic] | Sequence[Any]",
    *,
    device: str = "auto",
    threads: int | None = None,
    mean: "float | Sequence[float] | None" = None,
    std: "float | Sequence[float] | None" = None,
    layout: str | None = None,
    output: str | None = None,
    preprocess: str | None = None,
) -> "list[NDArray[np.float32]]":
    """What of each picture the model's answer rests on: H×W in 0…1, as large as its input.

    By the gradients of a model of ours (Grad-CAM, Selvaraju et al., arXiv:1610.02391), of others by
    covering parts of the picture. Arguments are as of `predict`. UserError where an answer has no
    place in the picture: for vectors and masks.
    """
    from cnndsl.runtime.predict import Reading, open_predictor
    from cnndsl.why.explainer import open_explainer

    opened = compiled_model(model)
    reading = Reading(mean, std, layout, output, preprocess)
    predictor = open_predictor(opened, device, thread_count(threads), reading)
    explainer = open_explainer(opened, predictor, device)
    return [heat for batch in predictor.batches(pictures) for heat in explainer.heat(batch)]


def bench(
    models: str | Path | Sequence[str | Path],
    data: "Data | None" = None,
    *,
    batch: int | Sequence[int] | None = None,
    threads: int | Sequence[int] | None = None,
    device: str = "auto",
    steps: int = 20,
    data_dir: str | Path | None = None,
    preprocess: str | None = None,
) -> "list[Timing]":
    """Times of ONNX files side by side: one for each file, batch size and number of threads.

    Each has `median_ms` and `p95_ms` of a batch, `images_per_s`, `bytes` of the file and, where
    `data` are given, `score`: the first `metric` of its task. The models take turns, `steps` runs
    each, twice. UserError for a model that cannot be run, a batch that it does not take, and data
    of other classes.
    """
    from cnndsl.training.bench_models import Case, bench_models

    files = [model_file(each) for each in _each(models)]
    batches, counts = (_counts(n, given) for n, given in (("batch", batch), ("threads", threads)))
    return bench_models(
        [Case(*way) for way in product(files, batches, counts)], device,
        as_whole("steps", steps, 3), data_or_arrays(data), path_or_none("data_dir", data_dir),
        preprocess,
    )  # fmt: skip


def _run(model: Any) -> Path | None:
    """The run folder, if it is one."""
    path = model.folder if isinstance(model, History) else model
    is_run = isinstance(path, str | Path) and (Path(path) / _BEST).is_file()
    return Path(path) if is_run else None


def _float_model(
    model: Any, mean: Any = None, std: Any = None, preprocess: str | None = None
) -> "tuple[ModelProto, str]":
    """A float32 model to make smaller, of a run its best one, and the name of its file."""
    from cnndsl.quantize.graph import refuse_smaller, told_preprocessing
    from cnndsl.runtime.foreign import checked, load_checked
    from cnndsl.runtime.predict import Reading

    run = _run(model)
    opened = compiled_model(model if run is None else run / _BEST)
    is_file = isinstance(opened, Path)
    name = str(opened) if is_file else "the model"
    graph = load_checked(opened) if is_file else checked(opened)
    refuse_smaller(graph, name)
    return told_preprocessing(graph, name, Reading(mean, std, preprocess=preprocess)), name


def _each(models: Any) -> list[Any]:
    several = isinstance(models, list | tuple)
    if several and not models:
        raise UserError("models: none are given")
    return list(cast("Sequence[Any]", models)) if several else [models]


def _counts(name: str, given: Any) -> "list[int | None]":
    """Whole numbers, one or several; None, alone, where nothing is said."""
    if given is None:
        return [None]
    if not isinstance(given, list | tuple):
        return [as_whole(name, given, 1)]
    return [as_whole(name, each, 1) for each in cast("Sequence[Any]", given)] or [None]
