"""Arguments of the functions that train and measure, checked: runs, models, data, callbacks."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cnndsl.argument_types import WrongType, as_path, as_text, as_whole, optional, shown
from cnndsl.report.html import History

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

    from cnndsl.training.callbacks import Callback

    Array = NDArray[Any]
    Data = str | Path | Sequence[Any] | Mapping[str, Any]


def keywords(function: Any) -> Collection[str]:
    """The keyword arguments of a function that takes settings besides."""
    return function.__kwdefaults__


def run_folder(run: object) -> Path:
    """The folder of a run, also of its history."""
    return run.folder if isinstance(run, History) else as_path("run", run)


def thread_count(given: object) -> int | None:
    """How many threads; None for as many as there are cores."""
    return optional(as_whole, "threads", given, 1)


def patterns(name: str, given: Any) -> list[str]:
    """Patterns of paths, one or several."""
    if isinstance(given, str):
        return [given]
    if isinstance(given, list | tuple):
        return [as_text(name, each) for each in cast("Sequence[Any]", given)]
    raise WrongType(f"{name}: patterns of paths, not {shown(given)}")


def hooks(callbacks: Any) -> "Sequence[Callback]":
    """Callbacks, one or several; WrongType for what is none."""
    from cnndsl.training.callbacks import Callback

    several = isinstance(callbacks, list | tuple)
    found = list(cast("Sequence[Any]", callbacks)) if several else [callbacks]
    for hook in found:
        if not isinstance(hook, Callback):
            hint = "; write an object, Name()" if isinstance(hook, type) else ""
            raise WrongType(f"callbacks: objects of cnndsl.Callback, not {shown(hook)}{hint}")
    return found


def named_data(data: Any) -> "tuple[str | None, Mapping[str, Array] | None]":
    """The name of data, and the arrays where they are such."""
    if data is None or isinstance(data, str | Path):
        return str(data) if data else None, None
    from cnndsl.data.arrays import in_python
    from cnndsl.data.registry import ARRAYS

    if not isinstance(data, list | tuple | Mapping):
        raise WrongType(f"data: a name, a path, or arrays (x, y), not {shown(data)}")
    return ARRAYS, in_python(data)


def data_or_arrays(data: Any) -> "str | Mapping[str, Array] | None":
    """The name of data, or the arrays themselves."""
    name, arrays = named_data(data)
    return name if arrays is None else arrays


def compiled_model(model: Any) -> "Path | ModelProto":
    """An ONNX file as a path, a model in memory as it is.

    UserError for a path of something else; also for a run, whose best model it names.
    """
    path = model.folder if isinstance(model, History) else model
    return model_file(path) if isinstance(path, str | Path) else path


def model_file(path: object) -> Path:
    """An ONNX file; UserError, with the way on, for a path of something else."""
    from cnndsl.runtime.image_files import refuse_other_kinds

    file = as_path("models", path)
    refuse_other_kinds(file)
    return file


def path_or_none(name: str, given: object) -> Path | None:
    """A path, or None."""
    return optional(as_path, name, given)
