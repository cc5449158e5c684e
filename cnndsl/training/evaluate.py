"""Loss, accuracy and confusion of a model's weights on a split."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.backend.inference import Options, inference_model
from cnndsl.backend.training import OPSET, main_output
from cnndsl.data.dataset import Split
from cnndsl.graph.export import export
from cnndsl.graph.tape import Tape
from cnndsl.ir import Model
from cnndsl.losses import Loss
from cnndsl.runtime.session import Session, open_session
from cnndsl.weights.base import Weights

_BATCH = 250
_LARGEST = 1 << 24  # values in an activation of the whole batch: 64 MiB


@dataclass(frozen=True)
class Scores:
    """What a model does on a split. `confusion[i, j]` counts pictures of class i taken for j."""

    loss: float
    accuracy: float
    confusion: NDArray[np.int64]
    classes: tuple[str, ...] = ()

    @property
    def per_class(self) -> NDArray[np.float64]:
        """Share of right answers for each class; NaN for a class without pictures."""
        totals = self.confusion.sum(1)
        right = np.diag(self.confusion).astype(np.float64)
        return np.divide(right, totals, out=np.full(len(totals), np.nan), where=totals > 0)


@dataclass
class Evaluator:
    """Scores weights again and again, each time with batch norm folded.

    `options` hold the normalisation that the weights were trained with, whatever data they meet.
    """

    model: Model
    loss: Loss
    options: Options
    device: str = "cpu"
    threads: int | None = None
    mirror: bool = False
    _losses: dict[int, Session] = field(default_factory=dict[int, Session])

    def score(
        self, weights: Weights, split: Split, between: Callable[[], None] = lambda: None
    ) -> Scores:
        """Loss and accuracy of the weights on all pictures; `between` is called at each batch."""
        graph = inference_model(self.model, weights, self.options).SerializeToString()
        session = open_session(graph, self.device, self.threads)
        wanted = [main_output(self.model)]
        total, classes = 0.0, self.model.output_shapes()[wanted[0]][0]
        confusion = np.zeros((classes, classes), np.int64)
        batch = self._batch()
        for start in range(0, len(split), batch):
            between()
            x, y = split.x[start : start + batch], split.y[start : start + batch]
            feed = np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if self.options.uint8 else x
            (out,) = session.run(wanted, {"input": feed})
            if self.mirror:
                (other,) = session.run(wanted, {"input": self._mirrored(feed)})
                out = (out + other) / 2
            logits = out.reshape(len(y), -1)
            total += self._loss(logits, y) * len(y)
            np.add.at(confusion, (y, logits.argmax(1)), 1)
        right = int(np.diag(confusion).sum())
        classes = self.options.info.classes
        return Scores(total / len(split), right / len(split), confusion, classes)

    def _batch(self) -> int:
        """As many pictures as are fast, fewer where activations are large."""
        largest = max(prod(node.shape) for node in self.model.nodes)
        return max(1, min(_BATCH, _LARGEST // largest))

    def _mirrored(self, x: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.ascontiguousarray(x[:, :, ::-1] if self.options.uint8 else x[..., ::-1])

    def _loss(self, logits: NDArray[np.floating[Any]], y: NDArray[np.int64]) -> float:
        """The recipe's own loss, by the same operators as in training."""
        count, classes = logits.shape
        if count not in self._losses:
            tape = Tape()
            x, q = tape.input("x", (count, classes)), tape.input("q", (count, classes))
            tape.outputs = {"loss": self.loss.emit(tape, x, q)}
            graph = export(tape, "loss", OPSET).SerializeToString()
            self._losses[count] = open_session(graph, "cpu", 1)
        targets = np.eye(classes, dtype=np.float32)[y]
        return float(self._losses[count].run(None, {"x": logits, "q": targets})[0])
