"""The data of a run: opened by all its processes, and what the recipe asks of them."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from cnndsl.data.dataset import Dataset, Parts
from cnndsl.data.decoding import USUAL, Reading
from cnndsl.data.registry import open_dataset
from cnndsl.data.splits import for_training
from cnndsl.data.together import opened_together
from cnndsl.ir import Model
from cnndsl.recipe import Recipe
from cnndsl.runtime.ranks import Ranks
from cnndsl.source import UserError, counted, option
from cnndsl.training.batches import part_size
from cnndsl.training.distributed import check_same_on_all, facts_before, told_by_first
from cnndsl.training.norm_parts import check_sync_bn
from cnndsl.training.targets import resolved, tell_changes, tell_imbalance, tell_unmeasured


def open_shared(
    model: Model, recipe: Recipe, folder: Path | None, reading: Reading, sync_bn: bool
) -> tuple[Recipe, Dataset]:
    """`open_data` by all ranks of the reading: what is said is said once.

    UserError where the data are too few for the recipe.
    """
    ranks = reading.ranks
    check_same_on_all(ranks, lambda: facts_before(model, recipe))
    if reading.arrays is None:
        opened = opened_together(ranks, lambda: open_data(model, recipe, folder, reading))
    else:
        opened = _given_arrays(model, recipe, reading)
    recipe, data = opened
    _check_recipe(recipe, data, ranks)
    if sync_bn:
        check_sync_bn(model, recipe)
    return recipe, data


def _given_arrays(model: Model, recipe: Recipe, reading: Reading) -> tuple[Recipe, Dataset]:
    """Arrays of Python, of which each process has its own."""
    with told_by_first(reading.ranks):
        recipe, data = open_data(model, recipe, None, reading)
    check_same_on_all(reading.ranks, lambda: {"data": data.fingerprint()})
    return recipe, data


def open_data(
    model: Model, recipe: Recipe, data_dir: Path | None = None, reading: Reading = USUAL
) -> tuple[Recipe, Dataset]:
    """The recipe with its task and loss, and its data set; UserError where these do not fit."""
    recipe, data = resolved(model, recipe, open_any_data(model, recipe, data_dir, reading))
    tell_unmeasured(recipe.known_task(), data)
    tell_changes(data)
    tell_imbalance(recipe, data)
    return recipe, data


def open_any_data(
    model: Model,
    recipe: Recipe,
    data_dir: Path | None = None,
    reading: Reading = USUAL,
    arranged: Callable[[Parts], Dataset] | None = None,
) -> Dataset:
    """The recipe's data set, whatever its targets are; split as it says, unless `arranged`."""
    if recipe.data is None:
        raise UserError(
            f"no data set is given: `{option('data', 'cifar10')}`, or `train {{ data cifar10 }}`"
        )
    info = replace(reading.info, ground=recipe.ground or reading.info.ground)
    reading = replace(reading, info=info)
    return open_dataset(recipe.data, model.input, data_dir, reading, arranged or splitting(recipe))


def splitting(recipe: Recipe) -> Callable[[Parts], Dataset]:
    """Training and test images, held out as the recipe says."""
    if recipe.holdout is None:
        return for_training
    return partial(for_training, share=recipe.holdout.share, seed=recipe.holdout.seed)


def _check_recipe(recipe: Recipe, data: Dataset, ranks: Ranks) -> None:
    """UserError for a recipe that these pictures are too few or too small for."""
    part_size(recipe, ranks.size)
    if recipe.batch > len(data.train):
        raise UserError(
            f"{counted(len(data.train), 'training picture')} can fill no batch of {recipe.batch}\n"
            f"  {option('batch', len(data.train))}, or `batch {len(data.train)}`, is the most"
        )
    side = max(data.train.x.shape[2:])
    for word in ("crop", "cutout"):
        if getattr(recipe.augment, word) > 2 * side:
            raise UserError(
                f"`{word}={getattr(recipe.augment, word)}` is more than twice the pictures' side\n"
                f"  usual are {max(1, side // 8)} to {max(1, side // 4)} for pictures of {side}"
            )
