"""The loop: epochs of steps, validation, checkpoints, and every way a run can end."""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from math import inf, isfinite
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.backend.artifact import inference_model
from cnndsl.backend.step import StepOptions
from cnndsl.data.dataset import Dataset
from cnndsl.files import CannotWrite
from cnndsl.ir import Model
from cnndsl.recipe import Recipe
from cnndsl.results import Scores
from cnndsl.runtime.ranks import Alone, Ranks
from cnndsl.source import UserError
from cnndsl.training import checkpoint, half, nan
from cnndsl.training.batches import Batches, Feed
from cnndsl.training.callbacks import Callback
from cnndsl.training.compiled import Compiled
from cnndsl.training.display import Display, display, epoch_line
from cnndsl.training.evaluate import Evaluator
from cnndsl.training.fingerprint import Fingerprint
from cnndsl.training.folder import RunFolder, resume_call
from cnndsl.training.lesson import Lesson, lesson, measuring
from cnndsl.training.memory import trim_heap
from cnndsl.training.progress import Progress, learning_rate, why_stopped
from cnndsl.training.rounding import bare
from cnndsl.training.settings import Settings
from cnndsl.training.signals import Interrupted, Stop, listening
from cnndsl.training.steps import Steps
from cnndsl.weights.base import Weights
from cnndsl.weights.safetensors import pack_weights


