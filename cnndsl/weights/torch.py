"""Checkpoints of PyTorch: `.pth`, `.pt`, `.bin`, in the zip container or the streams before 1.6.

Source: https://docs.pytorch.org/docs/stable/notes/serialization.html.
"""

from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar, cast
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from cnndsl.source import UserError
from cnndsl.weights.archive import checked_archive, names_of
from cnndsl.weights.base import RawWeights, Refused, WeightsFormat, first_bytes, one_line
from cnndsl.weights.opcodes import LARGEST_PICKLE
from cnndsl.weights.unpickle import (
    ElementType,
    Storage,
    array,
    no_storage,
    unpickled,
)

_MAGIC = 0x1950A86A20F9469CFC6C
_MAGIC_BYTES = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # as pickled
_SAVE = "torch.save(model.state_dict(), FILE)"
_NESTS = ("state_dict", "model_state_dict", "model", "module", "net", "network", "weights")
_MEANS = ("state_dict_ema", "ema_state_dict", "model_ema", "ema")
_DEPTH = 3  # of dictionaries around the tensors
_MOST = 100_000  # tensors


class Torch(WeightsFormat):
    """The tensors of `torch.save`; no torch is needed, and nothing in the file is executed."""

    extensions: ClassVar[tuple[str, ...]] = (".pth", ".pt", ".bin")

    def recognises(self, path: Path) -> bool:
        """A zip with a `data.pkl`, or a stream with PyTorch's magic number."""
        if _MAGIC_BYTES in first_bytes(path, 32):
            return True
        return any(name.endswith("/data.pkl") for name in names_of(path))

    def read(self, path: Path) -> RawWeights:
        """The tensors in the order of their dictionary; UserError for what is not plain data."""
        try:
            content = _content(path)
        except UserError:
            raise
        except Refused as refused:
            raise UserError(
                f"{path} holds {refused}, which is not read, and nothing of it was run\n"
                f"  in PyTorch, store the tensors alone: {_SAVE}"
            ) from None
        except Exception as error:  # what is damaged raises a dozen unrelated types
            raise UserError(
                f"{path}: cannot be read as a checkpoint of PyTorch: {one_line(error)}\n"
                "  take another copy of the file"
            ) from None
        name, sets = _chosen(content, path)
        return RawWeights(_without_prefix(sets[name]), notes=_notes(name, sets))


def _content(path: Path) -> Any:
    if first_bytes(path, 4) == b"PK\x03\x04":
        with checked_archive(path) as archive:
            return _from_zip(archive)
    if b"ustar" in first_bytes(path, 512)[257:262]:
        raise Refused("a tar archive, as PyTorch wrote before 0.2")
    return _from_stream(path.read_bytes())


