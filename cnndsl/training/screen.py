"""What a run says on the terminal before its first epoch and behind its last one, in 80 columns."""

import textwrap
from collections.abc import Iterator
from pathlib import Path

from cnndsl.data.dataset import Dataset
from cnndsl.ir import Model
from cnndsl.learned import frozen, learned_count, phases
from cnndsl.recipe import Recipe
from cnndsl.shapes import show
from cnndsl.source import counted
from cnndsl.training.progress import Row, best_row

_LABEL = 8
_WIDEST = 100  # beyond it lines are hard to read
_NAMES = 12  # so many classes are named


def opening(
    model: Model, recipe: Recipe, data: Dataset, steps: int, folder: Path, width: int
) -> str:
    """Model, data, recipe and run folder, a few lines each at most."""
    return "\n".join(
        [
            _lines("model", _model(model, recipe), width),
            _lines("data", _data(recipe, data), width),
            _lines("recipe", _recipe(recipe, steps, len(data.train)), width),
            _lines("run", [str(folder)], width),
        ]
    )


def closing(recipe: Recipe, rows: list[Row], summary: str, folder: Path) -> str:
    """Which weights were kept, where they are, and what to type next."""
    best = best_row(rows, recipe)
    of = f" (epoch {best['epoch']})" if best else ""
    return (
        f"best weights{of}: {summary}\n"
        f"{folder}/weights/best.onnx is ready to deploy\n"
        f"  cnndsl run {folder}/weights/best.onnx IMAGE\n"
        f"  cnndsl eval {folder}"
    )


def _lines(label: str, parts: list[str], width: int) -> str:
    """Parts joined by dots, wrapped behind their label."""
    return textwrap.fill(
        " · ".join(parts), min(width, _WIDEST), initial_indent=label.ljust(_LABEL),
        subsequent_indent=" " * _LABEL, break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _model(model: Model, recipe: Recipe) -> list[str]:
    shapes = f"{show(model.input)} → {show(model.output_shapes()[model.main_output])}"
    return [model.name, shapes, f"{counted(model.params, 'parameter')}", *_learned(model, recipe)]


def _learned(model: Model, recipe: Recipe) -> Iterator[str]:
    """How many learn, where not all do; the first epoch is 0, as in `freeze`."""
    if recipe.freeze:
        for epoch in phases(recipe):
            count = learned_count(model, frozen(model, recipe, epoch))
            yield f"from epoch {epoch} on {count:,} learn" if epoch else f"{count:,} learn"


def _data(recipe: Recipe, data: Dataset) -> list[str]:
    images = f"{counted(len(data.train), 'image')} to train, {len(data.test):,} held out"
    task, count = recipe.known_task(), len(data.names)
    each = ", ".join(task.overview(data.train.y, data.names)[:_NAMES])
    each += ", …" if count > _NAMES else ""
    nouns = task.nouns if count > 1 else task.nouns.removesuffix("s")
    return [data.name, images, f"{count} {nouns}: {each}"]


def _recipe(recipe: Recipe, steps: int, images: int) -> list[str]:
    waiting = images - steps * recipe.batch
    rest = f" ({counted(waiting, 'image')} left over, others each time)"
    return [
        f"{counted(recipe.epochs, 'epoch')} of {counted(steps, 'step')} of {recipe.batch}"
        f"{rest if waiting > 0 else ''}",
        *(recipe.setting(name).partition(" ")[2] for name in ("optimizer", "schedule", "loss")),
    ]
