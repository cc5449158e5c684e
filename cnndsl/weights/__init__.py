"""Weights: fresh, or of a file. One file a format; a format added here is found by itself."""

from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from cnndsl.files import refuse_run_folder
from cnndsl.source import UserError
from cnndsl.weights.base import RawWeights, WeightsFormat, registry
from cnndsl.weights.folders import refuse_folder


@cache
def formats() -> tuple[WeightsFormat, ...]:
    """Every format of weights files, in the order of its file's name."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    return tuple(registry)


def read_raw(path: Path) -> RawWeights:
    """What a weights file holds, as it is; UserError where no format reads it.

    The content decides before the extension: a renamed file is read as what it is.
    """
    refuse_run_folder(path, "weights/best.safetensors")
    refuse_folder(path)
    try:
        path.open("rb").close()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
    return _format_of(path).read(path)


def _format_of(path: Path) -> WeightsFormat:
    for file_format in formats():
        if file_format.recognises(path):
            return file_format
    for file_format in formats():
        if path.suffix.lower() in file_format.extensions:
            return file_format
    known = ", ".join(sorted(end for each in formats() for end in each.extensions))
    raise UserError(f"{path} is not a weights file that cnndsl reads\n  it reads {known}")
