"""Classes of data against those that a model has learned: the same ones, in its order."""

from collections.abc import Sequence

from cnndsl.data.dataset import Dataset
from cnndsl.ir import Model
from cnndsl.source import UserError, counted, listed
from cnndsl.tasks import Task
from cnndsl.training.targets import check_outputs


def as_learned(model: Model, learned: tuple[str, ...], task: Task, data: Dataset) -> Dataset:
    """The data with the run's classes; `learned` are their names, none where it has none.

    Classes are matched by name. Plain numbers are no names: such classes are taken by position.
    UserError for classes that the run has not, and for a task that needs all of them.
    """
    found = _reordered(learned, task, data)
    if found is None:
        _refuse(model, learned, task, data)
    return found or data


def as_compiled(subject: str, learned: tuple[str, ...], task: Task, data: Dataset) -> Dataset:
    """The data with the classes that a compiled model tells of, matched as by `as_learned`.

    UserError where the data have others.
    """
    if not learned:
        return data
    found = _reordered(learned, task, data)
    if found is None:
        raise UserError(f"{subject} has the {task.nouns} {', '.join(learned)}; "
                        f"{data.name} has {', '.join(data.names)}")  # fmt: skip
    return found


def _reordered(learned: tuple[str, ...], task: Task, data: Dataset) -> Dataset | None:
    """The data with the learned classes in their order; None where they have others."""
    places = _places(learned, data.names)
    known = [place for place in places if place is not None]
    if len(known) < len(places) or not (task.partial or len(known) == len(learned)):
        return None
    return data.with_targets(lambda y: task.reordered(y, known), learned)


def check_output(subject: str, shape: Sequence[int], task: Task, data: Dataset) -> None:
    """UserError where a compiled model has not an output for each class, label, number or pixel.

    `shape` is that of its output without N; 0 is an open size.
    """
    count, *size = shape
    if any(side > 1 for side in size) and not task.moves:
        raise UserError(f"{subject} gives {'×'.join(map(str, ('N', *shape)))}, a map, and tells of "
                        f"no task; a {task.word} gives N×C\n"
                        "  `cnndsl decompile` makes a spec of it, in which `train { task … }` says "
                        "what it learns")  # fmt: skip
    if count and count != task.outputs(data.names):
        raise UserError(f"{subject} gives {counted(count, 'output')}; "
                        f"{data.name} has {len(data.names)} {task.nouns}")  # fmt: skip
    problem = task.size_problem(tuple(shape), data.test.y.shape[1:]) if all(shape) else None
    if problem is not None:
        raise UserError(f"{subject} {problem}")


def _places(learned: tuple[str, ...], names: tuple[str, ...]) -> list[int | None]:
    """Where each class is among those of the run; None for one that is not there."""
    if _are_numbers(names) and not _are_numbers(learned):
        return [int(name) if int(name) < len(learned) else None for name in names]
    at = {name: place for place, name in enumerate(learned)}
    return [at.get(name) for name in names]


def _are_numbers(names: tuple[str, ...]) -> bool:
    return all(name.isascii() and name.isdigit() for name in names)


def _refuse(model: Model, learned: tuple[str, ...], task: Task, data: Dataset) -> None:
    """UserError where the classes of the data have no place in the model."""
    extra = [name for name in data.names if name not in learned]
    missing = [name for name in learned if name not in data.names]
    hint = "it needs those of the run"
    hint += f": also {listed(missing)}" if missing else ""
    hint += f": without {listed(extra)}" if extra and not missing else ""
    check_outputs(model, data, task, hint)
    if learned and not _are_numbers(learned):
        raise UserError(
            f"{data.name}: `{extra[0]}` is none of the run's {task.nouns}: {listed(learned)}\n"
            f"  name the {task.nouns} as they were in training"
        )
