"""Times of compiled models side by side, and their accuracy where data are given."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnndsl.data.dataset import Dataset
from cnndsl.data.registry import open_dataset
from cnndsl.data.splits import for_measuring
from cnndsl.runtime.predict import Predictor, open_predictor
from cnndsl.runtime.timing import run_times
from cnndsl.source import UserError, counted
from cnndsl.tasks import usual
from cnndsl.training.targets import read_as

_ROUNDS = 2  # in which the models take turns, so that a drift of the machine meets all
_IMAGES = 256  # measured at once


@dataclass(frozen=True)
class Timing:
    """A model at one batch size and number of threads: milliseconds a batch, bytes of its file."""

    model: str
    bytes: int
    batch: int
    threads: int | None
    median_ms: float
    p95_ms: float
    images_per_s: float
    accuracy: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """All that can be written as JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Case:
    """What is timed: a file, a batch size (None: the model's own, or 1), a number of threads."""

    path: Path
    batch: int | None
    threads: int | None


def bench_models(
    cases: Sequence[Case], device: str, steps: int, data: str | None, data_dir: Path | None
) -> list[Timing]:
    """The timing of each case: `steps` runs in each of two rounds, one session at a time.

    UserError for a model that cannot be run, a batch that it does not take, data of other classes.
    """
    accuracies = {path: _accuracy(path, device, data, data_dir) for path in {c.path for c in cases}}
    times: list[list[float]] = [[] for _ in cases]
    batches = [0 for _ in cases]
    for _ in range(_ROUNDS):
        for i, case in enumerate(cases):
            predictor = open_predictor(case.path, device, case.threads)
            batches[i] = _batch_of(predictor, case)
            times[i] += run_times(predictor, batches[i], steps)
    return [
        _timing(case, batch, ms, accuracies[case.path])
        for case, batch, ms in zip(cases, batches, times, strict=True)
    ]


def _timing(case: Case, batch: int, ms: list[float], accuracy: float | None) -> Timing:
    median, p95 = float(np.median(ms)), float(np.percentile(ms, 95))
    size = case.path.stat().st_size
    return Timing(
        str(case.path), size, batch, case.threads, median, p95, batch / median * 1e3, accuracy
    )


def _batch_of(predictor: Predictor, case: Case) -> int:
    own = predictor.session.get_inputs()[0].shape[0]
    if not isinstance(own, int):
        return case.batch or 1
    if case.batch not in (None, own):
        raise UserError(f"{case.path}: takes batches of {own}, not of {case.batch}")
    return own


def _accuracy(path: Path, device: str, data: str | None, data_dir: Path | None) -> float | None:
    """The share of images whose largest output is that of their class; None without data."""
    if data is None:
        return None
    predictor = open_predictor(path, device)
    if predictor.task is not None and predictor.task != usual():
        raise UserError(f"{path}: is no classifier, whose accuracy could be measured")
    found = read_as(usual(), open_dataset(data, predictor.shape, data_dir, arranged=for_measuring))
    if predictor.classes and predictor.classes != found.names:
        raise UserError(f"{path}: has the classes {', '.join(predictor.classes)}; "
                        f"{found.name} has {', '.join(found.names)}")  # fmt: skip
    return _share(path, predictor, found)


def _share(path: Path, predictor: Predictor, data: Dataset) -> float:
    right = 0
    for start in range(0, len(data.test), _IMAGES):
        part = slice(start, start + _IMAGES)
        outputs = predictor.main(predictor.run(predictor.stored(data.test.x[part])))
        if outputs.shape[1] != len(data.names):
            raise UserError(f"{path}: gives {counted(outputs.shape[1], 'output')}; "
                            f"{data.name} has {counted(len(data.names), 'class')}")  # fmt: skip
        answers = outputs.reshape(len(outputs), -1).argmax(1)
        right += int((answers == data.test.y[part]).sum())
    return right / len(data.test)
