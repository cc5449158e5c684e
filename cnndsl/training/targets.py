"""What is to be learned: the task that spec and data tell, and the data as it takes them."""

import sys
from dataclasses import replace

from cnndsl.backend.step import main_output
from cnndsl.data.changes import told_changes
from cnndsl.data.dataset import Dataset
from cnndsl.ir import Model
from cnndsl.losses import VOID, Loss
from cnndsl.losses import registry as losses
from cnndsl.recipe import Recipe
from cnndsl.source import UserError, counted, listed, option, printable
from cnndsl.tasks import Task, registry
from cnndsl.tasks.classification import is_one_hot

_UNEVEN = 10


def resolved(model: Model, recipe: Recipe, data: Dataset) -> tuple[Recipe, Dataset]:
    """The recipe with task and loss fitted to the data, and the data with the task's targets.

    UserError where the task is not clear, or model, data and recipe do not fit each other.
    """
    task = (recipe.task or _told_by(model, recipe, data)).for_loss(recipe.loss)
    data = read_as(task, data)
    return fitted(model, replace(recipe, task=task), data), data


def fitted(model: Model, recipe: Recipe, data: Dataset) -> Recipe:
    """The recipe of a known task with task and loss fitted to data that are read; UserError as
    `resolved`.
    """
    task = recipe.known_task()
    lack = task.lack(data.train.y, data.names)
    if lack is not None:
        raise UserError(f"{data.name}: {lack}")
    _check_model(model, task, data)
    check_outputs(model, data, task, f"end the spec with `{task.ending(len(data.names))}`")
    task = task.fitted(data.train.y, data.names, data.units)
    loss = task.loss_of(recipe.loss)
    counts = task.weighed(task.counts(data.train.y, data.names))
    loss = loss.fitted(counts, len(data.train))
    recipe = replace(recipe, task=task, loss=loss)
    check_recipe(recipe)
    return recipe


def _told_by(model: Model, recipe: Recipe, data: Dataset) -> Task:
    """The one task that reads such targets, and takes the loss where one is given."""
    if data.task is not None:
        return registry[data.task]()
    loss = recipe.loss
    able = [
        task
        for task in (cls() for cls in registry.values())
        if task.refusal(data.train.y, data.names) is None
        and (loss is None or task.kind in type(loss).fits)
    ]
    able = _by_outputs(model, able, data)
    sure = [task for task in able if task.is_sure(data.train.y)]
    if len(sure) == 1 and not _fits(model, sure[0], data):  # is the model for another?
        sure += [task for task in able if _fits(model, task, data)]
    fitting = sure or able
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise UserError(f"{data.name}: {_no_task(data, loss)}")
    words = " or ".join(f"`task {task.word}`" for task in fitting)
    nouns = " or ".join(task.nouns for task in fitting)
    options = " or ".join(option("task", task.word) for task in fitting)
    raise UserError(f"{data.name}: its targets, {_described(data)}, may be {nouns}\n"
                    f"  write {words} in `train`, or give {options}")  # fmt: skip


def _by_outputs(model: Model, able: list[Task], data: Dataset) -> list[Task]:
    """Without tasks that another one of the same classes fits better, by the model's outputs."""
    fitting = {task.nouns for task in able if _fits(model, task, data)}
    return [t for t in able if t.nouns not in fitting or _fits(model, t, data)]


def _no_task(data: Dataset, loss: Loss | None) -> str:
    """That targets cannot be learned, or not by the loss, and which losses can."""
    kinds = {
        cls.kind for cls in registry.values() if cls().refusal(data.train.y, data.names) is None
    }
    if loss is None or not kinds:
        return f"no task learns such targets: {_described(data)}"
    able = ", ".join(f"`{word}`" for word, cls in losses.items() if cls.fits & kinds)
    return f"`{loss.word}` does not learn {_described(data)}\n  losses that do: {able}"


def _fits(model: Model, task: Task, data: Dataset) -> bool:
    """Whether the model's main output is as a task needs it for the targets."""
    shape = model.output_shapes()[main_output(model)]
    names = task.names(data.train.y, data.names)
    return task.problem(shape) is None and task.outputs(names) == shape[0]


def read_as(task: Task, data: Dataset) -> Dataset:
    """The data with the targets that a task learns; UserError where theirs are none."""
    refusal = task.refusal(data.train.y, data.names)
    if refusal is not None:
        raise UserError(f"{data.name}: {refusal}; its targets are {_described(data)}\n"
                        f"  {_way_out(data)}")  # fmt: skip
    _check_values(task, data)
    names = task.names(data.train.y, data.names, data.column)
    data = data.with_targets(lambda y: task.converted(y, data.names), names)
    for remark in task.remarks(data.train.y, names):
        print(f"{data.name}: {remark}", file=sys.stderr)
    return data


