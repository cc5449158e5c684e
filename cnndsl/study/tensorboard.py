"""TensorBoard's table of hyper-parameters: what was chosen for a trial, beside its curves."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from cnndsl.space import Value
from cnndsl.training.callbacks import TensorBoard


class HParams(TensorBoard):
    """Writes the values of a trial into an event file of its own, where tensorboardX is there."""

    suffix = ".hparams"

    def __init__(self, values: Mapping[str, Value], goals: Sequence[str]) -> None:
        self._values, self._goals = values, goals

    def on_start(self, run: Any) -> None:
        """Open the file; the values and the metrics that they are compared by."""
        super().on_start(run)
        if self.is_open:
            hparams: Any = import_module("tensorboardX.summary").hparams
            metrics = dict.fromkeys((g for g in self._goals if g.startswith("val_")), 0)
            for summary in hparams(dict(self._values), metrics):
                self.write(summary)

    def on_epoch(self, run: Any, row: dict[str, Any]) -> None:
        """The curves are in the run's own file."""
