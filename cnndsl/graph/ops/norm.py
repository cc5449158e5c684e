"""Normalisations. Lowered to primitives before they are differentiated."""

from cnndsl.graph.ops.base import WIDE, Call, define, same
from cnndsl.graph.value import Dims


def _batch_norm(call: Call) -> list[Dims]:
    """The normalised x and, in training, the new mean and variance."""
    return [call.shape(), *(call.shape(1) for _ in range(call.results - 1))]


def _sync_batch_norm(call: Call) -> list[Dims]:
    """The normalised x of each micro-batch, the new mean and variance of all together."""
    *xs, scale, _bias, _mean, _variance = (call.shape(i) for i in range(len(call.inputs)))
    return [*xs, scale, scale]


define("BatchNormalization", _batch_norm, WIDE)
define("SyncBatchNormalization", _sync_batch_norm, WIDE)
define("LayerNormalization", same, WIDE)
define("InstanceNormalization", same, WIDE)
define("LRN", same, WIDE)