def _from_zip(archive: ZipFile) -> Any:
    names = set(archive.namelist())
    pickles = [name for name in names if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise ValueError("it has no data.pkl")
    base = pickles[0].removesuffix("data.pkl")
    if base + "constants.pkl" in names:
        raise Refused("a TorchScript program")
    if base + "byteorder" in names and archive.read(base + "byteorder") != b"little":
        raise Refused("numbers in big-endian order")
    if archive.getinfo(pickles[0]).file_size > LARGEST_PICKLE:
        raise Refused(f"a pickle of more than {LARGEST_PICKLE:,} bytes beside its storages")
    read = dict[str, NDArray[np.uint8]]()

    def storage(pid: Any) -> Storage:
        kind, key, count = _storage_id(pid)
        if key not in read:
            read[key] = np.frombuffer(archive.read(f"{base}data/{key}"), np.uint8)
        return _typed(read[key], kind, count, key)

    return unpickled(BytesIO(archive.read(pickles[0])), storage)


def _storage_id(pid: Any) -> tuple[ElementType, str, int]:
    """Type, key and number of elements of a reference such as ("storage", FloatStorage, "0", …)."""
    if not isinstance(pid, tuple) or len(cast("tuple[Any, ...]", pid)) < 5 or pid[0] != "storage":
        raise Refused("a reference to what is not a storage")
    kind, key, count = cast(Any, pid[1]), cast(Any, pid[2]), cast(Any, pid[4])
    if not isinstance(kind, ElementType) or not isinstance(key, str) or type(count) is not int:
        raise Refused("a storage of an unknown type")
    return kind, key, count


def _typed(data: NDArray[np.uint8], kind: ElementType, count: int, key: str) -> Storage:
    needed = count * kind.dtype.itemsize
    if count < 0 or needed > data.size:
        raise Refused(
            f"the storage {key[:40]} of {needed:,} bytes, of which {data.size:,} are there"
        )
    return Storage(data[:needed].view(kind.dtype), kind.kind)


def _from_stream(data: bytes) -> Any:
    """Pickles in a row: magic number, version, machine, content, keys; then the storages.

    The content refers to storages that follow it: a dry pass sees their types, a second one builds.
    """
    stream = BytesIO(data)
    if unpickled(stream, no_storage) != _MAGIC:
        raise ValueError("it does not start with PyTorch's magic number")
    unpickled(stream, no_storage)
    machine = unpickled(stream, no_storage)
    if not machine.get("little_endian", True):
        raise Refused("numbers in big-endian order")
    start, kinds = stream.tell(), dict[str, ElementType]()

    def seen(pid: Any) -> None:
        kind, key, _ = _storage_id(pid)
        kinds[key] = kind

    def storage(pid: Any) -> Storage:
        kind, key, count = _storage_id(pid)
        return _viewed(_typed(storages[key], kind, count, key), pid[5:])

    unpickled(stream, seen, dry=True)
    keys = unpickled(stream, no_storage)
    storages = dict(_storages(data, stream.tell(), keys, kinds))
    stream.seek(start)
    return unpickled(stream, storage)


def _storages(
    data: bytes, at: int, keys: list[str], kinds: Mapping[str, ElementType]
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Each has the number of its elements, eight bytes, before them."""
    for key in keys:
        count = int.from_bytes(data[at : at + 8], "little")
        size = count * kinds[key].dtype.itemsize
        if at + 8 + size > len(data):
            raise Refused(f"the storage {key[:40]} of {size:,} bytes, beyond the end of the file")
        yield key, np.frombuffer(data, np.uint8, size, at + 8)
        at += 8 + size


def _viewed(storage: Storage, views: tuple[Any, ...]) -> Storage:
    """A part of a storage: ((key, offset, size),) or (None,)."""
    if not views or views[0] is None:
        return storage
    _, offset, size = views[0]
    if not 0 <= offset <= offset + size <= storage.values.size:
        raise Refused("a storage that is a part beyond another")
    return Storage(storage.values[offset : offset + size], storage.kind)


Sets = Mapping[str, dict[str, NDArray[Any]]]


def _chosen(content: Any, path: Path) -> tuple[str, Sets]:
    """The name of the one set of tensors that is meant, and all sets, wherever they stand.

    UserError where there is none, or several that may be meant.
    """
    found = dict(_sets(content, "", _DEPTH))
    plain = {name: tensors for name, tensors in found.items() if _last(name) not in _MEANS}
    chosen = _preferred(plain or found)
    if not found:
        raise UserError(f"{path} holds no tensors by name\n  in PyTorch, store them: {_SAVE}")
    if len(chosen) > 1:
        listed = ", ".join(f"{name} ({len(tensors)})" for name, tensors in chosen.items())
        raise UserError(
            f"{path} holds several sets of tensors: {listed}\n"
            f"  in PyTorch, store the one that is meant: torch.save(content[NAME], FILE)"
        )
    return next(iter(chosen)), found


def _notes(name: str, sets: Sets) -> tuple[str, ...]:
    """Which of several sets is taken."""
    others = ", ".join(f"`{other}` ({len(sets[other])})" for other in sets if other != name)
    return (f"holds several sets of tensors: `{name}` is taken, not {others}",) if others else ()


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _preferred(sets: Sets) -> Sets:
    """Those of a usual name, where there are any: a discriminator beside `model` is not meant."""
    usual = {name: s for name, s in sets.items() if not name or _last(name) in (*_NESTS, *_MEANS)}
    return usual or dict(sets)


def _sets(content: Any, name: str, depth: int) -> Iterator[tuple[str, dict[str, NDArray[Any]]]]:
    """Dictionaries of tensors with their names; an optimizer's, by numbers, is none."""
    if not isinstance(content, dict) or not depth:
        return
    items = [(key, value) for key, value in cast("dict[Any, Any]", content).items()
             if isinstance(key, str)]  # fmt: skip
    tensors = {key: numbers for key, value in items if (numbers := array(value)) is not None}
    if len(tensors) > _MOST:
        raise Refused(f"more than {_MOST:,} tensors")
    if any(numbers.ndim for numbers in tensors.values()):
        yield name, tensors
        return
    for key, value in items:
        yield from _sets(value, f"{name}.{key}".lstrip("."), depth - 1)


def _without_prefix(tensors: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Without what wrappers put before every name: `module.`, `_orig_mod.`."""
    for prefix in ("module.", "_orig_mod.", "model.", "ema."):
        rest = [name for name in tensors if name != "n_averaged"]
        if rest and all(name.startswith(prefix) for name in rest):
            return _without_prefix({name.removeprefix(prefix): tensors[name] for name in rest})
    return tensors
