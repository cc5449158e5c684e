"""Images of a run, to look at: what the network learns from, what it says, where it is worst."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.data.dataset import Targets
from cnndsl.results import Answer
from cnndsl.runtime.masks import overlaid
from cnndsl.source import counted
from cnndsl.tasks import Task
from cnndsl.training.batches import Batches
from cnndsl.training.callbacks import Callback
from cnndsl.weights.fit import read_weights

FILES = ("train_batch.png", "val_predictions.png", "val_worst.png")
_SEEN = 512  # images of validation among which the worst are sought


class Mosaics(Callback):
    """`train_batch.png` at the start, `val_predictions.png` and `val_worst.png` at the end.

    With matplotlib, and for networks of images.
    """

    def on_start(self, run: Any) -> None:
        """The first batch as the network sees it, augmented."""
        if not _can_draw(run) or run.progress.epoch or run.progress.step:
            return
        from cnndsl.plot.mosaic import save_mosaic

        batches = Batches(run.data.train, run.recipe, run.batches.shape)
        first = batches.make(0, 0, batches.order(0))
        task: Task = run.recipe.known_task()
        count = len(first["x"])
        is_blended = bool(run.recipe.augment.mixup)
        texts = [""] * count if is_blended else task.truths(first["y"], run.data.names)
        title = f"the first batch, as the network sees it ({counted(count, 'image')})"
        shown = overlaid(first["x"], first["y"]) if task.moves else first["x"]
        save_mosaic(shown, texts, title, run.folder.path / FILES[0])

    def on_end(self, run: Any) -> None:
        """What the best weights say of validation images, and the largest losses among them."""
        if not _can_draw(run):
            return
        best = read_weights(run.folder.path / "weights" / "best.safetensors", run.model)
        deployed = replace(run.evaluator.options, info=best.info)
        split = run.data.test
        which = np.unique(np.linspace(0, len(split) - 1, min(_SEEN, len(split))).astype(int))
        x, y = split.x[which], split.y[which]
        losses = run.evaluator.losses(run.evaluator.outputs(best.tensors, x), y)
        outputs = run.evaluator.outputs(best.tensors, x, deployed)
        task = best.info.task or run.recipe.known_task()
        answers: list[Answer] = task.answers(outputs, run.data.names, 1)
        truths: list[str] = task.truths(y, run.data.names)
        said = task.captions(outputs, run.data.names)
        texts = [f"{a or '-'}\ntrue: {b}" for a, b in zip(said, truths, strict=True)]
        x = _under_masks(x, y, answers)
        some = np.random.default_rng(0).permutation(len(which))
        worst = np.argsort(-losses, kind="stable")
        title = f"{len(which)} validation images: what the network says, and the truth"
        _save(x, texts, some, f"some of {title}", run.folder.path / FILES[1])
        _save(x, texts, worst, f"the largest losses of {title}", run.folder.path / FILES[2])


def _under_masks(x: NDArray[np.uint8], y: Targets, answers: Sequence[Answer]) -> NDArray[np.uint8]:
    """Of a segmentation, each image twice: under the mask that is said, and under the true one."""
    said = [answer.mask for answer in answers if answer.mask is not None]
    if not said:
        return x
    return np.concatenate([overlaid(x, np.stack(said)), overlaid(x, y)], axis=3)


def _can_draw(run: Any) -> bool:
    from cnndsl.plot.curves import available

    return available() and len(run.model.input) == 3


def _save(
    x: NDArray[np.uint8], texts: list[str], order: NDArray[Any], title: str, path: Path
) -> None:
    from cnndsl.plot.mosaic import MOST, save_mosaic

    which = order[:MOST]
    save_mosaic(x[which], [texts[int(i)] for i in which], title, path)
