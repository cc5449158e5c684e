"""Keras's shapes, channels last, as ours, channels first."""

from typing import Any

from cnndsl.frameworks.arguments import NoCounterpart
from cnndsl.frameworks.region import UNSAID
from cnndsl.frameworks.values import Call, Symbol, parts_of


def shape_of(shape: Any, call: Call) -> str:
    """`(32, 32, 3)` as `3x32x32`: channels last there, first here."""
    sides = (shape,) if isinstance(shape, int) else parts_of(shape)
    for part in sides or (shape,):
        if isinstance(part, Symbol):
            name = part.path.rpartition(">.")[2]
            raise NoCounterpart(f"{UNSAID} `{name}` is: write the shape in "
                                "numbers")  # fmt: skip
    if not sides or not all(type(side) is int for side in sides):
        raise NoCounterpart(f"the shape of `{call.name}` is written in numbers: `input 3x32x32`")
    if len(sides) == 2:
        return f"1x{sides[0]}x{sides[1]}"
    if len(sides) > 3:
        raise NoCounterpart("an input has channels, height and width: `input 3x32x32`")
    return "x".join(map(str, sides[-1:] + sides[:-1]))


def input_of(call: Call) -> str | None:
    """`input 3x32x32` of a layer's input_shape, input_dim or batch_input_shape."""
    given = call.keywords
    if given.get("batch_input_shape") is not None:
        return f"input {shape_of(given['batch_input_shape'][1:], call)}"
    shape = given.get("input_shape", given.get("input_dim"))
    return f"input {shape_of(shape, call)}" if shape is not None else None
