"""What no run can do of a recipe: settings that exclude each other, or do not fit the model.

Each check is a UserError with the way to mend it. `train` asks before it reads data, `check` tells.
"""

from collections.abc import Callable
from functools import reduce

from cnndsl.ir import Model
from cnndsl.learned import frozen, learned_count, phases, resting_nodes
from cnndsl.model_parts import body_and_head
from cnndsl.recipe import Augment, Recipe, Views
from cnndsl.source import UserError, counted, either, option

_VIEWS = 8


def check_quantize(recipe: Recipe) -> None:
    """UserError for epochs that there are not, and for two ways to one file."""
    chosen, epochs = recipe.quantize, recipe.epochs
    if chosen is None:
        return
    if chosen.start >= epochs:
        last = f"the last of {epochs} is {epochs - 1}"
        raise UserError(f"quantize: nothing is rounded from epoch {chosen.start} on; {last}\n"
                        f"  write `quantize int8 from={epochs // 2}`, or more epochs: "
                        f"{option('epochs', chosen.start * 2)}")  # fmt: skip
    if chosen.hold is not None and chosen.hold < chosen.start:
        raise UserError(f"quantize: hold={chosen.hold} is before from={chosen.start}\n"
                        f"  ranges can stay from epoch {chosen.start} on: leave `hold` out, or "
                        f"write a later epoch")  # fmt: skip
    if recipe.export is not None:
        raise UserError(
            "`quantize int8` and `export int8` both write best.int8.onnx\n"
            "  leave `export` out for the trained one, or `quantize` for the other"
        )


def check_precision(recipe: Recipe) -> None:
    """UserError for a step in float16 that is to be rounded to eight bits besides."""
    if recipe.precision is not None and recipe.quantize is not None:
        raise UserError(
            "`precision fp16` and `quantize int8` do not go together: what is rounded to eight "
            "bits is float32\n  leave `precision` out, or `quantize`"
        )


def check_cache(model: Model, recipe: Recipe) -> None:
    """UserError for `cache features` where they are not the same in all epochs."""
    if recipe.cache is None:
        return
    cached_parts(model, recipe)
    augment, views = recipe.augment, recipe.cache.views
    if recipe.quantize is not None:
        raise UserError("cache: `quantize` rounds the frozen layers, too, whose features are in "
                        "float32\n  leave one of both out")  # fmt: skip
    if augment.mixup:
        raise UserError("cache: `mixup` blends other pairs in each epoch, of which nothing can be "
                        "cached\n  leave one of both out")  # fmt: skip
    if augment != Augment() and views is None:
        raise UserError("cache: images are augmented anew in each epoch, and features are computed "
                        f"once\n  {with_views(_VIEWS)} caches {_VIEWS} augmented views of each "
                        "image; or leave `augment` out")  # fmt: skip
    if augment == Augment() and (views or 1) > 1:
        raise UserError(f"cache: without `augment` all {views} views of an image are the same\n"
                        "  leave `views` out, or write `augment flip`")  # fmt: skip


def with_views(views: int) -> str:
    """How to ask for so many cached views."""
    return either(f"--cache-features --cached-views {views}", f'cache="features views={views}"')


def cached_parts(model: Model, recipe: Recipe) -> tuple[Model, Model]:
    """The body that is frozen in every epoch, and the rest; UserError where there is none."""
    resting = (resting_nodes(model, frozen(model, recipe, epoch)) for epoch in phases(recipe))
    fixed = reduce(frozenset[int].intersection, resting)
    if not any(model.nodes[i].params for i in fixed):
        windows = any(f.start or f.until for f in recipe.freeze)
        how = "leave out `from` and `until`" if windows else "write `freeze body`"
        raise UserError("cache: no layer before those that learn is frozen for the whole run\n"
                        f"  {how}, or leave `cache features` out")  # fmt: skip
    try:
        return body_and_head(model, set(range(len(model.nodes))) - fixed)
    except UserError as error:
        raise UserError(f"cache: {error}\n  freeze up to a single layer: `freeze body`") from None


def check_views(model: Model, views: Views) -> None:
    """UserError for views that a model's images cannot have, or its outputs cannot be means of."""
    if views.count == 1:
        return
    if len(model.input) != 3:
        count = counted(model.input[0], "feature")
        raise UserError(f"views are of images, and the model takes {count}\n  leave `views` out")
    side = min(model.input[1:])
    if views.shift >= side:
        how = "take 1" if side > 1 else "take `mirror` alone"
        raise UserError(f"views: a shift of {views.shift} leaves nothing of {side} pixels\n  {how}")
    if views.shift and any(d > 1 for s in model.output_shapes().values() for d in s[1:]):
        raise UserError(
            "views: the model answers by maps, which do not shift\n  take `mirror` alone"
        )


def check_divides(recipe: Recipe, ranks: int = 1) -> None:
    """UserError for a batch that `accumulate` and all ranks cannot divide, with those they can."""
    batch, parts = recipe.batch, recipe.accumulate * ranks
    if batch % parts == 0:
        return
    below = batch // parts * parts
    fitting = " or ".join(option("batch", n) for n in (below, below + parts) if n)
    each = f" and `accumulate {recipe.accumulate}`" if recipe.accumulate > 1 and ranks > 1 else ""
    shared = f"{ranks} processes{each}" if ranks > 1 else f"`accumulate {recipe.accumulate}`"
    fewer = [n for n in range(ranks - 1, 0, -1) if batch % (recipe.accumulate * n) == 0]
    or_fewer = f", or {counted(fewer[0], 'process')}" if fewer else ""
    raise UserError(f"{shared} cannot divide a batch of {batch}\n  take {fitting}{or_fewer}")


def micro_batches(batch: int, size: int) -> int:
    """How many of this size a batch is cut into; UserError, with sizes that divide it, else."""
    if batch % size == 0:
        return batch // size
    divisors = [n for n in range(1, batch + 1) if batch % n == 0]
    near = [*(n for n in divisors if n < size)][-1:] + [*(n for n in divisors if n > size)][:1]
    fitting = " or ".join(option("micro-batch", n) for n in near)
    given = option("micro-batch", size)
    raise UserError(f"{given} does not divide the batch of {batch}\n  take {fitting}")


def check_learns(model: Model, recipe: Recipe) -> None:
    """UserError for epochs in which nothing learns."""
    if not learned_count(model, frozenset()):
        raise UserError("no layer has weights that learn\n  add one, such as `dense 10` at the end")
    for epoch in phases(recipe):
        if not learned_count(model, frozen(model, recipe, epoch)):
            when = f" from epoch {epoch} on" if epoch else ""
            raise UserError(f"freeze: nothing learns{when}\n  leave some layers out: `freeze body`")


CHECKS: dict[str, Callable[[Model, Recipe], None]] = {
    "quantize": lambda model, recipe: check_quantize(recipe),
    "precision": lambda model, recipe: check_precision(recipe),
    "cache": check_cache,
    "views": lambda model, recipe: check_views(model, recipe.views),
    "freeze": check_learns,
    "accumulate": lambda model, recipe: check_divides(recipe),
}
"""By the setting that they are about."""


def check_recipe(model: Model, recipe: Recipe) -> None:
    """UserError for the first of what no run can do."""
    for check in CHECKS.values():
        check(model, recipe)
