"""What a schedule is: the learning rate at each step, as a factor of the optimizer's."""

from cnndsl.fields import Word

registry: dict[str, type["Schedule"]] = {}
_LOOKS = 64  # at so many places a schedule is asked whether it changes at all


class Schedule(Word):
    """A function of progress `t` in [0, 1] and of the epoch; `warmup` epochs rise from 0 before."""

    warmup: float

    def __init_subclass__(cls, word: str = "") -> None:
        super().__init_subclass__(word)
        registry[word] = cls

    def factor(self, t: float, epoch: float) -> float:
        """What the learning rate is multiplied by."""
        raise NotImplementedError(self.word)

    def idle(self, epochs: int) -> str | None:
        """What of it never acts in a run of so many epochs; None where all of it does."""
        ends = 1 - 1e-6
        at = [ends * i / _LOOKS for i in range(_LOOKS + 1)]
        if len({self.factor(t, t * epochs) for t in at}) > 1:
            return None
        return f"`{self.word}` never changes the learning rate"
