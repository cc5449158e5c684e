"""From `--data NAME` to a data set."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from cnndsl.data.arrays import parts_of
from cnndsl.data.dataset import Dataset, Parts
from cnndsl.data.decoding import USUAL, Reading
from cnndsl.data.formats import formats, listed, names
from cnndsl.data.formats.base import Format, Request
from cnndsl.data.splits import for_training
from cnndsl.fields import nearest
from cnndsl.files import is_run_folder
from cnndsl.source import UserError

ARRAYS = "arrays"
"""The name of data that are arrays in Python."""


def located(name: str) -> str:
    """The name of a data set as it is, a path as a whole path."""
    return name if name in names() or not Path(name).exists() else str(Path(name).resolve())


def open_dataset(
    name: str,
    size: tuple[int, ...],
    folder: Path | None = None,
    reading: Reading = USUAL,
    arranged: Callable[[Parts], Dataset] = for_training,
) -> Dataset:
    """A known data set by name, a file, a folder, or `ARRAYS`, with images of the model's size.

    `arranged` makes the data set of its parts: `for_training` or `for_measuring`.
    """
    if reading.arrays is not None:
        parts = parts_of(reading.arrays, ARRAYS, "data", size)
    elif name == ARRAYS and not Path(name).exists():
        raise UserError("the run is of arrays in Python: give them again, `data=(x, y)`")
    else:
        parts = _format(Path(name)).load(Request(Path(name), size, folder, reading))
    info = reading.info if parts.of_files else replace(reading.info, crop=None)
    return replace(_sized(arranged(parts), size), info=info)


_TABLES = (".csv", ".npz")
_PACKED = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")


def _format(path: Path) -> Format:
    found = next((each for each in formats() if each.opens(path)), None)
    return found or _refuse(path)


def _refuse(path: Path) -> Format:
    if is_run_folder(path):
        raise UserError(f"{path} is a run folder, which holds no data\n  data are {listed()}")
    if path.exists():
        is_packed = path.suffix.lower() in _PACKED
        hint = "unpack it and name its folder" if is_packed else f"data are {listed()}"
        raise UserError(f"{path} is not a data set\n  {hint}")
    is_path = path.name != str(path)
    close = nearest(str(path), {*_beside(path), *(() if is_path else names())})
    meant = f"did you mean `{close}`?" if close else ""
    if is_path:
        told = f"there is no file or folder `{path}` in {Path.cwd()}"
        raise UserError(f"{told}\n  {meant}" if meant else told)
    raise UserError(f"there is no data set `{path}`: {meant or listed()}")


def _beside(path: Path) -> list[str]:
    """What there is in the folder of a path that is none, and may be data."""
    try:
        found = [each for each in path.parent.iterdir() if not each.name.startswith(".")]
    except OSError:
        return []
    return [str(e) for e in found if e.suffix in _TABLES or (e.is_dir() and not is_run_folder(e))]


def _sized(dataset: Dataset, size: tuple[int, ...]) -> Dataset:
    """The data set; UserError where its pictures are not of the model's size."""
    if dataset.train.x.shape[1:] != size:
        have = "x".join(map(str, dataset.train.x.shape[1:]))
        want = "x".join(map(str, size))
        raise UserError(f"{dataset.name} has pictures of {have}, the model takes {want}\n"
                        f"  give such pictures, or write `input {have}` in its spec")  # fmt: skip
    return dataset
