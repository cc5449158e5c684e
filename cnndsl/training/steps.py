"""The step of each phase of a run: of epochs in which the same is frozen and rounded."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from cnndsl.backend import loss_scale
from cnndsl.backend.places import Places
from cnndsl.backend.step import StepOptions, freezing
from cnndsl.data.dataset import Dataset
from cnndsl.ir import Model
from cnndsl.learned import phase
from cnndsl.recipe import Recipe
from cnndsl.runtime.ranks import Ranks
from cnndsl.source import counted
from cnndsl.training.calibration import compile_shared
from cnndsl.training.compiled import Compiled, compile_step
from cnndsl.training.lesson import Lesson
from cnndsl.training.rounding import Rounding
from cnndsl.training.settings import Settings
from cnndsl.weights.base import Weights
from cnndsl.weights.model_info import ModelInfo


@dataclass
class Steps:
    """`compiled` is the step of the `phase`, which is the first epoch of those that are alike."""

    model: Model
    recipe: Recipe
    data: Dataset
    settings: Settings
    ranks: Ranks
    log: Callable[[str], None]
    phase: int = 0
    rounding: Rounding = field(init=False)
    compiled: Compiled = field(init=False)
    lesson: Lesson = field(init=False)

    def begin(self, weights: Weights) -> Places:
        """What is rounded of the whole model."""
        self.rounding = Rounding.of(self.model, self.recipe, weights)
        return self.rounding.places

    def prepare(
        self, weights: Weights, options: StepOptions, lesson: Lesson, calibrates: bool
    ) -> Weights:
        """Compile the step by these options, or `calibrates` its blocking for the cache.

        Returns the weights with what belongs to them in this phase.
        """
        self.lesson = lesson
        weights, options = self._of_phase(weights, options)
        self.compiled = compile_shared(
            lesson.model, self.recipe, options, calibrates, weights, self.settings, self.ranks,
            self.log,
        )  # fmt: skip
        return weights

    def _of_phase(self, weights: Weights, options: StepOptions) -> tuple[Weights, StepOptions]:
        """The weights, with ranges where they are rounded, and how the step is made."""
        info = ModelInfo(options.mean, options.std)
        weights = self.rounding.ranged(weights, self.phase, info, self.data.train.x)
        options = replace(options, floats=self.lesson.floats)
        options = freezing(options, self.lesson.model, self.recipe, weights, self.phase)
        return weights, self.rounding.options(options, weights, self.phase)

    def enter(self, epoch: int) -> None:
        """Take the step of an epoch.

        Where other tensors learn than before, the optimizer begins anew, for all alike.
        """
        now = phase(self.recipe, epoch)
        if now == self.phase:
            return
        before, state, options = self._learned(), self.compiled.state(), self.compiled.options
        weights = self.compiled.step.weights(self.compiled.stepper.state())
        del self.compiled  # its memory goes first
        self.phase = now
        weights, options = self._of_phase(weights, options)
        self.compiled = compile_step(
            self.lesson.model, self.recipe, options, weights, self.settings, self.ranks
        )
        learned = self._learned()
        kept = state if learned == before else loss_scale.of(state)
        self.compiled.go_on(weights, kept)
        told = f"from now on {counted(len(learned), 'tensor')} learn"
        self.log(f"{told}, rounded to eight bits" if options.places else told)

    def _learned(self) -> set[str]:
        tensors, layouts = self.lesson.model.tensors(), self.compiled.step.layouts
        return {name for name, p in tensors.items() if p.learned and name in layouts}