def _check_values(task: Task, data: Dataset) -> None:
    """UserError, by split, for targets that are of the right kind and cannot be learned."""
    for what, split in (("training", data.train), ("test", data.test)):
        flaw = task.flaw(split.y, data.names)
        if flaw is not None:
            raise UserError(f"{data.name}: {what} {flaw}")


def _described(data: Dataset) -> str:
    """Targets in words."""
    y = data.train.y
    if y.ndim == 3:
        many = f", of {len(data.names):,} classes where {VOID} are the most"
        return f"masks of {y.shape[1]}x{y.shape[2]}{many if len(data.names) > VOID else ''}"
    if is_one_hot(y):
        return f"a single 1 among {y.shape[1]} numbers an image"
    if y.ndim == 2 and y.dtype.kind != "f":
        return f"{counted(y.shape[1], 'label')} of 0 and 1 an image"
    if y.dtype.kind == "f":
        whole = "whole numbers" if (y == y.round()).all() else "numbers"
        return f"{whole}, {y.shape[1] if y.ndim == 2 else 1} an image"
    return f"class numbers of {counted(len(data.names), 'class')}"


def _way_out(data: Dataset) -> str:
    y = data.train.y
    words = [
        f"`task {cls.word}`" for cls in registry.values() if cls().refusal(y, data.names) is None
    ]
    return f"write {' or '.join(words)}, or take other data" if words else "take other data"


def _check_model(model: Model, task: Task, data: Dataset) -> None:
    """UserError at the output's place where it has not the shape that the task needs."""
    name = main_output(model)
    problem = task.problem(model.output_shapes()[name])
    if problem is not None:
        hint = task.way_to_fit(task.outputs(data.names))
        told = f"{problem}\n  {place(model)}\n  {data.name} has {_described(data)}: {hint}"
        raise UserError(f"{told}, or take other data")


def place(model: Model) -> str:
    """Where the main output is written: `net.cnn:5: dense 10`."""
    node = model.nodes[model.outputs[main_output(model)]]
    source = node.span.source
    name = source.path.name if source.path else source.name
    return f"{name}:{node.span.line}: {source.line(node.span.line).strip()}"


def check_outputs(model: Model, data: Dataset, task: Task, hint: str) -> None:
    """UserError where a model has not an output for each class, label, number or pixel."""
    shape = model.output_shapes()[main_output(model)]
    if len(data.names) < task.least:
        raise UserError(
            f"{data.name} has one class, {listed(data.names)}: there is nothing to tell apart\n"
            "  add images of a second class, such as `other`; two classes take `dense 2`, or "
            "`dense 1` with `loss bce`"
        )
    if shape[0] != task.outputs(data.names):
        two = shape[0] == 1 and len(data.names) == 2 and task.kind == "classes"
        hint += (
            ", or write `task binary; loss bce`: one output then tells both apart" if two else ""
        )
        raise UserError(f"{data.name} has {len(data.names)} {task.nouns}, the model {shape[0]} "
                        f"output{'s' * (shape[0] != 1)}\n  {hint}")  # fmt: skip
    problem = task.size_problem(shape, data.train.y.shape[1:])
    if problem is not None:
        raise UserError(f"{data.name}: {problem}\n  {place(model)}")


def check_recipe(recipe: Recipe) -> None:
    """UserError for settings that the task has nothing for."""
    task = recipe.known_task()
    if recipe.watch is not None:
        task.rises(recipe.watch.column)
    if recipe.augment.mixup and not task.mixes:
        raise UserError(f"`mixup` blends no targets of `task {task.word}`; leave it out")


def tell_unmeasured(task: Task, data: Dataset) -> None:
    """Say which classes or labels no test image has: nothing is known of them."""
    counts = task.counts(data.test.y, data.names)
    absent = [name for name, count in zip(data.names, counts, strict=False) if not count]
    if absent:
        print(f"not measured, without a picture to test on: {listed(absent)}", file=sys.stderr)


def tell_imbalance(recipe: Recipe, data: Dataset) -> None:
    """Say of classes that one has ten times the images of another, where the loss weighs none."""
    task, loss = recipe.known_task(), recipe.loss
    counts = task.counts(data.train.y, data.names) if task.kind == "classes" else []
    if len(counts) < 2 or max(counts) < _UNEVEN * max(min(counts), 1) or loss is None:
        return
    if not min(counts) or getattr(loss, "weights", "") is not None:
        return
    most, least = (data.names[counts.index(pick(counts))] for pick in (max, min))
    print(
        f"{data.name}: {printable(most)} has {max(counts) // min(counts)} times as many images as "
        f"{printable(least)}; `loss {loss.word} weights=balanced` makes them count alike",
        file=sys.stderr,
    )


def tell_changes(data: Dataset) -> None:
    """Say what became of images that are of another kind than the model's input."""
    for line in told_changes(data):
        print(line, file=sys.stderr)
