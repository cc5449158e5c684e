"""Data of the user: a table of image files with their targets."""

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import isfinite
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from cnndsl.data.dataset import Parts, Split, Targets, repeated
from cnndsl.data.folders import part_of
from cnndsl.data.formats.base import Format, Request, check_image_size, decoded_images
from cnndsl.source import UserError, counted, listed, printable

_FILES = ("file", "filename", "file_name", "path", "image", "image_path", "filepath", "image_id")
_SPLITS = ("split", "subset", "set", "part")
_UNIT = re.compile(r"\s*\[([^\]]+)\]$")  # `length [mm]`
_COMMA = re.compile(r"[-+]?\d+(,\d+)?$")  # a number as some spreadsheets write it, or two labels
_LARGEST_CELL = 100_000
_TOLD = 10  # rows that are named


@dataclass(frozen=True)
class Table:
    """Columns of text, and the line of the file that each row starts at.

    `wrong` gathers the first fault of each row, from all checks, so that they are told at once.
    """

    path: Path
    columns: Mapping[str, Sequence[str]]
    lines: Sequence[int]
    wrong: dict[int, str] = field(default_factory=dict[int, str])

    def note(self, faults: Mapping[int, str]) -> None:
        """Rows that are wrong, by their numbers."""
        for row, what in faults.items():
            self.wrong.setdefault(row, what)

    def refuse_wrong(self) -> None:
        """UserError that names wrong rows by their lines, the first of many."""
        if not self.wrong:
            return
        count, bad = len(self.wrong), sorted(self.wrong.items())
        told = [f"  line {self.lines[row]}: {what}" for row, what in bad[:_TOLD]]
        more = [f"  and {count - _TOLD:,} more"] if count > _TOLD else []
        rows = f"{count:,} of {len(self.lines):,} rows are wrong" if count > 1 else "a row is wrong"
        raise UserError("\n".join([f"{self.path}: {rows}", *told, *more]))


@dataclass(frozen=True)
class Column:
    """Targets of all rows, with the task that they are for where it is clear."""

    y: Targets
    names: tuple[str, ...]
    task: str | None = None
    units: tuple[str, ...] = ()


class CsvManifest(Format):
    """A column `file`, and columns of targets: a class, several labels in a cell, 0 and 1, numbers.

    A column with a unit, `length [mm]`, has numbers. Paths are relative to the table. A column
    `split` tells train, val and test apart.
    """

    shown = "a .csv table of files"

    def opens(self, path: Path) -> bool:
        """By its ending."""
        return path.suffix.lower() in (".csv", ".tsv")

    def load(self, request: Request) -> Parts:
        """The table with all its rows checked; images are read on demand."""
        check_image_size(request)
        table = _read(request.path)
        files, split = _column(table, _FILES), _column(table, _SPLITS)
        if files is None:
            have = listed(list(table.columns))
            raise UserError(f"{request.path} has columns {have}; it needs one called `file`")
        others = [name for name in table.columns if name not in (files, split)]
        paths = _paths(table, files, request)
        targets = _targets(table, others)
        rows = _rows(table, split)
        table.refuse_wrong()
        read = {part: partial(_images, part, paths, targets.y, at, request)
                for part, at in rows.items()}  # fmt: skip
        column = others[0] if len(others) == 1 else "number"
        return Parts(
            request.path.name, targets.names, read, targets.task, targets.units, column=column,
            of_files=True,
        )  # fmt: skip


def _images(
    part: str, paths: Sequence[Path], y: Targets, rows: NDArray[np.intp],
    request: Request,
) -> Split:  # fmt: skip
    files = [paths[int(row)] for row in rows]
    read = decoded_images(files, part, request)
    return Split(read.pixels, y[rows][read.kept], read.changes)


# The table


def _read(path: Path) -> Table:
    """UserError where it is not UTF-8 text with a row of heads, or rows differ in length."""
    start = 1
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            head = file.readline()
            file.seek(0)
            csv.field_size_limit(_LARGEST_CELL)
            rows = csv.reader(file, delimiter=max(",;\t", key=head.count), strict=True)
            heads = [name.strip() for name in next(rows, list[str]())]
            lines, cells, start = list[int](), list[list[str]](), rows.line_num + 1
            for row in rows:
                if row:
                    lines.append(start)
                    cells.append(row)
                start = rows.line_num + 1
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text: save it as UTF-8 ({error.reason})") from None
    except csv.Error as error:
        told = f"line {start} is not a row of a table: {error}"
        raise UserError(f"{path}: {told}\n  is a quote left open?") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
    return _checked(path, heads, lines, cells)


def _checked(path: Path, heads: list[str], lines: list[int], cells: list[list[str]]) -> Table:
    twice = repeated(heads)
    if twice is not None:
        raise UserError(f"{path}: two columns are called `{twice}`")
    if not cells:
        raise UserError(f"{path} has no rows below its heads")
    bad = {i: f"{counted(len(row), 'cell')} for {counted(len(heads), 'column')}"
           for i, row in enumerate(cells) if len(row) != len(heads)}  # fmt: skip
    for row in bad:
        cells[row] = [*cells[row], *[""] * len(heads)][: len(heads)]
    columns = zip(*cells, strict=True)
    stripped = {name: [cell.strip() for cell in column]
                for name, column in zip(heads, columns, strict=True)}  # fmt: skip
    return Table(path, stripped, lines, bad)


