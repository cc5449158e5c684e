"""What the ranks of a run exchange in the middle of a step.

It is not an operator of ONNX: `graph.cut` cuts the step there. A run's loss is the mean over its
ranks, so the gradient of a mean over them is again one.
"""

from cnndsl.graph.ops.base import Trait, define, same

define("MeanOverRanks", same, Trait.NONE, lambda g: g.dy.op("MeanOverRanks"))
