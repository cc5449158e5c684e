"""HDF5 files of others: only what lies in the file itself, checked before memory is taken."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.source import UserError
from cnndsl.weights.archive import LARGE, LARGEST
from cnndsl.weights.base import Refused

_RATIO = 1000  # of a data set to its bytes in the file, beyond LARGE
_MOST = 100_000  # members of a group

Group = Any
"""`h5py.Group`: h5py has no types."""


@contextmanager
def opened(path: Path, content: bytes | None = None) -> Generator[Group]:
    """The root group of a file, or of a content that an archive holds; UserError without h5py."""
    try:
        h5py = import_module("h5py")
    except ImportError:
        raise UserError(
            f"{path} is read by h5py, which is not installed\n  pip install h5py"
        ) from None
    with h5py.File(BytesIO(content) if content is not None else path, "r") as file:
        yield file


def child(group: Group, name: str) -> Any:
    """A member of a group, or None; Refused where it lies elsewhere than in the group."""
    link = group.get(name, getlink=True)
    if link is None:
        return None
    if type(link).__name__ != "HardLink":
        raise Refused(f"`{name[:80]}`, a link to elsewhere")
    return group[name]


def group_at(group: Group, path: str) -> Group | None:
    """A group below another, each step checked; None where there is none."""
    for step in path.split("/"):
        group = child(group, step) if is_group(group) else None
    return group if is_group(group) else None


def is_group(member: Any) -> bool:
    """Whether it is a group, and no data set."""
    return member is not None and hasattr(member, "keys")


def members(group: Group) -> Iterator[tuple[str, Any]]:
    """The names and members of a group; Refused as `child`."""
    if len(group) > _MOST:
        raise Refused(f"a group of {len(group):,} members")
    return ((name, child(group, name)) for name in group)


def tensor(dataset: Any, room: list[int]) -> NDArray[Any]:
    """The numbers of a data set, whose bytes are taken from `room`; Refused for what is none."""
    if is_group(dataset) or dataset is None or dataset.dtype.kind not in "fiu":
        raise Refused("data that are no numbers")
    if dataset.is_virtual or dataset.external:
        raise Refused(f"`{dataset.name[:80]}`, whose numbers lie in another file")
    stored = dataset.id.get_storage_size()
    if dataset.nbytes > max(LARGE, _RATIO * stored):
        raise Refused(f"`{dataset.name[:80]}` of {dataset.nbytes:,} bytes in {stored:,}")
    room[0] -= dataset.nbytes
    if room[0] < 0:
        raise Refused(f"more than {LARGEST:,} bytes")
    return np.asarray(dataset[()])


def attribute(group: Group, name: str) -> list[str]:
    """The texts of an attribute, also of one cut in parts (`name0`, `name1`); empty without it."""
    keys = [name] if name in group.attrs else []
    while f"{name}{len(keys)}" in group.attrs:
        keys.append(f"{name}{len(keys)}")
    found = list[str]()
    for key in keys:
        found += [_text(value) for value in np.ravel(group.attrs[key]).tolist()]
    return found


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
