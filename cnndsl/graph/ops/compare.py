"""Truth values, and what is chosen by them."""

from cnndsl.graph.ops.base import BROADCASTS, ELEMENTWISE, Call, broadcasting, define, same
from cnndsl.graph.value import Dims

TRUTH = "a truth value is flat"


def _bool(_: Call) -> str:
    return "bool"


for _name in ("Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual", "And", "Or"):
    define(_name, broadcasting, ELEMENTWISE | BROADCASTS, dtype=_bool, constant=TRUTH)
for _name in ("Not", "IsNaN", "IsInf"):
    define(_name, same, ELEMENTWISE, dtype=_bool, constant=TRUTH)


def _argmax(call: Call) -> list[Dims]:
    axis, shape = call.attrs["axis"] % len(call.shape()), call.shape()
    middle = (1,) if call.attrs.get("keepdims", 1) else ()
    return [(*shape[:axis], *middle, *shape[axis + 1 :])]


define("ArgMax", _argmax, dtype=lambda call: "int64", constant="an index is flat")
define("OneHot", lambda call: [(*call.shape(), call.ints(1)[0])],
       dtype=lambda call: call.x(2).dtype, constant="made of indices")  # fmt: skip
