"""Convolution: which algorithm, and what is common to all of them."""

from dataclasses import replace

from cnndsl.graph.tape import Node
from cnndsl.lower.convs import ALGORITHMS, Algorithm, ConvShape
from cnndsl.lower.driver import Form, Lowering, Plan, load, lowers
from cnndsl.shapes import window_2d
from cnndsl.source import UserError


@lowers("Conv")
def _conv(lo: Lowering, node: Node) -> "Form | list[Form]":
    shape = conv_shape(lo, node)
    chosen = choose(lo, node.path, shape)
    lo.chosen[node.path] = chosen.name
    weight = node.inputs[1]
    assert weight is not None
    x = lo.settled(node.inputs[0])
    y = chosen.emit(lo, shape, x, weight)
    bias = lo.plain(node.inputs[2]) if len(node.inputs) > 2 else None
    return replace(y, bias=bias)


def conv_shape(lo: Lowering, node: Node) -> ConvShape:
    """The sizes of a Conv node."""
    x, w = node.inputs[0], node.inputs[1]
    assert x is not None
    assert w is not None
    n, c, height, width = (int(d) for d in x.shape)
    a, pads = node.attrs, node.attrs["pads"]
    kernel = (int(w.shape[2]), int(w.shape[3]))
    out = window_2d((height, width), kernel, a["strides"], pads, a["dilations"])
    return ConvShape(
        n, c, (height, width), int(w.shape[0]), out, kernel, a["strides"], a["dilations"],
        (-pads[0], -pads[1]), a["group"], x not in lo.learned, _is_pooled(lo, node),
    )  # fmt: skip


def _is_pooled(lo: Lowering, node: Node) -> bool:
    """Whether a max-pool reads the output, perhaps behind a norm."""
    readers = lo.readers[node.outputs[0]]
    while len(readers) == 1 and readers[0].op.endswith("BatchNormalization"):
        at = readers[0].inputs.index(node.outputs[0])
        node = readers[0]
        readers = lo.readers[node.outputs[at]]
    return len(readers) == 1 and readers[0].op == "MaxPool"


def check_plan(plan: Plan) -> None:
    """UserError for algorithms that there are not."""
    load()
    for wanted in (plan.conv, *(name for _, name in plan.choices)):
        if wanted not in ("auto", "winograd", *ALGORITHMS):
            raise UserError(f"no convolution algorithm `{wanted}`: auto, {', '.join(ALGORITHMS)}")


def choose(lo: Lowering, path: str, shape: ConvShape) -> Algorithm:
    """The algorithm that the plan names, if it applies here, else the cheapest."""
    wanted = dict(lo.plan.choices).get(path, lo.plan.conv)
    fitting = [a for a in ALGORITHMS.values() if a.applies(shape)]
    named = [a for a in fitting if a.name == wanted] or [
        a for a in fitting if a.name.startswith(wanted)
    ]
    return min(named or fitting, key=lambda a: a.cost(shape))
