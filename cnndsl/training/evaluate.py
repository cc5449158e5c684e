"""Loss and metrics of a model's weights on a split."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.backend.artifact import inference_model
from cnndsl.backend.inference import Options
from cnndsl.backend.places import RANGES, Places
from cnndsl.backend.step import OPSET, main_output
from cnndsl.data.dataset import Split, Targets
from cnndsl.graph.export import export
from cnndsl.graph.tape import Tape
from cnndsl.ir import Model
from cnndsl.quantize.trained import int8_model
from cnndsl.recipe import Recipe
from cnndsl.results import Scores
from cnndsl.runtime.ranks import Alone, Ranks, share_of
from cnndsl.runtime.session import Session, open_session
from cnndsl.tasks.meter import merged
from cnndsl.weights.base import Weights

Forward = Callable[[NDArray[Any]], NDArray[np.floating[Any]]]
_BATCH = 250
_LARGEST = 1 << 24  # values in an activation of the whole batch: 64 MiB


@dataclass
class Evaluator:
    """Scores weights again and again, each time with batch norm folded.

    `options` hold the normalisation that the weights were trained with, whatever data they meet,
    and the views whose outputs are averaged.
    """

    model: Model
    recipe: Recipe  # with its task and loss
    options: Options
    device: str = "cpu"
    threads: int | None = None
    ranks: Ranks = field(default_factory=Alone)
    places: Places | None = None  # what is rounded, where the weights have ranges
    _losses: dict[int, Session] = field(default_factory=dict[int, Session])

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the main output."""
        return self.model.output_shapes()[main_output(self.model)]

    @property
    def _unnamed(self) -> Options:
        """Its options without names, which are the meter's: they may be more than the outputs."""
        return replace(self.options, info=replace(self.options.info, classes=()))

    def score(
        self, weights: Weights, split: Split, between: Callable[[], None] = lambda: None
    ) -> Scores:
        """The scores of the weights on all images; `between` is called at each batch.

        Each rank measures its share of the images; all know the scores of all.
        """
        session = self._session(weights, self._unnamed)
        meter = self.recipe.known_task().meter(self.shape, self.options.info.classes)
        total, batch = 0.0, self.batch
        own = share_of(self.ranks, len(split))
        for start in range(own.start, own.stop, batch):
            between()
            rows = slice(start, min(start + batch, own.stop))
            x, y = split.x[rows], split.y[rows]
            outputs = self._outputs(session, x)
            total += self._loss(outputs, y) * len(y)
            meter.add(outputs, y)
        totals, meters = zip(*self.ranks.gather((total, meter)), strict=True)
        scores = merged(meters).scores(sum(totals) / len(split))
        return replace(scores, measured=len(split))

    def outputs(
        self, weights: Weights, x: NDArray[np.uint8], options: Options | None = None
    ) -> NDArray[np.floating[Any]]:
        """The main outputs for images; as a deployed model gives them, by its `options`."""
        forward, batch = self.forward(weights, options), self.batch
        return np.concatenate([forward(x[i : i + batch]) for i in range(0, len(x), batch)])

    def forward(self, weights: Weights, options: Options | None = None) -> Forward:
        """What gives the main outputs of a batch."""
        return partial(self._outputs, self._session(weights, options or self._unnamed))

    def losses(self, outputs: NDArray[np.floating[Any]], y: Targets) -> NDArray[np.float64]:
        """The recipe's loss of each image alone; the outputs are those of `outputs`."""
        return np.array([self._loss(outputs[i : i + 1], y[i : i + 1]) for i in range(len(y))])

    def _session(self, weights: Weights, options: Options) -> Session:
        """Of the int8 graph, where the weights come with ranges."""
        graph = inference_model(self.model, weights, options)
        if self.places is not None and RANGES in weights:
            graph = int8_model(graph, self.places, weights[RANGES])
        return open_session(graph.SerializeToString(), self.device, self.threads)

    def _outputs(self, session: Session, x: NDArray[np.uint8]) -> NDArray[np.floating[Any]]:
        """The main output."""
        wanted = [main_output(self.model)]
        feed = np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if self.options.uint8 else x
        (out,) = session.run(wanted, {"input": feed})
        return out

    @property
    def batch(self) -> int:
        """As many images as are fast, fewer where activations are large."""
        largest = max(prod(node.shape) for node in self.model.nodes) * self.options.views.count
        return max(1, min(_BATCH, _LARGEST // largest))

    def _loss(self, outputs: NDArray[np.floating[Any]], y: Targets) -> float:
        """The recipe's own loss, by the same operators as in training."""
        count = len(y)
        if count not in self._losses:
            graph = export(self._loss_tape(count), "loss", OPSET).SerializeToString()
            self._losses[count] = open_session(graph, "cpu", 1)
        return float(self._losses[count].run(None, {"x": outputs, "y": y})[0])

    def _loss_tape(self, count: int) -> Tape:
        task, loss = self.recipe.known_task(), self.recipe.loss
        assert loss is not None
        tape = Tape()
        x = task.output(tape, tape.input("x", (count, *self.shape)))
        q = task.targets(tape, count, self.shape, False, "float32")
        tape.outputs = {"loss": task.loss(tape, loss, x, q, q)}
        return tape
