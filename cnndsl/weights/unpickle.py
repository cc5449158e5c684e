"""Pickles of PyTorch, read without PyTorch: tensors and plain values, nothing else.

A pickle is a program that may call anything by its name. Here a name is looked up in one table of
exact (module, name) pairs whose entries are functions of this file, so that nothing of the pickle's
choice is ever imported or called. Opcodes are checked before they run.
"""

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from math import prod
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from cnndsl.weights.base import Refused
from cnndsl.weights.opcodes import check_opcodes

Storages = Callable[[Any], Any]


@dataclass(frozen=True)
class Storage:
    """Elements of one type in a row, of which tensors are views. bfloat16 is kept as uint16."""

    values: NDArray[Any]
    kind: str


@dataclass(frozen=True)
class ElementType:
    """A type of PyTorch's, such as `FloatStorage` or `float32`; `dtype` is how its bytes lie."""

    kind: str
    dtype: np.dtype[Any]

    def __call__(self, *args: Any) -> "ElementType":
        """None of the types is ever called in a checkpoint."""
        raise Refused(f"a call of the type {self.kind}")


_TYPES = {
    "Double": ("float64", "<f8"), "Float": ("float32", "<f4"), "Half": ("float16", "<f2"),
    "BFloat16": ("bfloat16", "<u2"), "Long": ("int64", "<i8"), "Int": ("int32", "<i4"),
    "Short": ("int16", "<i2"), "Char": ("int8", "|i1"), "Byte": ("uint8", "|u1"),
    "Bool": ("bool", "|b1"),
}  # fmt: skip
BYTES = ElementType("bytes", np.dtype("|u1"))


class _Dict(dict[Any, Any]):
    """An OrderedDict, whose attributes (`_metadata`) are let go."""

    def __setstate__(self, state: object) -> None:
        pass


class _Inert:
    """Something that stands beside tensors in checkpoints: taken and forgotten."""

    def __new__(cls, *args: Any, **kwargs: Any) -> "_Inert":
        return super().__new__(cls)

    def __setstate__(self, state: object) -> None:
        pass

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def append(self, item: object) -> None:
        """Nothing is kept."""

    def extend(self, items: object) -> None:
        """Nothing is kept."""


class _NumpyType:
    """`numpy.dtype`: of plain numbers alone."""

    def __init__(self, code: Any, *flags: Any) -> None:
        text = code.decode() if isinstance(code, bytes) else code
        if not isinstance(text, str) or text.lstrip("<>=|")[:1] not in "fiub" or len(text) > 4:
            raise Refused(f"a numpy array of {str(text)[:40]!r}")
        self.dtype = np.dtype(text)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] in ("<", ">", b"<", b">"):
            self.dtype = self.dtype.newbyteorder(">" if state[1] in (">", b">") else "<")


class _NumpyArray:
    """`numpy.ndarray`, filled from bytes that must be as many as its shape says."""

    values: NDArray[Any] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, by_columns, data = state
        self.values = _from_bytes(data, kind, _sizes(shape), "F" if by_columns else "C")


def _from_bytes(
    data: Any, kind: Any, shape: tuple[int, ...], order: Any = "C"
) -> NDArray[Any]:  # fmt: skip
    if not isinstance(data, bytes) or not isinstance(kind, _NumpyType):
        raise Refused("a numpy array that does not stand in bytes")
    if len(data) != prod(shape) * kind.dtype.itemsize:
        raise Refused(f"a numpy array of {shape} in {len(data)} bytes")
    return np.frombuffer(data, kind.dtype).reshape(shape, order=order)


def _numpy_scalar(kind: Any, data: Any) -> Any:
    return _from_bytes(data, kind, ()).item()


def _numpy_array(*args: Any) -> _NumpyArray:
    return _NumpyArray()


def _size(sizes: Any = ()) -> tuple[int, ...]:
    return _sizes(sizes)


def _latin1(text: object, encoding: object) -> bytes:
    """How bytes arrive in pickles of protocol 2; no other codec is reached."""
    if not isinstance(text, str) or encoding != "latin1":
        raise Refused("a codec")
    return text.encode("latin1")


def _sizes(sizes: Any) -> tuple[int, ...]:
    numbers = tuple(sizes)
    if len(numbers) > 32 or not all(type(n) is int and 0 <= n < 2**40 for n in numbers):
        raise Refused(f"a tensor of shape {str(numbers)[:80]}")
    return numbers


