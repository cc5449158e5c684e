"""W208: settings of `train` that cannot change anything in the run that they are written for."""

from collections.abc import Iterator
from dataclasses import dataclass

from cnndsl.edits import removal, without
from cnndsl.lints.base import Found, Subject, lint, place_of
from cnndsl.lr_schedules import Plateau
from cnndsl.optim import Muon
from cnndsl.recipe import Augment, Recipe
from cnndsl.source import Fix

_ADAMW = ("beta1", "beta2", "eps")


@dataclass(frozen=True)
class Idle:
    """A setting or key, as `Recipe.places` has it, why it never acts, and how to mend that.

    `needless`: the recipe is the same without it, whatever was meant.
    """

    key: str
    message: str
    help: str
    needless: bool = False


@lint("W208")
def idle_setting(s: Subject) -> Iterator[Found]:
    """Settings that never act, each for a reason of its own."""
    if s.recipe is None:
        return
    for look in (_stop, _schedule, _watch, _augment, _ema, _lookahead, _views, _nesterov, _muon,
                 _freeze):  # fmt: skip
        for idle in look(s.recipe, s):
            fix = _removed(s.recipe, idle) if idle.needless else None
            yield Found(idle.message, place_of(s, idle.key), idle.help, fix=fix)


def _removed(recipe: Recipe, idle: Idle) -> Fix | None:
    """Without the key or the whole setting, where the spec has it."""
    at = recipe.places.get(idle.key)
    if at is None:
        return None
    return removal(at) if "." in idle.key else without(at)


def _stop(recipe: Recipe, s: Subject) -> Iterator[Idle]:
    """Early stopping with more patience than there are epochs."""
    stop, epochs = recipe.stop, recipe.epochs
    if stop is not None and stop >= epochs - 1:
        yield Idle(
            "stop",
            f"`stop {stop}` never ends a run of {_epochs(epochs)}",
            "wait for a tenth to a third of the epochs, or leave it out",
        )


def _schedule(recipe: Recipe, s: Subject) -> Iterator[Idle]:
    """A schedule that is over before it begins, or some part of it."""
    schedule = recipe.schedule
    reason = schedule.idle(recipe.epochs)
    if reason:
        hint = "let it act earlier, give more `epochs`, or take `schedule constant`"
        yield Idle("schedule", f"{reason} in a run of {_epochs(recipe.epochs)}", hint)
    elif _ends_before_a_drop(recipe):
        yield Idle(
            "schedule.patience",
            f"`stop {recipe.stop}` ends the run before `plateau` has waited for its drop",
            "let `stop` wait for about three times as long as `plateau`",
        )


def _ends_before_a_drop(recipe: Recipe) -> bool:
    """Whether early stopping has no more patience than the plateau."""
    schedule, stop = recipe.schedule, recipe.stop
    return isinstance(schedule, Plateau) and stop is not None and schedule.patience >= stop


def _watch(recipe: Recipe, s: Subject) -> Iterator[Idle]:
    """`min_delta` where nothing waits."""
    waits = recipe.stop is not None or isinstance(recipe.schedule, Plateau)
    if recipe.watch is not None and recipe.watch.min_delta and not waits:
        yield Idle(
            "watch.min_delta",
            "`min_delta` is for `stop` and `schedule plateau`, and neither is given",
            "add `stop 10`, or leave it out",
            needless=True,
        )


def _augment(recipe: Recipe, s: Subject) -> Iterator[Idle]:
    """`augment` without a change, or with changes of colours where there are none."""
    how, channels = recipe.augment, s.model.input[0]
    if how == Augment():
        if "augment" in recipe.said:
            yield Idle(
                "augment",
                "`augment` names no change, so images stay as they are",
                "say what may change: `augment flip crop=4`, or leave it out",
                needless=True,
            )
        return
    for name in ("hue", "saturation"):
        if getattr(how, name) and channels != 3:
            yield Idle(
                f"augment.{name}",
                f"`{name}` is for images of three channels, and these have {channels}",
                "leave it out; `jitter` changes brightness and contrast of any image",
                needless=True,
            )


def _ema(recipe: Recipe, s: Subject) -> Iterator[Idle]:
    """A moving mean that remembers nothing."""
    if recipe.ema == 0:
        yield Idle(
            "ema",
            "`ema 0` remembers nothing: the mean is the weights themselves",
            "0.999 remembers about a thousand steps; else leave it out",
            needless=True,
        )


def _lookahead(recipe: Recipe, s: Subject) -> Iterator[Idle]:
    """Slow weights that are the optimizer's own, or never move."""
    if recipe.lookahead is not None and recipe.lookahead.share == 1:
        yield Idle(
            "lookahead.share",
            "`share=1` makes the slow weights those of the optimizer, which is not a lookahead",
            "0.5 is usual, or leave `lookahead` out",
        )


def _views(recipe: Recipe, s: Subject) -> Iterator[Idle]:
    """`views` without a view."""
    if recipe.views.count == 1 and "views" in recipe.said:
        yield Idle(
            "views",
            "`views` names no view besides the image itself",
            "say which: `views mirror shift=1`, or leave it out",
            needless=True,
        )


def _nesterov(recipe: Recipe, s: Subject) -> Iterator[Idle]:
    """Nesterov's look ahead without momentum."""
    optimizer = recipe.optimizer
    if getattr(optimizer, "nesterov", None) and not getattr(optimizer, "momentum", 1):
        yield Idle(
            "optimizer.nesterov",
            "`nesterov` looks ahead along the momentum, and the momentum is 0",
            "give it: `momentum=0.9`, or leave `nesterov` out",
            needless=True,
        )


def _muon(recipe: Recipe, s: Subject) -> Iterator[Idle]:
    """Keys of the rule that does not move the rest."""
    optimizer = recipe.optimizer
    if not isinstance(optimizer, Muon):
        return
    idle, other = (_ADAMW, "adamw") if optimizer.rest == "sgd" else (("rest_momentum",), "sgd")
    for name in idle:
        if f"optimizer.{name}" in recipe.places:
            yield Idle(
                f"optimizer.{name}",
                f"`{name}` is of `rest={other}`, and here the rest is moved by {optimizer.rest}",
                f"leave it out, or say `rest={other}`",
                needless=True,
            )


def _freeze(recipe: Recipe, s: Subject) -> Iterator[Idle]:
    """Layers that are frozen in no epoch of the run."""
    for i, freeze in enumerate(recipe.freeze):
        end = recipe.epochs if freeze.until is None else min(freeze.until, recipe.epochs)
        if freeze.start >= end:
            yield Idle(
                f"freeze:{i}",
                f"`freeze` from epoch {freeze.start} until {end} freezes nothing",
                f"`from` is before `until`, in a run of {_epochs(recipe.epochs)}; 0 is the first",
            )


def _epochs(count: float) -> str:
    return f"{count:g} epoch{'s' * (count != 1)}"
