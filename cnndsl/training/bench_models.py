"""Times of compiled models side by side, and how good they are where data are given."""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnndsl.data import decoding
from cnndsl.data.arrays import Arrays
from cnndsl.data.dataset import Dataset
from cnndsl.data.registry import ARRAYS, open_dataset
from cnndsl.data.splits import for_measuring
from cnndsl.results import Scores
from cnndsl.runtime.predict import Predictor, Reading, open_predictor
from cnndsl.runtime.timing import run_times
from cnndsl.source import UserError, option
from cnndsl.tasks import Meter, Task, usual
from cnndsl.training.class_names import as_compiled, check_output
from cnndsl.training.targets import read_as

_ROUNDS = 2  # in which the models take turns, so that a drift of the machine meets all
_IMAGES = 256  # measured at once


@dataclass(frozen=True)
class Timing:
    """A model at one batch size and number of threads: milliseconds a batch, bytes of its file.

    `score` is the first metric of its task, by the name of `metric`, where data are given.
    """

    model: str
    bytes: int
    batch: int
    threads: int | None
    median_ms: float
    p95_ms: float
    images_per_s: float
    metric: str | None = None
    score: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """All that can be written as JSON; `accuracy` is that of a classifier."""
        return asdict(self) | {"accuracy": self.score if self.metric == "accuracy" else None}


@dataclass(frozen=True)
class Case:
    """What is timed: a file, a batch size (None: the model's own, or 1), a number of threads."""

    path: Path
    batch: int | None
    threads: int | None


def bench_models(
    cases: Sequence[Case], device: str, steps: int, data: str | Arrays | None,
    data_dir: Path | None, preprocess: str | None = None,
) -> list[Timing]:  # fmt: skip
    """The timing of each case: `steps` runs in each of two rounds, one session at a time.

    Images of `data` are prepared as the model tells, or as `preprocess` names it.

    UserError for a model that cannot be run, a batch that it does not take, data of other classes.
    """
    scores = {
        path: _score(path, device, data, data_dir, preprocess)
        for path in dict.fromkeys(case.path for case in cases)
    }
    times: list[list[float]] = [[] for _ in cases]
    batches = [0 for _ in cases]
    for _ in range(_ROUNDS):
        for i, case in enumerate(cases):
            predictor = open_predictor(case.path, device, case.threads)
            batches[i] = _batch_of(predictor, case)
            times[i] += run_times(predictor, batches[i], steps)
    return [
        _timing(case, batch, ms, *scores[case.path])
        for case, batch, ms in zip(cases, batches, times, strict=True)
    ]


def _timing(
    case: Case, batch: int, ms: list[float], metric: str | None, score: float | None
) -> Timing:
    median, p95 = float(np.median(ms)), float(np.percentile(ms, 95))
    size, rate = case.path.stat().st_size, batch / median * 1e3
    return Timing(str(case.path), size, batch, case.threads, median, p95, rate, metric, score)


def _batch_of(predictor: Predictor, case: Case) -> int:
    own = predictor.fixed_batch
    if own is None:
        return case.batch or 1
    if case.batch not in (None, own):
        raise UserError(f"{case.path}: takes batches of {own}, not of {case.batch}")
    return own


def _score(
    path: Path,
    device: str,
    data: str | Arrays | None,
    data_dir: Path | None,
    preprocess: str | None,
) -> tuple[str | None, float | None]:
    """The first metric of the model's task, by its name; None without data."""
    if data is None:
        return None, None
    predictor = open_predictor(path, device, reading=Reading(preprocess=preprocess))
    if predictor.note:
        print(f"{path}: tells no preprocessing: images are taken in 0…1; for others, "
              f"{option('preprocess')}", file=sys.stderr)  # fmt: skip
    task = predictor.task or usual()
    name, arrays = (data, None) if isinstance(data, str) else (ARRAYS, data)
    cut = decoding.Reading(arrays=arrays, info=predictor.info)
    found = open_dataset(name, predictor.shape, data_dir, cut, for_measuring)
    found = as_compiled(f"{path}:", predictor.classes, task, read_as(task, found))
    metric = task.rising[0]
    return metric, _measured(path, predictor, task, found).columns()[metric]


def _measured(path: Path, predictor: Predictor, task: Task, data: Dataset) -> Scores:
    """The scores of what the model answers, as it is deployed."""
    meter: Meter | None = None
    for start in range(0, len(data.test), _IMAGES):
        part = slice(start, start + _IMAGES)
        outputs = predictor.main(predictor.run(predictor.stored(data.test.x[part])))
        if meter is None:
            shape = outputs.shape[1:]
            check_output(f"{path}:", shape, task, data)
            meter = task.of_answers().meter(shape, data.names)
        meter.add(outputs, data.test.y[part])
    assert meter is not None  # no data are empty
    return meter.scores(0.0)
