"""W2…: recipes that do not fit the network."""

from collections.abc import Iterator
from dataclasses import replace

from cnndsl.edits import removal, without
from cnndsl.fields import keys
from cnndsl.ir import Node
from cnndsl.layers.activation import Activation, Sigmoid
from cnndsl.layers.conv import Conv
from cnndsl.layers.dense import Dense
from cnndsl.layers.norm import BatchNorm
from cnndsl.layers.softmax import Softmax
from cnndsl.lints.base import Found, Subject, lint, place_of
from cnndsl.losses import Loss, MeanSquaredError
from cnndsl.recipe import Recipe
from cnndsl.shapes import show
from cnndsl.source import Fix, counted

CLASSES = {
    "cifar10": 10, "mnist": 10, "shapes": 10, "shapes_multilabel": 6, "shapes_regression": 3,
    "shapes_segmentation": 5,
}  # fmt: skip
"""Outputs that the known data sets need: classes, labels or numbers."""


def last_node(s: Subject) -> Node:
    """The node whose output is trained for."""
    return s.nodes[s.model.outputs[s.model.main_output]]


def removed(s: Subject, node: Node, safe: bool = True) -> Fix | None:
    """A fix that removes a word, or a statement of one word, and what parts it from others."""
    span, statement = node.span, node.statement
    if statement is None or not (node.follows or statement == span) or not s.is_alone(node):
        return None
    before = span.source.text[: span.start].rstrip(" \t")
    behind = before[-1:] not in ("", "\n")
    fix = removal(span, " \t;") if behind else without(span)
    return replace(fix, safe=safe)


@lint("W201")
def double_softmax(s: Subject) -> Iterator[Found]:
    """A model that ends in softmax or sigmoid before a loss that has it inside."""
    last, loss = last_node(s), assumed_loss(s)
    if loss is None or not loss.activation or not isinstance(last.layer, Softmax | Sigmoid):
        return
    yield Found(
        f"`{last.layer.word}` before `{loss.word}`, which has the {loss.activation} inside: it is "
        "applied twice", last.span, "end in logits: gradients through two of them nearly vanish",
        _said(s, "loss", loss), removed(s, last, safe=s.recipe is not None),
    )  # fmt: skip


def assumed_loss(s: Subject) -> Loss | None:
    """The loss of `train`, or the one that a training without more words has; None: not clear."""
    if s.recipe is not None:
        return s.recipe.loss
    vector = all(size == 1 for size in last_node(s).shape[1:])
    return Recipe().resolved(last_node(s).shape).loss if vector else None


def _said(s: Subject, setting: str, default: Loss | None = None) -> tuple[str, ...]:
    """Where a setting is given, or that it is the default."""
    place = s.recipe.places.get(setting) if s.recipe else None
    if place is None:
        return (f"`loss {default.word}` is the default of `cnndsl train`",) if default else ()
    return (f"`{place.text}` at line {place.line}",)


@lint("W202")
def wants_probabilities(s: Subject) -> Iterator[Found]:
    """`mse` on raw logits: its targets are 0 and 1."""
    last = last_node(s)
    if s.recipe is None or not isinstance(s.recipe.loss, MeanSquaredError):
        return
    if isinstance(last.layer, Activation) or s.recipe.known_task().kind == "numbers":
        return
    at = s.recipe.places.get("loss", last.span)
    fix = Fix(at, "loss cross_entropy", "write `loss cross_entropy`", safe=False)
    hint = "end the model in `softmax` or `sigmoid`, or take `cross_entropy`"
    yield Found("`mse` compares logits of any size with targets of 0 and 1", at, hint, fix=fix)


@lint("W203")
def other_classes(s: Subject) -> Iterator[Found]:
    """As many outputs as the data set has classes."""
    wanted = CLASSES.get(s.recipe.data or "") if s.recipe else None
    last, node = last_node(s), last_node(s)
    if wanted is None or s.recipe is None or last.shape[0] == wanted:
        return
    task = s.recipe.known_task()
    while (
        not isinstance(node.layer, Dense | Conv) and node.inputs and node.shape[0] == last.shape[0]
    ):
        node = s.source_of(node)
    at = node.places.get("units") or node.places.get("filters") or node.span
    literal = at.text == str(last.shape[0])
    yield Found(
        f"{s.recipe.data} has {wanted} {task.nouns}, but the model gives "
        f"{counted(last.shape[0], 'output')}", at,
        f"end in `{task.ending(wanted)}`", _said(s, "data"),
        Fix(at, str(wanted), f"write `{wanted}`") if literal and s.is_alone(node) else None,
    )  # fmt: skip


@lint("W204")
def far_rate(s: Subject) -> Iterator[Found]:
    """A learning rate that the optimizer is hardly ever used with."""
    if s.recipe is None:
        return
    optimizer = s.recipe.optimizer
    low, high = optimizer.typical_lr
    default = keys(type(optimizer))["lr"].default
    if low <= optimizer.lr <= high:
        return
    size = "small" if optimizer.lr < low else "large"
    yield Found(
        f"a learning rate of {optimizer.lr:g} is {size} for `{optimizer.word}`",
        place_of(s, "optimizer.lr"),
        f"it is mostly between {low:g} and {high:g}; `lr={default:g}` is the default",
    )  # fmt: skip


@lint("W205")
def batchnorm_batch_1(s: Subject) -> Iterator[Found]:
    """Batch norm over a batch of one picture."""
    if s.recipe is None or s.recipe.batch != 1:
        return
    first = next((n for n in s.nodes if isinstance(n.layer, BatchNorm)), None)
    if first is not None:
        yield Found(
            "`bn` normalises over the batch, and the batch is one picture", first.span,
            "take `gn`, which does not look at the batch, or a batch of 16 or more",
            _said(s, "batch"),
        )  # fmt: skip


@lint("W206")
def l2_with_sign_optimizer(s: Subject) -> Iterator[Found]:
    """An `l2` in the loss under an optimizer that takes only a gradient's direction."""
    if s.recipe is None or not s.recipe.optimizer.sign_like:
        return
    word = s.recipe.optimizer.word
    penalised = (node for node in s.nodes if any(p.l2 for p in node.params))
    for at in dict.fromkeys(node.places.get("l2", node.span) for node in penalised):
        yield Found(
            f"`l2` in the loss turns the steps of `{word}`, which are as long for a small gradient "
            "as for a large one", at,
            f"take `decay=` of `{word}`, which is apart from the gradient, and no `l2`",
            fix=removal(at, safe=False) if at.text.startswith("l2") else None,
        )  # fmt: skip


@lint("W207")
def augment_too_large(s: Subject) -> Iterator[Found]:
    """A warm-up as long as the training, a cutout or crop as large as the picture."""
    if s.recipe is None:
        return
    warmup, epochs = s.recipe.schedule.warmup, s.recipe.epochs
    size = s.model.input[1:]
    if warmup >= epochs:
        yield Found(
            f"the warm-up takes {counted(warmup, 'epoch')}, the whole training {epochs}",
            place_of(s, "schedule.warmup"), "the learning rate never gets to its full height: "
            "warm up for a tenth of the epochs or less", _said(s, "epochs"),
        )  # fmt: skip
    for name in ("cutout", "crop"):
        pixels: int = getattr(s.recipe.augment, name)
        if size and pixels >= min(size):
            yield Found(
                f"`{name}` takes {counted(pixels, 'pixel')} of a picture of {show(size)}",
                place_of(s, f"augment.{name}"), f"a quarter is much already: `{max(size) // 4}`"
                if min(size) > 3 else f"leave `{name}` out",
            )  # fmt: skip
