"""What `bn` sees of a batch that is computed in parts, and what it costs to see all of it."""

from cnndsl.backend.step import sees_whole_batch
from cnndsl.ir import Model
from cnndsl.recipe import Recipe
from cnndsl.runtime.ranks import Ranks
from cnndsl.runtime.steppers.base import Stepper
from cnndsl.runtime.steppers.split import SplitStepper
from cnndsl.source import UserError, option
from cnndsl.training.batches import part_size

_SYNC = option("sync-bn", True)


def check_sync_bn(model: Model, recipe: Recipe) -> None:
    """UserError where norms cannot see a whole batch, or there are none."""
    if not sees_whole_batch(model):
        raise UserError(f"{_SYNC}: the spec has no `bn`; leave it out")
    if recipe.accumulate > 1:
        raise UserError(
            f"{_SYNC}: `accumulate {recipe.accumulate}` computes the parts of a batch one after "
            f"the other, and `bn` needs them at once\n"
            f"  leave one of them out; {option('micro-batch', 8)} cuts a batch that `bn` sees whole"
        )


def told_of_norms(model: Model, recipe: Recipe, stepper: Stepper, ranks: Ranks) -> str | None:
    """What is said before the first step where `bn` sees a part, or sees all at a price."""
    part = part_size(recipe, ranks.size)
    if part == recipe.batch or not sees_whole_batch(model):
        return None
    if not isinstance(stepper, SplitStepper) or not stepper.gradient.exchanges:
        return f"`bn` sees {part} of the {recipe.batch} images of a batch at a time"
    exchanges = stepper.gradient.exchanges
    return (
        f"`bn` sees all {recipe.batch} images of a batch: a step is cut into "
        f"{len(exchanges) + 1} graphs, with {len(exchanges)} exchanges of "
        f"{sum(exchanges) / 1024:,.1f} KiB in all, and {stepper.gradient.held / 2**20:,.1f} MiB "
        f"a process that are held between them"
    )
