"""W210…: outputs that do not fit what their task learns."""

from collections.abc import Iterator

from cnndsl.layers.activation import HardSigmoid, Relu, Relu6, Sigmoid, Softplus
from cnndsl.layers.softmax import Softmax
from cnndsl.lints.base import Found, Subject, lint
from cnndsl.lints.training import CLASSES, last_node, removed
from cnndsl.tasks.classification import Classification

_NEVER_NEGATIVE = (HardSigmoid, Relu, Relu6, Sigmoid, Softmax, Softplus)


@lint("W210")
def softmax_of_one(s: Subject) -> Iterator[Found]:
    """Cross entropy of a single output, which is 0 whatever it is."""
    loss = s.recipe.loss if s.recipe else None
    if s.recipe is None or loss is None or loss.activation != "softmax":
        return
    node, is_told = last_node(s), s.recipe.said & {"task", "loss"}  # data may tell of a regression
    if node.shape[0] != 1 or not is_told or s.recipe.data in CLASSES:  # W203 knows their number
        return
    task = s.recipe.known_task()
    alone = ", or learn by this one: `task binary; loss bce`"
    yield Found(
        f"`{loss.word}` of one output: the softmax of one number is always 1, so nothing is "
        "learned", node.span, f"end in an output for each class: `{task.ending(2)}` for yes and no"
        + (alone if isinstance(task, Classification) else ""),
    )  # fmt: skip


@lint("W211")
def one_sided_numbers(s: Subject) -> Iterator[Found]:
    """An activation at the end of a regression that gives nothing below 0."""
    node = last_node(s)
    if s.recipe is None or s.recipe.known_task().kind != "numbers":
        return
    if isinstance(node.layer, _NEVER_NEGATIVE):
        yield Found(
            f"`{node.layer.word}` at the end of a regression gives nothing below 0, but targets "
            "are standardised: about half of them are", node.span,
            f"end in the layer before it: {_SCALED}", fix=removed(s, node),
        )  # fmt: skip


_SCALED = "the deployed graph scales its outputs to the targets' own units"


@lint("W212")
def map_of_another_size(s: Subject) -> Iterator[Found]:
    """A map that is not as large as the images, and so mostly not as large as their masks."""
    node = last_node(s)
    if s.recipe is None or len(s.model.input) != 3 or len(node.shape) != 3:
        return
    problem = s.recipe.known_task().size_problem(node.shape, s.model.input[1:])
    if problem is not None:
        told, _, hint = problem.partition("\n  ")
        told = told.replace("the masks are", "masks of the images' size would be")
        yield Found(told, node.span, hint)


@lint("W213")
def ignored_output(s: Subject) -> Iterator[Found]:
    """A class that the loss leaves out, and an output for it."""
    loss = s.recipe.loss if s.recipe else None
    node = last_node(s)
    if s.recipe is None or loss is None or loss.ignored() >= node.shape[0]:
        return
    at, number = s.recipe.places.get("loss.ignore", node.span), loss.ignored()
    yield Found(
        f"`ignore={number}` leaves class {number} out of the loss, but the model has an output for "
        "it: its pixels are always taken for another class", at,
        "a background that is to be found is a class: leave `ignore=` out; mark pixels of no class "
        "by 255",
    )  # fmt: skip