def _rebuild_tensor(storage: Any, offset: Any, size: Any, stride: Any, *rest: Any) -> Any:
    """A view of a storage, inside it and no larger than it."""
    if not isinstance(storage, Storage):
        raise Refused("a tensor without a storage")
    shape, steps = _sizes(size), _sizes(stride)
    (start,) = _sizes((offset,))
    if len(shape) != len(steps):
        raise Refused(f"a tensor of shape {shape} with strides {steps}")
    last = start + sum((n - 1) * s for n, s in zip(shape, steps, strict=True))
    count, held = prod(shape), storage.values.size
    if count and (last >= held or count > held):
        raise Refused(f"a tensor of shape {shape} that reaches beyond its storage of {held:,}")
    if not count:
        return np.empty(shape, storage.values.dtype)
    item = storage.values.itemsize
    view = np.lib.stride_tricks.as_strided(
        storage.values[start:], shape, [s * item for s in steps], writeable=False
    )
    return _widened(view) if storage.kind == "bfloat16" else view


def _widened(bits: NDArray[Any]) -> NDArray[np.float32]:
    """bfloat16 is the upper half of float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def _rebuild_typed(
    storage: Any, offset: Any, size: Any, stride: Any, grad: Any, hooks: Any, kind: Any, *rest: Any
) -> Any:  # fmt: skip
    """A tensor over untyped bytes, whose type is given beside."""
    if not isinstance(storage, Storage) or not isinstance(kind, ElementType):
        raise Refused("a tensor of an unknown type")
    (start,) = _sizes((offset,))
    values = storage.values.view(np.uint8)
    values = values[: len(values) // kind.dtype.itemsize * kind.dtype.itemsize]
    return _rebuild_tensor(Storage(values.view(kind.dtype), kind.kind), start, size, stride)


def _rebuild_parameter(data: Any, *rest: Any) -> Any:
    if not isinstance(data, np.ndarray):
        raise Refused("a parameter that is not a tensor")
    return cast(Any, data)


def _rebuild_subclass(function: Any, kind: Any, args: Any, state: Any) -> Any:
    """A tensor that carries attributes: what it is without them."""
    if function not in (_rebuild_tensor, _rebuild_typed, _rebuild_parameter):
        raise Refused("a tensor of a class of its own")
    return function(*args)


def _names(module: str, *names: str) -> list[tuple[str, str]]:
    return [(module, name) for name in names]


_INERT = [
    *_names("argparse", "Namespace"), *_names("types", "SimpleNamespace"),
    *_names("collections", "defaultdict", "Counter"), *_names("datetime", "datetime", "timedelta"),
    *_names("pathlib", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"),
    *_names("pathlib._local", "PosixPath", "WindowsPath"),
    *_names("torch", "device", "Tensor", "strided", "contiguous_format", "preserve_format"),
    *_names("torch.nn.parameter", "Parameter", "Buffer"), *_names("torch", "Generator"),
    *_names("torch.serialization", "_get_layout"),
    *_names("builtins", "set", "frozenset", "dict", "list", "int", "float", "bool", "complex"),
    *_names("__builtin__", "set", "frozenset", "dict", "list", "int", "float", "bool"),
]  # fmt: skip
_ALLOWED: Mapping[tuple[str, str], Any] = {
    **dict.fromkeys(_INERT, _Inert),
    ("collections", "OrderedDict"): _Dict,
    ("torch", "Size"): _size,
    ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v3"): _rebuild_typed,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _rebuild_parameter,
    ("torch._tensor", "_rebuild_from_type_v2"): _rebuild_subclass,
    ("torch.storage", "UntypedStorage"): BYTES,
    ("torch", "UntypedStorage"): BYTES,
    ("_codecs", "encode"): _latin1,
    **{(f"numpy.{core}.multiarray", "scalar"): _numpy_scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _numpy_array
       for core in ("core", "_core")},
    ("numpy", "ndarray"): _Inert,
    ("numpy", "dtype"): _NumpyType,
    **{("torch", f"{name}Storage"): ElementType(kind, np.dtype(code))
       for name, (kind, code) in _TYPES.items()},
    **{("torch", kind): ElementType(kind, np.dtype(code)) for kind, code in _TYPES.values()},
}  # fmt: skip


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: BytesIO, storages: Storages, dry: bool) -> None:
        super().__init__(data, encoding="utf-8", errors="replace")
        self._storages, self._dry = storages, dry

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise Refused(f"`{module}.{name}`"[:120])
        known = _ALLOWED[module, name]
        return _Inert if self._dry and not isinstance(known, ElementType) else known

    def persistent_load(self, pid: Any) -> Any:
        return self._storages(pid)


def unpickled(stream: BytesIO, storages: Storages, dry: bool = False) -> Any:
    """The next pickle of a stream, which is left behind it. Refused for what is not plain data.

    `storages` gives the storage of a reference; `dry` only shows it the references.
    """
    start = stream.tell()
    check_opcodes(stream)
    stream.seek(start)
    return _Unpickler(stream, storages, dry).load()


def no_storage(pid: Any) -> Any:
    """For pickles that have none."""
    raise Refused("a storage out of its place")


def array(value: Any) -> NDArray[Any] | None:
    """A value of a checkpoint as numbers, or None where it is not a tensor."""
    if isinstance(value, _NumpyArray):
        return value.values
    return cast(Any, value) if isinstance(value, np.ndarray) else None
