"""Data that processes open together: rank 0 reads, all decode, and each machine has one copy."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TypeVar

from cnndsl.data.dataset import Dataset, Split
from cnndsl.data.decoding import help_decoding
from cnndsl.data.formats import names
from cnndsl.runtime.ranks import Ranks
from cnndsl.source import UserError

T = TypeVar("T")


def opened_together(ranks: Ranks, opened: Callable[[], tuple[T, Dataset]]) -> tuple[T, Dataset]:
    """What rank 0 opens, on all of them; others decode their share of its files meanwhile.

    An error of rank 0 is one of all.
    """
    if ranks.rank:
        help_decoding(ranks)
        return _shared(ranks, None)
    try:
        found = opened()
    except (UserError, OSError, MemoryError) as error:
        ranks.share(error)
        raise
    ranks.share(None)
    return _shared(ranks, found) if ranks.size > 1 else found


def _shared(ranks: Ranks, found: tuple[T, Dataset] | None) -> tuple[T, Dataset]:
    data = found[1] if found else None
    head, like = ranks.share(found and (found[0], _without_rows(found[1])))
    train = _split(ranks, like.train, data and data.train)
    return head, replace(like, train=train, test=_split(ranks, like.test, data and data.test))


def _without_rows(data: Dataset) -> Dataset:
    train, test = (replace(s, x=s.x[:0], y=s.y[:0]) for s in (data.train, data.test))
    return replace(data, train=train, test=test)


def _split(ranks: Ranks, like: Split, split: Split | None) -> Split:
    x, y = (ranks.common(array) for array in ((split.x, split.y) if split else (None, None)))
    return replace(like, x=x, y=y)


def source_digest(name: str) -> str:
    """What tells data of a path from others before they are read: a file's bytes, a folder's files.

    Of a known data set it is the name.
    """
    path = Path(name)
    if name in names():
        return name
    if not path.exists():
        return "none"
    if path.is_file():
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()[:16]
    found = sha256()
    for file in sorted(path.rglob("*")):
        line = f"{file.relative_to(path)} {file.lstat().st_size}\n"
        found.update(line.encode("utf-8", "surrogateescape"))
    return found.hexdigest()[:16]
