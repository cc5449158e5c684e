"""How often a run saves itself within an epoch: every `500` steps, or every `10m`, minutes."""

import re
from dataclasses import dataclass

from cnndsl.source import UserError, option

_TEXT = re.compile(r"([0-9]+)|([0-9]+\.?[0-9]*|\.[0-9]+)m")


@dataclass(frozen=True)
class Interval:
    """A number of steps, or of seconds."""

    steps: int | None = None
    seconds: float | None = None

    def is_due(self, step: int, seconds: float) -> bool:
        """Whether to save behind a step of the epoch, so long after the last checkpoint."""
        if self.steps is not None:
            return step % self.steps == 0
        return self.seconds is not None and seconds >= self.seconds


def interval(text: str | None) -> Interval:
    """What `checkpoint_every` says; without it a run saves itself behind its epochs only."""
    if text is None:
        return Interval()
    found = _TEXT.fullmatch(text)
    if found is None or not float(found[1] or found[2]):
        raise UserError(
            f"{option('checkpoint-every', text)} is not a number of steps, and none of minutes\n"
            f"  write {option('checkpoint-every', 500)} for steps, "
            f"{option('checkpoint-every', '10m')} for minutes"
        )
    return Interval(int(found[1])) if found[1] else Interval(seconds=60 * float(found[2]))