@dataclass
class Trainer:
    """One run. `progress.rows` is the history; `scores` are the best weights' on the test split."""

    model: Model
    recipe: Recipe
    data: Dataset
    settings: Settings
    folder: RunFolder
    fingerprint: Fingerprint
    callbacks: Sequence[Callback] = ()
    progress: Progress = field(default_factory=Progress)
    scores: Scores | None = None
    note: str | None = None  # said before the first step
    ranks: Ranks = field(default_factory=Alone)
    steps: Steps = field(init=False)
    batches: Batches = field(init=False)
    evaluator: Evaluator = field(init=False)  # of the whole model
    show: Display = field(init=False)
    _saved_at: float = field(default_factory=perf_counter)

    def __post_init__(self) -> None:
        self.steps = Steps(
            self.model, self.recipe, self.data, self.settings, self.ranks, self.folder.log
        )

    @property
    def compiled(self) -> Compiled:
        """The step of the epoch at hand."""
        return self.steps.compiled

    @property
    def lesson(self) -> Lesson:
        """What the step computes of the model, and its images."""
        return self.steps.lesson

    def prepare(self, weights: Weights, options: StepOptions, calibrates: bool = False) -> Weights:
        """Compile the step by these options, or `calibrates` its blocking for the cache.

        Returns the weights with what belongs to them in the first phase.
        """
        moments = options.mean, options.std
        places = self.steps.begin(weights)
        self.evaluator = measuring(
            self.model, self.recipe, self.data, moments, self.settings, self.ranks, places
        )
        shown = self.settings.progress
        found = lesson(self.model, self.recipe, self.data, weights, self.evaluator, shown)
        weights = self.steps.prepare(weights, options, found, calibrates)
        self.folder.log(self.compiled.told())
        self.batches = self.lesson.batches(self.compiled)
        return weights

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes and shows."""
        return self.ranks.rank == 0

    def fit(self) -> list[dict[str, Any]]:
        """Train to the end; Interrupted where a signal came, UserError where the loss broke."""
        with ExitStack() as leaving:  # each of these, even where another fails
            leaving.callback(self.folder.close)
            for callback in reversed(self.callbacks):
                leaving.callback(callback.close)
            try:
                return self._fit()
            except CannotWrite as error:
                raise UserError(f"{error}\n  then {self._resume_hint()}") from None

    def _fit(self) -> list[dict[str, Any]]:
        for callback in self.callbacks:
            callback.on_start(self)
        shown = display(self.settings.progress, self.recipe.epochs, self.batches.steps)
        begun = self.progress.epoch
        with listening() as stop, closing(shown) as self.show:
            if self.note:
                self.show.say(self.note)
                self.folder.log(self.note)
            if not checkpoint.any_in(self.folder.checkpoints):
                self.save()  # so that a run killed in its first epoch can go on
            if self.leads:
                checkpoint.tidy(self.folder.checkpoints)
            while not self.progress.is_over(self.recipe):
                self.steps.enter(self.progress.epoch)
                self.batches = self.lesson.batches(self.compiled)
                self._epoch(stop)
            if self.progress.should_stop(self.recipe) and self.progress.epoch > begun:
                self.show.say(f"{why_stopped(self.recipe)}: stopped")
        self._finish()
        return self.progress.rows

    def _epoch(self, stop: Stop) -> None:
        progress = self.progress
        waiting, start = 0.0, perf_counter()
        with closing(self.batches.epoch(progress.epoch, progress.step)) as feeds:
            for feed in feeds:
                waiting += perf_counter() - start
                self._step(feed, start)
                start = perf_counter()
                self._check_interrupt(stop)
                self._save_within(start)
        self._end_epoch(waiting, stop)
        self._check_interrupt(stop)

    def _step(self, feed: Feed, start: float) -> None:
        progress, stepper = self.progress, self.compiled.stepper
        stepper.step({**feed, "lr": np.array(self._rate(progress.step), np.float32)})
        loss = stepper.loss
        if not isfinite(loss):
            self._raise_nonfinite(f"the loss is {loss}", progress.step + 1, feed["x"], self.ranks)
        progress.note_step(loss, stepper.tally, perf_counter() - start)
        speed = progress.step * self.recipe.batch / max(progress.seconds, 1e-9)
        self.show.step(progress.epoch, progress.step, progress.means(self.recipe), speed)
        for callback in self.callbacks:
            callback.on_step(self, loss)

    def _rate(self, step: int) -> float:
        """The learning rate of a step of this epoch."""
        return learning_rate(self.recipe, self.progress, step, self.batches.steps)

    def _end_epoch(self, waiting: float, stop: Stop) -> None:
        progress = self.progress
        weights = self._sound_weights()
        self._tell_skipped()
        scores = self.lesson.score(weights, lambda: self._check_alone(stop))
        row = progress.row(self.recipe, scores.columns(), self._rate(progress.step - 1))
        better = progress.note_epoch(row, self.recipe)
        if better:
            self.scores = scores
            self._keep("best", weights, scores)
        if progress.is_over(self.recipe) or progress.epoch % self.settings.every == 0:
            self.save()
        self.folder.results(progress.rows)
        line = epoch_line(row, self.recipe.epochs)
        self.folder.log(f"{line}  waited {waiting:.2f} s for data")
        self.show.epoch(row)
        trim_heap()
        for callback in self.callbacks:
            callback.on_epoch(self, row)

    def _tell_skipped(self) -> None:
        """The steps of the epoch that changed nothing, where it is in float16."""
        if self.recipe.precision is None:
            return
        state, before = self.compiled.stepper.state(), self.progress.skipped
        self.progress.skipped, told = half.told_of_skipped(state, before)
        if told:
            self.show.say(told)
            self.folder.log(told)

    def _save_within(self, now: float) -> None:
        """Save between two steps of an epoch where that is due; behind its last one it is saved."""
        step = self.progress.step
        due = self.settings.within.is_due(step, now - self._saved_at)
        if due and step < self.batches.steps and self.leads:
            self.save()

    def weights(self) -> dict[str, Any]:
        """The weights to validate and deploy, in ONNX's layout: the moving mean if there is one."""
        slot = "ema" if self.recipe.ema else None
        return self.lesson.whole(self.compiled.step.weights(self.compiled.stepper.state(), slot))

    def _sound_weights(self) -> dict[str, Any]:
        """The weights, all of them numbers: no file ever gets others."""
        weights = self.weights()
        if not nan.all_finite(weights):
            x = self.lesson.train.x[:1]
            self._raise_nonfinite("a weight is not a number", self.progress.step, x, Alone())
        return weights

    def _keep(self, name: str, weights: Weights, scores: Scores | None = None) -> None:
        """Write weights with their preprocessing and task; the best also with what `scores` chose.

        The last weights go without: a resumed run does not know the scores of those before.
        """
        task = self.recipe.known_task()
        info = self.evaluator.options.info.updated(task=task.tuned(scores) if scores else task)
        info = self.steps.rounding.described(info, weights)
        data = pack_weights(bare(weights), info)
        self.folder.keep(f"{name}.safetensors", data)

    def save(self) -> None:
        """`last.safetensors`, and a checkpoint of where the run is.

        The checkpoint comes last: a run that goes on from it has all that stands before.
        """
        progress, weights = self.progress, self._sound_weights()
        if not self.leads:
            return
        tensors = self.lesson.whole(self.compiled.state() | dict(self.compiled.step.frozen))
        manifest = {
            "progress": progress.as_dict(),
            **self.fingerprint.as_dict(),
            "options": self.compiled.kept() | self._kept(),
        }
        name = f"epoch{progress.epoch:05d}-step{progress.step:07d}"
        self._keep("last", weights)
        self.folder.save(name, tensors, manifest)
        self._saved_at = perf_counter()

    def _kept(self) -> dict[str, Any]:
        """What a checkpoint keeps besides the step's options: what is frozen, how files are cut."""
        cut = replace(self.data.info, classes=(), task=None)
        return {"phase": self.steps.phase, "preprocessing": cut.to_json()}

    def _check_interrupt(self, stop: Stop) -> None:
        """Save and leave where any rank was asked to, all of them behind the same step."""
        number = self.ranks.largest(stop.signal or 0)
        if number:
            self.save()
            where = f"epoch {self.progress.epoch + 1}, step {self.progress.step}"
            raise Interrupted(128 + number, f"saved at {where}\n  {self._resume_hint()}")

    def _check_alone(self, stop: Stop) -> None:
        """The same where no other rank waits: ranks measure unequal numbers of batches."""
        if self.ranks.size == 1:
            self._check_interrupt(stop)

    def _resume_hint(self) -> str:
        return f"go on with `{resume_call(self.folder.path)}`"

    def _raise_nonfinite(self, what: str, at: int, x: NDArray[Any], ranks: Ranks) -> None:
        """Say where numbers stopped being some, together; the weights before this step are kept."""
        compiled = self.compiled
        step, state = compiled.step, compiled.stepper.state_before()
        before, after = (bare(step.weights(each)) for each in (state, compiled.stepper.state()))
        images = nan.normalised(x, compiled.options)
        is_half = self.recipe.precision is not None
        largest = half.LARGEST if is_half else inf
        found = nan.where_it_began(self.lesson.model, before, after, images, largest)
        place = nan.where_on_ranks(ranks.gather(found))
        kept = "of the last checkpoint"
        if nan.all_finite(before):
            self._keep("last", self.lesson.whole(step.weights(state, "ema")))
            kept = "before"
        told = f"{what} at epoch {self.progress.epoch + 1}, step {at}; it began {place}"
        advice = half.ADVICE if is_half else ""
        raise nan.broken(told, kept, self.folder.path, advice)

    def _finish(self) -> None:
        """Write `best.onnx`, ready to deploy; its scores are known, but to a run that went on."""
        from cnndsl.weights.fit import read_weights

        path = self.folder.path / "weights" / "best.safetensors"
        best = self.ranks.share(read_weights(path, self.model) if self.leads else None)
        if self.scores is None:
            weights = self.steps.rounding.restored(best.tensors, best.info)
            self.scores = self.lesson.score(weights)
        if not self.leads:
            return
        self.folder.results(self.progress.rows)
        options = replace(self.evaluator.options, info=best.info, views=self.recipe.views)
        graph = inference_model(self.model, best.tensors, options)
        self.folder.keep("best.onnx", graph.SerializeToString(deterministic=True))
        for callback in self.callbacks:
            callback.on_end(self)
