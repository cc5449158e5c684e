"""The weights that a run begins with: of a file, drawn, or made from the training images."""

from dataclasses import replace

from cnndsl.data.dataset import Dataset
from cnndsl.ir import Model
from cnndsl.learned import tensors_of
from cnndsl.recipe import Recipe
from cnndsl.training.memory import check_weights
from cnndsl.training.whitening import whitened, whitens
from cnndsl.weights.fit import ModelWeights, weights_named
from cnndsl.weights.initial import initial_weights
from cnndsl.weights.model_info import ModelInfo


def first_weights(model: Model, recipe: Recipe) -> ModelWeights:
    """Of a file, or drawn; images are prepared as they say."""
    check_weights(model)
    if recipe.weights is None:
        return ModelWeights(initial_weights(model, recipe.seed), ModelInfo())
    return weights_named(model, recipe.weights, recipe.seed)


def fitted_to_data(
    first: ModelWeights, model: Model, recipe: Recipe, data: Dataset
) -> ModelWeights:
    """With what the training images give: mean and standard deviation, where the weights tell none,
    and the kernels of `init=whiten`, where they are drawn.
    """
    info = first.info if first.info.normalises else first.info.updated(*data.moments())
    first = replace(first, info=info)
    if not whitens(model):
        return first
    file = recipe.weights
    drawn = tensors_of(model, file.fresh, "fresh") if file else list(first.tensors)
    tensors = whitened(model, first.tensors, data.train.x, info, drawn)
    return replace(first, tensors=tensors)