def _column(table: Table, words: Sequence[str]) -> str | None:
    """The name of the column that is called by one of these words."""
    return next((name for word in words for name in table.columns if name.lower() == word), None)


def _paths(table: Table, column: str, request: Request) -> list[Path]:
    """The files, relative to the table, or to `--data-dir`; those that are none are noted."""
    top = request.folder or table.path.parent
    paths = [top / cell for cell in table.columns[column]]
    known = {path: path.is_file() for path in dict.fromkeys(paths)}
    bad = {i: f"there is no file `{printable(str(path))}`" if table.columns[column][i] else
           "names no file" for i, path in enumerate(paths) if not known[path]}  # fmt: skip
    table.note(bad)
    return paths


def _rows(table: Table, split: str | None) -> dict[str, NDArray[np.intp]]:
    """Numbers of the rows of each part."""
    if split is None:
        return {"train": np.arange(len(table.lines))}
    parts = [part_of(cell) for cell in table.columns[split]]
    bad = {i: f"`{table.columns[split][i]}` is neither train, val nor test"
           for i, part in enumerate(parts) if not part}  # fmt: skip
    table.note(bad)
    found = np.array(parts)
    return {
        part: np.flatnonzero(found == part) for part in ("train", "val", "test") if part in parts
    }


# Targets


def _targets(table: Table, columns: Sequence[str]) -> Column:
    """Those of all columns but the file's; rows that are unlike the others are noted."""
    if not columns:
        raise UserError(f"{table.path} has no column of targets beside the files")
    empty = {i: f"`{name}` is empty" for name in columns
             for i, cell in enumerate(table.columns[name]) if not cell}  # fmt: skip
    named = [_with_unit(name) for name in columns]
    if any(unit for _, unit in named):
        names, units = zip(*named, strict=True)
        return Column(_amounts(table, columns), names, "regression", units)
    if len(columns) == 1:
        return _single(table, columns[0], empty)
    table.note(empty)
    y = np.stack([_numbers(table, name) for name in columns], 1)
    flags = bool(((y == 0) | (y == 1)).all())
    return Column(y.astype(np.uint8 if flags else np.float32), tuple(columns))


def _with_unit(head: str) -> tuple[str, str]:
    """`length [mm]` as name and unit, which is empty where none is told."""
    unit = _UNIT.search(head)
    return (head[: unit.start()], unit[1].strip()) if unit and unit.start() else (head, "")


def _amounts(table: Table, columns: Sequence[str]) -> NDArray[np.float32]:
    """N×K numbers."""
    return np.stack([_numbers(table, name) for name in columns], 1).astype(np.float32)


def _single(table: Table, name: str, empty: Mapping[int, str]) -> Column:
    """One column: numbers with a fraction, several labels in a cell, or classes."""
    cells = table.columns[name]
    numbers = [_number(cell) for cell in cells]
    are_numbers = sum(n is not None for n in numbers) > len(cells) // 2
    if are_numbers and any(n is not None and n != round(n) for n in numbers if n == n):
        table.note(empty)
        return Column(_numbers(table, name).astype(np.float32), (name,))
    separator = next((sign for sign in "|;," if any(sign in cell for cell in cells)), " ")
    plural = name.lower() in ("labels", "tags", "classes")
    if not plural and separator == "," and all(_COMMA.match(cell) for cell in cells if cell):
        _refuse_commas(table, name)
    if plural or (not are_numbers and separator != " "):
        return _several([[w.strip() for w in c.split(separator) if w.strip()] for c in cells])
    table.note(empty)
    if are_numbers:
        _numbers(table, name)  # a word among class numbers is a slip
    key: Callable[[str], float | str] = (lambda w: _number(w) or 0.0) if are_numbers else str
    names = sorted(set(cells), key=key)
    places = {word: i for i, word in enumerate(names)}
    return Column(np.array([places[cell] for cell in cells], np.int64), tuple(names))


def _refuse_commas(table: Table, name: str) -> NoReturn:
    cell = next(cell for cell in table.columns[name] if "," in cell)
    raise UserError(
        f"{table.path}: `{name}` is `{cell}`: a number with a comma, or two labels\n"
        f"  write numbers with a point, as {cell.replace(',', '.')}; labels are told by a head "
        "`labels`"
    )


def _several(rows: Sequence[Sequence[str]]) -> Column:
    names = sorted({word for row in rows for word in row})
    places = {word: i for i, word in enumerate(names)}
    y = np.zeros((len(rows), len(names)), np.uint8)
    for i, row in enumerate(rows):
        y[i, [places[word] for word in row]] = 1
    return Column(y, tuple(names), "multilabel")


def _numbers(table: Table, name: str) -> NDArray[np.float64]:
    """A column of numbers; cells that are none are noted."""
    cells = table.columns[name]
    numbers = [_number(cell) for cell in cells]
    bad = {i: f"`{name}` is `{printable(cells[i][:40])}`, and no finite number{_way(cells[i])}"
           for i, n in enumerate(numbers) if n is None or not isfinite(n)}  # fmt: skip
    table.note(bad)
    return np.array(numbers, np.float64)  # none is NaN


def _way(cell: str) -> str:
    return ": write it with a point" if "," in cell and _COMMA.match(cell) else ""


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
