"""W214: what `train` refuses of a known data set, told before it is read."""

from collections.abc import Iterator

from cnndsl.lints.base import Found, Subject, lint, place_of
from cnndsl.lints.training import CLASSES, last_node
from cnndsl.shapes import show
from cnndsl.source import Fix, counted

SIZES = {
    "cifar10": (3, 32, 32), "mnist": (1, 28, 28), "shapes": (3, 32, 32),
    "shapes_multilabel": (3, 48, 48), "shapes_regression": (3, 32, 32),
    "shapes_segmentation": (3, 64, 64),
}  # fmt: skip
"""Channels, height and width of the images of the known data sets."""


@lint("W214")
def unfit_data(s: Subject) -> Iterator[Found]:
    """A known data set by a slip of its name, images of another size, weights of other classes."""
    if s.recipe is None or s.recipe.data is None:
        return
    yield from _name(s, s.recipe.data)
    yield from _size(s, s.recipe.data)
    yield from _weights(s, s.recipe.data)


def _name(s: Subject, data: str) -> Iterator[Found]:
    plain = data.lower().replace("-", "").replace(" ", "")
    if data in CLASSES or plain not in CLASSES:
        return
    at = place_of(s, "data")
    fix = Fix(at, f"data {plain}", f"write `data {plain}`") if at.text.startswith("data") else None
    yield Found(f"`{data}` is not a data set's name", at, f"`data {plain}` is one", fix=fix)


def _size(s: Subject, data: str) -> Iterator[Found]:
    wanted, have = SIZES.get(data), s.model.input
    if wanted is None or wanted == have:
        return
    yield Found(
        f"{data} has images of {show(wanted)}, but the model takes {show(have)}",
        place_of(s, "data"), f"write `input {show(wanted)}`",
    )  # fmt: skip


def _weights(s: Subject, data: str) -> Iterator[Found]:
    """A weight for each class: of the data set where it is known, else of the model's outputs."""
    weights = getattr(s.recipe.loss, "weights", None) if s.recipe else None
    if not isinstance(weights, str) or weights == "balanced":
        return
    count, wanted = len(weights.replace(",", " ").split()), CLASSES.get(data, last_node(s).shape[0])
    if count != wanted:
        yield Found(
            f"{counted(count, 'weight')} for {counted(wanted, 'class')}",
            place_of(s, "loss.weights"),
            "give one for each class, or `weights=balanced`",
        )  # fmt: skip
