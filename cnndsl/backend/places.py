"""Which numbers of a model are eight bits in its int8 graph."""

from collections.abc import Mapping
from dataclasses import dataclass

RANGES = "quantize.ranges"
"""The tensor of the least and the largest value of each activation that is rounded, (count, 2)."""
IMAGES = "input"
"""What the normalised images are called among the activations."""


@dataclass(frozen=True)
class Places:
    """Where the quantiser rounds.

    `activations` are values by their names in the inference graph, in the order of the ranges;
    those of `sharing` have the range of another. `weights` are parameters, with the axis of their
    output channels. The operators `kept` are computed in float32, and nothing of the layers
    `in_float` is in eight bits.
    """

    activations: tuple[str, ...]
    sharing: Mapping[str, str]
    weights: Mapping[str, int]
    kept: tuple[str, ...] = ()
    in_float: tuple[str, ...] = ()
