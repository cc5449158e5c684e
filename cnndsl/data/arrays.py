"""Arrays of the user, from an `.npz` file or Python, in the shapes that people have."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from cnndsl.data.dataset import Images, Parts, Split, Targets, repeated
from cnndsl.losses import VOID
from cnndsl.source import UserError, listed

Array = NDArray[Any]
Arrays = Mapping[str, Array]

_IMAGES = ("x", "images", "image", "imgs", "data")
_TARGETS = ("y", "labels", "label", "targets", "target", "masks", "mask")
_PARTS = {"train": ("train", "training"), "val": ("val", "valid", "validation"),
          "test": ("test", "testing")}  # fmt: skip
_NAMES = ("classes", "class_names", "names")
_LAYOUTS = {"NCHW": (0, 1, 2, 3), "NHWC": (0, 3, 1, 2), "NHW": (0, 1, 2)}
_CHANNELS = (1, 3, 4)
_MOST_CLASSES = 100_000
_NEEDED = "x and y, or x_train, y_train, x_test, y_test; train_images, train_labels …"


def _keys() -> dict[str, tuple[str, str]]:
    """What arrays may be called: `x`, `x_train`, `train_images` … with their part and kind."""
    found = dict[str, tuple[str, str]]()
    for kind, words in (("x", _IMAGES), ("y", _TARGETS)):
        for word in words:
            found[word] = ("train", kind)
            for part, parts in _PARTS.items():
                for each in parts:
                    found[f"{word}_{each}"] = found[f"{each}_{word}"] = (part, kind)
    return found


_KEYS = _keys()


def is_read(key: str) -> bool:
    """Whether an array of this name means something."""
    return key.lower() in _KEYS or key.lower() in (*_NAMES, "layout", "units")


def parts_of(
    arrays: Arrays, name: str, origin: str, size: tuple[int, ...], others: Sequence[str] = ()
) -> Parts:
    """The splits that arrays hold, for a model that takes images of a size; `others` are not read.

    Images are uint8: N×C×H×W, N×H×W×C or N×H×W. Targets are class numbers or names (N or N×1), 0
    and 1 for each label (N×C), numbers (N or N×K), or masks (N×H×W). UserError, by their `origin`,
    for others.
    """
    pairs = _pairs(arrays, origin, others)
    layout = _text(arrays.get("layout"))
    images = {
        part: _images(x, f"{origin}: {x_name}", size, layout)
        for part, (x_name, x, _, _) in pairs.items()
    }
    given = next((arrays[key] for key in _NAMES if key in arrays), None)
    names = None if given is None else _checked_names(given, origin)
    targets = {
        part: _targets(y, f"{origin}: {y_name}") for part, (_, _, y_name, y) in pairs.items()
    }
    names, targets = _named(targets, names, origin)
    splits = {part: partial(Split, images[part], targets[part]) for part in pairs}
    units = tuple(map(_word, np.ravel(arrays["units"]))) if "units" in arrays else ()
    return Parts(name, names, splits, None, units)


def _pairs(
    arrays: Arrays, origin: str, others: Sequence[str]
) -> dict[str, tuple[str, Array, str, Array]]:
    """Images and targets of each part with what they are called; UserError for half a pair."""
    held = dict[tuple[str, str], str]()
    for key in arrays:
        place = _KEYS.get(key.lower())
        if place in held:
            raise UserError(f"{origin}: `{held[place]}` and `{key}` are the same; leave one out")
        if place:
            held[place] = key
    lone = next((p for p in held if (p[0], "y" if p[1] == "x" else "x") not in held), None)
    if not held or lone == ("train", "x") or lone == ("train", "y"):
        raise UserError(
            f"{origin} holds {listed([*arrays, *others]) or 'nothing'}; it needs {_NEEDED}"
        )
    if lone:
        raise UserError(f"{origin} has {held[lone]} alone; the {lone[0]} needs x_{lone[0]} and "
                        f"y_{lone[0]}")  # fmt: skip
    parts = [part for part in _PARTS if (part, "x") in held]
    keys = {part: (held[part, "x"], held[part, "y"]) for part in parts}
    return {part: (x, arrays[x], y, arrays[y]) for part, (x, y) in keys.items()}


# Images


def _images(x: Array, origin: str, size: tuple[int, ...], layout: str) -> Images:
    if x.dtype.kind in "iu" and x.dtype != np.uint8 and x.size and 0 <= x.min() <= x.max() <= 255:
        x = x.astype(np.uint8)
    if x.dtype != np.uint8 or x.ndim not in (3, 4):
        raise UserError(f"{origin}: pictures are uint8 N×C×H×W, N×H×W×C or N×H×W, not {x.dtype} "
                        f"{x.shape}{_as_uint8(x)}")  # fmt: skip
    if x.ndim == 3:
        return x[:, None]
    order = _LAYOUTS[layout or _layout(x.shape, origin, size)]
    return np.ascontiguousarray(x.transpose(order)) if order != (0, 1, 2, 3) else x


def _as_uint8(x: Array) -> str:
    """How to make such numbers uint8, where it is known."""
    if x.dtype.kind == "f" and x.size and x.min() >= 0 and x.max() <= 1:
        return "\n  store `(x * 255).round().astype('uint8')`"
    if x.dtype.kind in "iu" and x.size and x.min() >= 0:
        return f"\n  their largest value is {x.max()}: scale them to 0…255 first"
    return ""


def _layout(shape: tuple[int, ...], origin: str, size: tuple[int, ...]) -> str:
    """The order of the axes: as the model's size has it, or else told by the channels."""
    orders = {name: order for name, order in _LAYOUTS.items() if len(order) == 4}
    fitting = [n for n, order in orders.items() if tuple(shape[i] for i in order[1:]) == size]
    if len(fitting) > 1:
        raise UserError(f"{origin}: {shape} may be N×C×H×W or N×H×W×C\n"
                        '  say it by an array `layout`: "NCHW" or "NHWC"')  # fmt: skip
    known = [size[:1], _CHANNELS]
    by_channels = [n for wanted in known for n in orders if shape[orders[n][1]] in wanted]
    return (fitting or by_channels or ["NCHW"])[0]


