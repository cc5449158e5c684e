"""Rounding to eight bits. What is rounded is flat; training takes the gradient straight through.

`FakeQuantize`, `FakeQuantizeWeight` and `Extremes` are no operators of ONNX: `write_quantizers` and
the lowering write them as such. Source: Jacob et al. 2018, arXiv:1712.05877.
"""

from cnndsl.graph.ops.base import ELEMENTWISE, MONOTONE, Trait, define, same

ROUNDED = "a rounded number is flat"

define("FakeQuantize", same, Trait.NONE, lambda g: g.dy)
define("FakeQuantizeWeight", same, Trait.NONE, lambda g: g.dy)
define("Extremes", lambda call: [(2,)], constant="a range is a statistic")
define("QuantizeLinear", same, dtype=lambda call: call.x(2).dtype, constant=ROUNDED)
define("DequantizeLinear", same, dtype=lambda call: call.x(1).dtype, constant=ROUNDED)
define("Round", same, ELEMENTWISE | MONOTONE, constant=ROUNDED)
