"""What a weights file holds, and which of its tensors a model takes: as tables and as JSON."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.report.units import short
from cnndsl.source import counted
from cnndsl.weights.align import shown
from cnndsl.weights.base import Order, RawWeights
from cnndsl.weights.match import Match

SCHEMA = 1
_NUMBERS = ("mean", "std", "min", "max")


def contents(raw: RawWeights) -> dict[str, Any]:
    """Tensors in their order, with shapes, types and statistics, and what else the file says."""
    tensors = [_tensor(name, array) for name, array in raw.tensors.items()]
    return {
        "schema_version": SCHEMA,
        "order": raw.order.name.lower(),
        "ordered": raw.order is not Order.NAMES,
        "numbers": sum(array.size for array in raw.tensors.values()),
        "tensors": tensors,
        "info": raw.info.facts(),
        "metadata": dict(raw.metadata),
        "notes": list(raw.notes),
    }


def _tensor(name: str, array: NDArray[Any]) -> dict[str, Any]:
    facts = {"name": name, "shape": list(array.shape), "type": str(array.dtype)}
    if not array.size or array.dtype.kind not in "fiub":
        return facts | dict.fromkeys(_NUMBERS)
    with np.errstate(all="ignore"):  # NaN and infinity are shown as they are
        numbers = (array.mean(dtype=np.float64), array.std(dtype=np.float64),
                   array.min(), array.max())  # fmt: skip
    return facts | {key: float(n) for key, n in zip(_NUMBERS, numbers, strict=True)}


def contents_table(found: dict[str, Any]) -> str:
    """The same for people."""
    rows: list[tuple[str, ...]] = [("", "tensor", "shape", "type", *_NUMBERS)]
    for i, tensor in enumerate(found["tensors"]):
        numbers = ("-" if tensor[key] is None else f"{tensor[key]:.4g}" for key in _NUMBERS)
        rows.append((str(i + 1), tensor["name"], shown(tensor["shape"]), tensor["type"], *numbers))
    order = "that of the layers" if found["ordered"] else "that of no layers: names decide"
    total = f"{counted(len(found['tensors']), 'tensor')}, {short(found['numbers'])} numbers"
    return "\n".join([*_aligned(rows, "rllrrrrr"), f"{total}; order: {order}"])


def pairs(raw: RawWeights, found: Match, shapes: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """Each tensor that a model takes, with its own, and how it was found."""
    rows = [
        {
            "theirs": other, "theirs_shape": list(raw.tensors[other].shape),
            "ours": own, "ours_shape": list(shapes.get(own, ())), "how": found.ways[own],
        }
        for own, other in found.names.items()
    ]  # fmt: skip
    return {
        "schema_version": SCHEMA, "pairs": rows, "left_out": list(found.left_out),
        "notes": [*raw.notes, *found.notes],
    }  # fmt: skip


def pairs_table(found: dict[str, Any]) -> str:
    """The same for people."""
    rows = [("in the file", "", "in the model", "", "found")]
    for pair in found["pairs"]:
        sizes = shown(pair["theirs_shape"]), shown(pair["ours_shape"])
        rows.append((pair["theirs"], sizes[0], pair["ours"], sizes[1], pair["how"]))
    return "\n".join(_aligned(rows, "lllll"))


def _aligned(rows: Sequence[tuple[str, ...]], sides: str) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            text.ljust(width) if side == "l" else text.rjust(width)
            for text, width, side in zip(row, widths, sides, strict=True)
        )
        yield "  ".join(cells).rstrip()