# Targets


def _targets(y: Array, origin: str) -> Array:
    """Targets in one of the forms of `Targets`; class names and numbers as they are, (N,)."""
    if y.ndim == 4 and 1 in (y.shape[1], y.shape[3]):
        y = y[:, 0] if y.shape[1] == 1 else y[..., 0]
    kind = y.dtype.kind
    if y.ndim in (1, 2) and kind in "US" and y.size == len(y):
        return np.array([_word(each) for each in y.ravel()])
    if y.ndim == 3 and kind in "iub":
        return y.astype(np.uint8) if y.max(initial=0) <= VOID and y.min(initial=0) >= 0 else y
    if y.ndim not in (1, 2) or kind not in "iubf" or 0 in y.shape[1:]:
        raise UserError(
            f"{origin}: targets are class numbers or names, one a picture, 0 and 1 for each label, "
            f"numbers, or masks N×H×W, not {y.dtype} {y.shape}"
        )
    if kind == "f":
        wrong = np.flatnonzero(~np.isfinite(y.reshape(len(y), -1)).all(1))
        if len(wrong):
            few = f"{len(wrong):,} of {len(y):,} targets are not finite numbers"
            raise UserError(f"{origin}: {few}, the first is that of image {wrong[0]}")
        with np.errstate(over="ignore"):  # beyond float32 is infinite, which the task refuses
            return y.astype(np.float32)
    if y.size == len(y):
        return y.reshape(-1) if kind == "b" else y.reshape(-1).astype(np.int64)
    flags = kind == "b" or bool(((y == 0) | (y == 1)).all())
    return y.astype(np.uint8 if flags else np.float32)


