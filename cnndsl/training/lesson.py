"""What a step learns from: a model and its images, or its head and features of a frozen body."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np

from cnndsl.backend.inference import Options
from cnndsl.backend.places import Places
from cnndsl.data.dataset import Dataset, Split
from cnndsl.data.progress import shown
from cnndsl.ir import Model
from cnndsl.recipe import Augment, Recipe
from cnndsl.recipe_checks import cached_parts, with_views
from cnndsl.results import Scores
from cnndsl.runtime.ranks import Ranks, share_of
from cnndsl.source import counted
from cnndsl.training.batches import Batches, Feed
from cnndsl.training.compiled import Compiled
from cnndsl.training.evaluate import Evaluator
from cnndsl.training.memory import TooLarge, free_bytes, size_told
from cnndsl.training.settings import Settings
from cnndsl.weights.base import Weights

Moments = tuple[tuple[float, ...], tuple[float, ...]]
_FLOAT = 4
_SHARE = 0.5  # of the free memory, which the step needs, too


@dataclass(frozen=True, eq=False)
class Lesson:
    """The model that a step computes, what it is shown, and what measures it.

    `views` of each image stand behind each other in `train`; `fixed` are tensors of the whole model
    that are none of this one's.
    """

    model: Model
    recipe: Recipe
    train: Split
    test: Split
    evaluator: Evaluator
    views: int = 1
    fixed: Weights = field(default_factory=dict[str, Any])

    @property
    def floats(self) -> bool:
        """Whether it is shown features in the place of images."""
        return self.train.x.dtype == np.float32

    def batches(self, compiled: Compiled) -> Batches:
        """For the step of a phase, which tells its random inputs."""
        batch, ranks = self.recipe.batch, self.evaluator.ranks
        randoms, rows = compiled.random_shapes(batch), share_of(ranks, batch)
        return Batches(self.train, self.recipe, self.evaluator.shape, randoms, rows, self.views)

    def whole(self, tensors: Weights) -> dict[str, Any]:
        """Tensors of its model with the others of the whole one."""
        return {**self.fixed, **tensors}

    def score(self, weights: Weights, between: Callable[[], None] = lambda: None) -> Scores:
        """See `Evaluator.score`."""
        return self.evaluator.score(weights, self.test, between)


def measuring(
    model: Model, recipe: Recipe, data: Dataset, moments: Moments, settings: Settings, ranks: Ranks,
    places: Places,
) -> Evaluator:  # fmt: skip
    """What measures a whole model: its images are normalised by mean and standard deviation."""
    mean, std = moments
    info = replace(data.info, mean=mean, std=std, classes=data.names, task=None)
    deploy = Options(uint8=len(model.input) == 3, info=info)
    device, threads = settings.device, settings.threads
    return Evaluator(model, recipe, deploy, device, threads, ranks, places)


def lesson(
    model: Model, recipe: Recipe, data: Dataset, weights: Weights, evaluator: Evaluator,
    display: str,
) -> Lesson:  # fmt: skip
    """What a run learns from; features, where they are wanted, are computed here.

    `evaluator` is that of the whole model.
    """
    if recipe.cache is None:
        return Lesson(model, recipe, data.train, data.test, evaluator)
    body, head = cached_parts(model, recipe)
    views = recipe.cache.views or 1
    _check_memory(body, data, views)
    train, test = _Features(replace(evaluator, model=body), weights, display).of(data, views)
    named = head.tensors()
    info = replace(evaluator.options.info, mean=(0.0,), std=(1.0,))
    return Lesson(
        head, replace(recipe, augment=Augment()), train, test,
        replace(evaluator, model=head, options=Options(info=info)), views,
        {name: tensor for name, tensor in weights.items() if name not in named},
    )  # fmt: skip


def _check_memory(body: Model, data: Dataset, views: int) -> None:
    """TooLarge for more features than there is memory for; else how much they take is told."""
    each = _FLOAT * prod(next(iter(body.output_shapes().values())))
    images, tests = len(data.train), len(data.test)
    needed, free = each * (views * images + tests), _SHARE * free_bytes()
    seen = f"{views} views of " if views > 1 else ""
    what = f"features of {seen}{counted(images, 'image')}, and of {tests:,} to measure on"
    if needed <= free:
        print(f"{what}: {size_told(needed)} of memory", file=sys.stderr)
        return
    fewer = int((free / each - tests) / images)
    hint = f"{with_views(fewer)}, or " if 1 < fewer < views else ""
    raise TooLarge(f"cache: {what} need {size_told(needed)} of memory; {size_told(free)} may be "
                   f"taken\n  {hint}leave `cache features` out")  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Features:
    """Computes what a body gives, in the batches of its evaluator."""

    body: Evaluator
    weights: Weights
    display: str

    def of(self, data: Dataset, views: int) -> tuple[Split, Split]:
        """Of the training images, each view as an epoch would show it, and of those of the test."""
        recipe = replace(self.body.recipe, batch=self.body.batch)
        train, test = Batches(data.train, recipe, ()), self._plain(data.test)
        seen = (feed for view in range(views) for feed in _view(train, view))
        return self._computed(seen, views * len(data.train)), self._computed(test, len(data.test))

    def _plain(self, split: Split) -> Iterator[Feed]:
        for at in range(0, len(split), self.body.batch):
            rows = slice(at, at + self.body.batch)
            yield {"x": split.x[rows], "y": split.y[rows]}

    def _computed(self, feeds: Iterator[Feed], count: int) -> Split:
        forward, targets = self.body.forward(self.weights), list[Any]()
        x = np.empty((count, *self.body.shape), np.float32)
        at, steps = 0, -(-count // self.body.batch)
        for feed in shown(feeds, steps, "computing features", self.display):
            x[at : at + len(feed["x"])] = forward(feed["x"])
            targets.append(feed["y"])
            at += len(feed["x"])
        return Split(x, np.concatenate(targets))


def _view(batches: Batches, view: int) -> Iterator[Feed]:
    """All images in their order, as an epoch would show them."""
    batch, count = batches.recipe.batch, len(batches.data)
    order = np.resize(np.arange(count), -(-count // batch) * batch)  # the last batch is filled up
    for step in range(len(order) // batch):
        feed = batches.make(view, step, order)
        yield {name: array[: count - step * batch] for name, array in feed.items()}
