"""What is said where a run goes on: nothing is left to do, or it is given more epochs."""

from cnndsl.lr_schedules import Schedule
from cnndsl.recipe import Recipe
from cnndsl.source import counted, option
from cnndsl.training.progress import Progress, learning_rate, why_stopped


def note(recipe: Recipe, progress: Progress, steps: int, planned: int) -> str | None:
    """A line for a run that is over, or that goes beyond the `planned` epochs; else None.

    `steps` are those of an epoch.
    """
    if progress.should_stop(recipe):
        return f"nothing is left to do: {why_stopped(recipe)}"
    if progress.is_over(recipe):
        return f"nothing is left to do: {_done(progress.epoch, recipe.epochs)}"
    if recipe.epochs <= planned:
        return None
    rate = learning_rate(recipe, progress, progress.step, steps)
    return (
        f"{counted(planned, 'epoch')} become {recipe.epochs}: {_effect(recipe.schedule)}\n"
        f"  epoch {progress.epoch + 1} goes on with a learning rate of {rate:.4g}"
    )


def _done(done: int, wanted: int) -> str:
    """That a run is over; of fewer epochs than it has had, that these stay."""
    if done > wanted:
        return f"the run has had {counted(done, 'epoch')}, and fewer are not taken back"
    epochs = "its epoch is" if wanted == 1 else f"all {wanted:,} epochs are"
    return f"{epochs} done\n  {option('epochs', 2 * wanted)} goes on"


def _effect(schedule: Schedule) -> str:
    """What more epochs do to a schedule."""
    word = f"`schedule {schedule.word}`"
    if _follows_progress(schedule):
        return f"{word} is laid over all of them anew"
    return f"{word} goes on as it was"


def _follows_progress(schedule: Schedule) -> bool:
    """Whether its factor depends on which part of the run is done, not on the epoch alone."""
    return schedule.factor(0.25, schedule.warmup + 1) != schedule.factor(0.75, schedule.warmup + 1)
