"""Channels, features and sizes that code of another framework is written for.

PyTorch's layers say how much arrives. Here that follows from the statements above: what differs is
told, and an input that the code does not have is worked out where only one can be meant.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import isqrt, prod

from cnndsl.frameworks.region import Origin, Region
from cnndsl.ir import Model, Node
from cnndsl.passes.foreign_code import Cut, Mended
from cnndsl.shapes import show
from cnndsl.source import Diagnostic, Source, Span, counted

Try = Callable[[str], Model | None]
"""The model of a text; None where it does not check."""

_LARGEST = 512  # pixels a side
_CHANGES = ("conv", "dwconv", "upconv", "dense", "concat", "pixelshuffle", "slice", "reshape")
_CHANNELS = ("1", "3", "4")
_NAMES = {"dense": "feature"}
_DATA = {"data cifar10": "3x32x32", "data mnist": "1x28x28"}
_SAID = re.compile(
    r"(?:(?:randn|rand|zeros|ones|empty)\s*\(\s*[\[(]?\s*\w+\s*,|"
    r"(?:summary\s*\([^,()]*,|input_size\s*=|input_shape\s*=)\s*[\[(]\s*(?:\w+\s*,\s*(?=\w+\s*,\s*"
    r"\w+\s*,))?)\s*([0-9]+)\s*,\s*([0-9]+)\s*,\s*([0-9]+)"
)


def unexpected(text: Mended, model: Model, trial: Try) -> Iterator[Diagnostic]:
    """What arrives at a layer, where its call says otherwise."""
    for cut in text.cuts:
        for node, origin, count in _arrivals(cut, model):
            arrived = model.nodes[node.inputs[0]].shape[0]
            if arrived == count:
                continue
            kind = _NAMES.get(node.layer.word, "channel")
            message = f"this is written for {counted(count, kind)}, and {arrived:,} arrive"
            span = Span(text.source, origin.start, origin.end)
            hint = f"write {arrived} in its place, or give the network the input that it is for"
            meant = _worked_out(cut.region, text.source, trial)
            other = meant is not None and meant.shape != show(model.input)
            named = f": `input {meant.shape}`" if meant is not None and other else ""
            yield Diagnostic("E006", message, span, help=hint + named)
            return


def _arrivals(cut: Cut, model: Model) -> Iterator[tuple[Node, Origin, int]]:
    """The layers of a region whose calls say how much arrives, with the call and that number."""
    for node in model.nodes:
        if node.span.source is not model.source or not cut.start <= node.span.start < cut.end:
            continue
        origin = cut.origin(node.span.start)
        if origin is not None and origin.arriving is not None and not node.follows:
            yield node, origin, origin.arriving


@dataclass(frozen=True)
class Input:
    """An input that code is for, and how that is known."""

    shape: str
    note: str


def with_input(region: Region, source: Source, trial: Try) -> Region | None:
    """A region with the input that it is for; None where the code does not say it."""
    found = _worked_out(region, source, trial)
    if found is None:
        return None
    note = f"the input is worked out: {found.note}"
    return replace(
        region,
        lines=(f"input {found.shape}", *region.lines),
        origins=(None, *region.origins),
        note="; ".join(filter(None, (note, region.note))),
    )


def channels_of(region: Region) -> int | None:
    """How many channels the first layer with weights takes, where its call says it."""
    for line, origin in zip(region.lines, region.origins, strict=False):
        if origin is not None and origin.arriving is not None:
            return None if line.startswith("dense") else origin.arriving
        if line.split()[0] in _CHANGES:
            return None
    return None


def _worked_out(region: Region, source: Source, trial: Try) -> Input | None:
    """By what the code says elsewhere, else by the features that a `Linear` takes."""
    channels, said = channels_of(region), _said(region, source)
    if said is not None and channels in (None, int(said.shape.partition("x")[0])):
        return said
    return _of_vector(region) if channels is None else _of_features(region, channels, trial)


def _said(region: Region, source: Source) -> Input | None:
    """`torch.randn(1, 3, 32, 32)`, `jnp.ones((1, 28, 28, 1))`, a data set by its name."""
    for match in _SAID.finditer(source.text, region.start, region.end):
        sides = match.groups()
        last = sides[2] in _CHANNELS and sides[0] not in _CHANNELS
        shape = "x".join((sides[2], *sides[:2]) if last else sides)
        if shape.partition("x")[0] in _CHANNELS:
            return Input(shape, f"the code has an image of {shape}")
    for line in region.lines:
        if (shape := _DATA.get(line.strip())) is not None:
            return Input(shape, f"`{line.strip()}` has such images")
    return None


def _of_vector(region: Region) -> Input | None:
    """Square images of the values that a first `Linear` takes: 784 are 1x28x28."""
    for line, origin in zip(region.lines, region.origins, strict=False):
        if line.split()[0] not in _CHANGES:
            continue
        if not line.startswith("dense") or origin is None or origin.arriving is None:
            return None
        count = origin.arriving
        if not any(each.startswith("flatten") for each in region.lines):
            return Input(str(count), f"the {counted(count, 'value')} that its first `Linear` takes")
        shapes = [f"{c}x{side}x{side}" for c in (1, 3) if (side := isqrt(count // c))
                  and side > 1 and c * side * side == count]  # fmt: skip
        note = f"square images of the {counted(count, 'value')} that its first `Linear` takes"
        return Input(shapes[0], note) if len(shapes) == 1 else None
    return None


def _of_features(region: Region, channels: int, trial: Try) -> Input | None:
    """Images whose sides give the features that the first `Linear` takes."""
    at = next((i for i, (line, origin) in enumerate(zip(region.lines, region.origins, strict=False))
               if line.startswith("dense") and origin and origin.arriving), None)  # fmt: skip
    if at is None:
        return None
    origin = region.origins[at]
    wanted = (origin and origin.arriving) or 0

    def features(side: int) -> int:
        lines = (f"input {channels}x{side}x{side}", *region.lines[:at])
        model = trial("\n".join(lines))
        return prod(model.nodes[-1].shape) if model is not None else 0

    if features(_LARGEST) <= wanted:  # a mean of whole channels, or nothing that fits
        return None
    first = _first(lambda side: features(side) >= wanted)
    if features(first) != wanted:
        return None
    last = _first(lambda side: features(side) > wanted) - 1
    sides = f"sides of {first}" if first == last else f"sides of {first} to {last}"
    takes = f"its first layer takes {counted(channels, 'channel')}"
    note = f"{takes}, and {sides} give the {wanted:,} features of its first `Linear`"
    return Input(f"{channels}x{first}x{first}", note)


def _first(holds: Callable[[int], bool]) -> int:
    """The smallest side at which something holds that holds at the largest."""
    low, high = 1, _LARGEST
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def without_input(d: Diagnostic, source: Source, region: Region) -> Diagnostic:
    """The error for a missing input, at code that does not say all of it."""
    channels = channels_of(region)
    takes = f"; its first layer takes {counted(channels, 'channel')}" if channels else ""
    example = f"input {channels or 3}x224x224"
    hint = f"write `{example}` above it, with the height and width of your images{takes}"
    span = Span(source, region.start, source.text.find("\n", region.start) % (len(source.text) + 1))
    return replace(d, message="this code does not say the size of its input", span=span, help=hint)
