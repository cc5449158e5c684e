"""Every operator that has a gradient, with every combination of attributes that its rule knows."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from reference import Array


@dataclass(frozen=True)
class Case:
    """An operator on arrays; int and bool arrays are constants, and so is what `const` lists."""

    op: str
    inputs: tuple[Array | None, ...]
    attrs: dict[str, Any] = field(default_factory=dict[str, Any])
    const: tuple[int, ...] = ()
    results: int = 1

    def live(self) -> list[int]:
        """The inputs that a gradient flows into."""
        return [i for i, a in enumerate(self.inputs) if self.takes(a) and i not in self.const]

    @staticmethod
    def takes(array: Array | None) -> bool:
        """Whether an input has numbers that may vary."""
        return array is not None and array.dtype == np.float64


def some(*shape: int, seed: int = 0) -> Array:
    """Numbers from −2 to 2, none near 0."""
    rng = np.random.default_rng([seed, *shape])
    return rng.uniform(0.1, 2, shape) * rng.choice([-1.0, 1.0], shape)


def above(*shape: int, seed: int = 0) -> Array:
    """Positive numbers."""
    return np.random.default_rng([seed, *shape]).uniform(0.3, 2, shape)


def apart(*shape: int) -> Array:
    """Numbers of which no two are near."""
    return np.random.default_rng(3).permutation(int(np.prod(shape))).reshape(shape) / 7 - 1


def ints(*numbers: int) -> Array:
    return np.array(numbers, np.int64)


CONV_ATTRS: dict[str, dict[str, Any]] = {
    "plain": {},
    "pads": {"pads": (1, 0, 2, 1)},
    "strides": {"strides": (2, 3), "pads": (1, 1, 1, 1)},
    "strides with a rest": {"strides": (3, 2)},
    "dilations": {"dilations": (2, 1), "pads": (2, 1, 2, 1)},
    "all": {"strides": (2, 2), "dilations": (1, 2), "pads": (1, 2, 0, 1)},
}


def convs() -> dict[str, Case]:
    found = dict[str, Case]()
    for name, changes in CONV_ATTRS.items():
        attrs = {"strides": (1, 1), "pads": (0, 0, 0, 0), "dilations": (1, 1), **changes}
        attrs["kernel_shape"] = (3, 2)
        for groups in (1, 2):
            w = some(6, 4 // groups, 3, 2)
            found[f"Conv {name} groups {groups}"] = Case(
                "Conv", (some(2, 4, 8, 7), w, some(6)), {**attrs, "group": groups}
            )
            w = some(4, 6 // groups, 3, 2)
            found[f"ConvTranspose {name} groups {groups}"] = Case(
                "ConvTranspose", (some(2, 4, 4, 3), w, some(6)), {**attrs, "group": groups}
            )
    depthwise = {"strides": (1, 1), "pads": (1, 1, 1, 1), "kernel_shape": (3, 3), "group": 4}
    found["Conv depthwise"] = Case("Conv", (some(2, 4, 5, 5), some(8, 1, 3, 3)), depthwise)
    longer = {"strides": (2, 2), "pads": (1, 1, 1, 1), "kernel_shape": (3, 3)}
    longer["output_padding"] = (1, 0)
    found["ConvTranspose output_padding"] = Case(
        "ConvTranspose", (some(2, 4, 3, 4), some(4, 5, 3, 3)), longer
    )
    return found


def products() -> dict[str, Case]:
    a, b = some(3, 4), some(4, 5)
    found = {
        "MatMul": Case("MatMul", (a, b)),
        "MatMul batched": Case("MatMul", (some(2, 3, 4), some(2, 4, 5))),
        "MatMul broadcast left": Case("MatMul", (some(3, 4), some(2, 4, 5))),
        "MatMul broadcast right": Case("MatMul", (some(6, 2, 3, 4), some(1, 4, 5))),
        "MatMul narrow right": Case("MatMul", (some(2, 4, 5), some(2, 5, 3))),
        "MatMul narrow broadcast": Case("MatMul", (some(1, 4, 5), some(3, 5, 2))),
        "MatMul constant left": Case("MatMul", (a, b), const=(0,)),
        "MatMul constant right": Case("MatMul", (some(2, 3, 4), b), const=(1,)),
    }
    for i in range(4):
        flips = {"transA": i & 1, "transB": i >> 1}
        inputs = a.T if i & 1 else a, b.T if i >> 1 else b
        for shape in ((5,), (1, 5), (3, 1), (3, 5), ()):
            found[f"Gemm {i} {shape}"] = Case("Gemm", (*inputs, some(*shape)), flips)
    return found


def unary() -> dict[str, Case]:
    x = some(3, 5)
    found = {
        op: Case(op, (x,))
        for op in ("Identity", "Neg", "Abs", "Exp", "Erf", "Relu", "LeakyRelu", "Elu", "Sigmoid",
                   "HardSigmoid", "Tanh", "Softplus", "Reciprocal")
    }  # fmt: skip
    found |= {op: Case(op, (above(3, 5),)) for op in ("Log", "Sqrt")}
    selu = {"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875}
    return found | {
        "Cast": Case("Cast", (x,), {"to": "float64"}),
        "LeakyRelu alpha": Case("LeakyRelu", (x,), {"alpha": 0.3}),
        "Elu alpha": Case("Elu", (x,), {"alpha": 0.6}),
        "Selu": Case("Selu", (x,), selu),
        "Selu others": Case("Selu", (x,), {"alpha": 1.5, "gamma": 0.8}),
        "HardSigmoid alpha": Case("HardSigmoid", (2 * x,), {"alpha": 1 / 3, "beta": 0.5}),
        "Clip": Case("Clip", (x, np.array(-0.9), np.array(1.1)), const=(1, 2)),
        "Softmax": Case("Softmax", (some(2, 4, 3),), {"axis": 1}),
        "Softmax last": Case("Softmax", (x,), {"axis": -1}),
        "LogSoftmax": Case("LogSoftmax", (x,), {"axis": 1}),
        "PRelu": Case("PRelu", (some(2, 4, 3, 3), some(4, 1, 1))),
        "PRelu shared": Case("PRelu", (x, some(1))),
    }


def elementwise() -> dict[str, Case]:
    shapes = {"": ((2, 3), (2, 3)), " right": ((2, 4, 3), (4, 1)), " left": ((1,), (2, 3)),
              " both": ((2, 1, 3), (4, 1)), " scalar": ((2, 3), ())}  # fmt: skip
    found = dict[str, Case]()
    for op in ("Add", "Sub", "Mul", "Div", "Max", "Min"):
        for how, (a, b) in shapes.items():
            found[f"{op}{how}"] = Case(op, (some(*a), some(*b, seed=1)))
    found |= {
        "Sum": Case("Sum", (some(2, 3), some(3), some(2, 1))),
        "Max of four": Case("Max", tuple(apart(4, 2, 3))),
        "Pow": Case("Pow", (above(2, 3), np.array(2.5)), const=(1,)),
        "Pow stretched": Case("Pow", (above(3), above(2, 3)), const=(1,)),
        "Pow negative": Case("Pow", (above(2, 3), np.array(-0.75)), const=(1,)),
    }
    chosen = np.array([[True, False, True], [False, False, True]])
    for how, (a, b) in shapes.items():
        if how not in (" both", " right"):
            found[f"Where{how}"] = Case("Where", (chosen, some(*a), some(*b)))
    return found


def moves() -> dict[str, Case]:
    x = some(2, 3, 4)
    return {
        "Reshape": Case("Reshape", (x, ints(0, -1))),
        "Flatten": Case("Flatten", (x,), {"axis": 1}),
        "Squeeze": Case("Squeeze", (some(2, 1, 3), ints(1))),
        "Unsqueeze": Case("Unsqueeze", (x, ints(0, 2))),
        "Transpose": Case("Transpose", (x,), {"perm": (2, 0, 1)}),
        "Expand": Case("Expand", (some(3, 1), ints(2, 3, 4))),
        "Concat": Case("Concat", (some(2, 3), some(2, 1), some(2, 2)), {"axis": 1}),
        "Concat last": Case("Concat", (some(2, 3), some(2, 1)), {"axis": -1}),
        "Split": Case("Split", (x, ints(1, 3)), {"axis": 2}, results=2),
        "Slice": Case("Slice", (x, ints(1, 0), ints(3, 9), ints(1, 2))),
        "Slice backwards": Case("Slice", (x, ints(-2), ints(-1), ints(2))),
        "Pad": Case("Pad", (x, ints(0, 1, 2, 0, 0, 3))),
        "Gather": Case("Gather", (x, ints(2, 0, 1)), {"axis": 1}),
        "Gather often": Case("Gather", (some(4, 3), ints(1, 1, 3, 1, 0)), {"axis": 0}),
        "Gather a table": Case("Gather", (some(4, 3), np.array([[0, 3], [3, 2]])), {"axis": 0}),
        "Gather some": Case("Gather", (some(5, 3), ints(4, 2)), {"axis": 0}),
        "Gather last": Case("Gather", (some(2, 4), ints(3, 3, 0)), {"axis": 1}),
    }


def reductions() -> dict[str, Case]:
    found = dict[str, Case]()
    for op in ("ReduceSum", "ReduceMean", "ReduceSumSquare", "ReduceMax", "ReduceMin"):
        for keep in (0, 1):
            for axes in ((0,), (-1,), (0, 2), None):
                inputs = (apart(3, 2, 4), None if axes is None else ints(*axes))
                case = Case(op, inputs if axes else inputs[:1], {"keepdims": keep})
                found[f"{op} {axes} {keep}"] = case
    return found


CASES = {
    **convs(), **products(), **unary(), **elementwise(), **moves(), **reductions(),
    "a gradient of one's own": Case(
        "CustomGradient", (some(3), some(3, seed=1)), {"rule": lambda g: g.dy * 0.0}
    ),
    "a mean over one rank": Case("MeanOverRanks", (some(3),)),
}  # fmt: skip
