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


def with_data_kernels(
    first: ModelWeights, model: Model, recipe: Recipe, data: Dataset
) -> ModelWeights:
    """With the kernels of `init=whiten` made from the training images, where they are drawn."""
    if not whitens(model):
        return first
    file = recipe.weights
    drawn = tensors_of(model, file.fresh, "fresh") if file else list(first.tensors)
    info = first.info if first.info.normalises else ModelInfo(*data.moments())
    tensors = whitened(model, first.tensors, data.train.x, info, drawn)
    return replace(first, tensors=tensors)
