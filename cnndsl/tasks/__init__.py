"""Tasks: what a model learns. One file each; a file added here is found, no list is edited."""

from importlib import import_module
from pkgutil import iter_modules

from cnndsl.losses import Loss
from cnndsl.source import UserError
from cnndsl.tasks.base import Task, registry, task_from
from cnndsl.tasks.meter import Meter

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["Meter", "Task", "registry", "task_for", "task_from", "usual"]


def usual() -> Task:
    """The task that is meant where several fit."""
    return next(cls() for cls in registry.values() if cls.usual)


def task_for(shape: tuple[int, ...], loss: Loss | None = None) -> Task:
    """The task that a main output of this shape and the loss tell, where nothing else does.

    UserError where no task fits, or several do and none of them is the usual one.
    """
    problems = {cls: cls().problem(shape) for cls in registry.values()}
    able = [cls for cls, problem in problems.items() if problem is None]
    if not able:
        raise UserError(problems[type(usual())] or "")
    fitting = [cls for cls in able if loss is None or cls.kind in type(loss).fits]
    chosen = [cls for cls in fitting if cls.usual] or fitting
    if len(chosen) == 1:
        return chosen[0]()
    words = " or ".join(f"`task {cls.word}`" for cls in chosen or able)
    raise UserError(f"what is to be learned is not clear: write {words} in `train`")
