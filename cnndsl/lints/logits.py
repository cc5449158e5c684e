"""W209: layers behind the logits that only harm them."""

from collections.abc import Iterator

from cnndsl.ir import Node
from cnndsl.layers.activation import Activation, Scale, Sigmoid
from cnndsl.layers.dense import Flatten
from cnndsl.layers.dropout import Dropping
from cnndsl.layers.softmax import LogSoftmax, Softmax
from cnndsl.lints.base import Found, Subject, lint
from cnndsl.lints.training import assumed_loss, last_node, removed

_MEANT = (Sigmoid, Softmax, LogSoftmax, Scale)
"""W201 has probabilities; their logarithms are logits; a factor on logits is a temperature."""


@lint("W209")
def behind_logits(s: Subject) -> Iterator[Found]:
    """Dropout or an activation between the last layer with weights and the loss."""
    loss = assumed_loss(s)
    if loss is None:
        return
    for node in _ending(s):
        if isinstance(node.layer, Dropping):
            message = f"`{node.layer.word}` behind the last layer drops answers, not features"
            hint = "put it before the last layer"
        elif isinstance(node.layer, Activation) and loss.activation:
            message = f"`{node.layer.word}` behind the logits: `{loss.word}` takes any number"
            hint = f"end in logits: the {loss.activation} of `{loss.word}` is what follows them"
        else:
            continue
        yield Found(message, node.span, hint, fix=removed(s, node, safe=False))


def _ending(s: Subject) -> Iterator[Node]:
    """What stands behind the last layer that computes with weights, but for probabilities."""
    node = last_node(s)
    while node.inputs and isinstance(node.layer, Dropping | Activation | Flatten):
        if not isinstance(node.layer, _MEANT):
            yield node
        node = s.source_of(node)