def _named(
    targets: dict[str, Array], names: tuple[str, ...] | None, origin: str
) -> tuple[tuple[str, ...], dict[str, Targets]]:
    """The names, and the targets with class numbers that count from 0."""
    kinds = {(y.dtype.kind, y.ndim) for y in targets.values()}
    if len(kinds) > 1:
        told = ", ".join(f"{y.dtype} {y.shape}" for y in targets.values())
        raise UserError(f"{origin}: the targets of its parts are of different kinds: {told}")
    if kinds <= {("U", 1), ("i", 1), ("b", 1)}:
        return _classes(targets, names, origin)
    return names or numbered(list(targets.values())), targets


def numbered(targets: Sequence[Array]) -> tuple[str, ...]:
    """Names of targets that are no class numbers: places, or `number` for a single one."""
    first = targets[0]
    if first.ndim == 1:
        return ("number",)
    last = max(int(y[y != VOID].max(initial=0)) for y in targets) if first.ndim == 3 else 0
    return tuple(map(str, range(first.shape[1] if first.ndim == 2 else last + 1)))


def _classes(
    targets: dict[str, Array], names: tuple[str, ...] | None, origin: str
) -> tuple[tuple[str, ...], dict[str, Targets]]:
    """Numbers are places among given names; without such, each is a class called by its number."""
    first = next(iter(targets.values()))
    if names and first.dtype.kind != "U":
        return names, {part: y.astype(np.int64) for part, y in targets.items()}
    levels = np.unique(np.concatenate(list(targets.values())))
    if len(levels) > _MOST_CLASSES:
        raise UserError(f"{origin}: labels would mean more than {_MOST_CLASSES:,} classes")
    if levels.dtype.kind == "i" and len(levels) and levels[0] < 0:
        raise UserError(f"{origin} has label {levels[0]}, outside of 0…{levels[-1]}")
    named = [str(level) for level in levels.tolist()]
    order = names or tuple(named)
    at = {name: place for place, name in enumerate(order)}
    strange = [name for name in named if name not in at]
    if strange:
        raise UserError(f"{origin} has labels {listed(strange)}, which `classes` has not")
    places = np.array([at[name] for name in named], np.int64)
    return order, {p: places[np.searchsorted(levels, y)] for p, y in targets.items()}


def _checked_names(names: Array, origin: str) -> tuple[str, ...]:
    if names.ndim != 1:
        raise UserError(f"{origin}: classes are one name each, not {names.shape}")
    words = [_word(name) for name in names]
    twice = repeated(words)
    if twice is not None:
        raise UserError(f"{origin}: two classes are called `{twice}`")
    return tuple(words)


def _text(value: Array | None) -> str:
    """The text of an array `layout`; UserError for one that is none."""
    text = "" if value is None else _word(np.ravel(value)[0]) if value.size == 1 else "?"
    if text and text not in ("NCHW", "NHWC"):
        raise UserError(f'layout: write "NCHW" or "NHWC", not {text!r}')
    return text


def _word(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def in_python(data: Any) -> Arrays:
    """`(x, y)`, `(x, y, x_test, y_test)`, `((x, y), (x_test, y_test))`, or a dict as an `.npz` is.

    UserError for anything else.
    """
    if isinstance(data, Mapping):
        held = cast("Mapping[str, Any]", data)
        return {key: _array(key, value) for key, value in held.items()}
    flat = list[Any](data)
    if all(isinstance(each, tuple) for each in flat):
        flat = [each for pair in flat for each in pair]
    if len(flat) not in (2, 4):
        raise UserError(f"data: (x, y) or (x, y, x_test, y_test), not {len(flat)} arrays")
    keys = ("x", "y", "x_test", "y_test")
    return {key: _array(key, value) for key, value in zip(keys, flat, strict=False)}


def _array(key: str, value: Any) -> Array:
    try:
        return np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:  # ragged, or a tensor elsewhere
        raise UserError(f"data: {key} is not an array: {error}") from None
