"""The worst mistakes of weights, with heat maps of what they rest on: `cnndsl eval --why`."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from cnndsl.backend.artifact import why_model
from cnndsl.results import Mistake, Scores
from cnndsl.runtime.predict import Predictor, open_predictor
from cnndsl.source import UserError
from cnndsl.training.run_scores import Opened
from cnndsl.why.drawing import as_colours, is_empty, save_over

FOLDER = "why"
MOST = 12


def explained_scores(opened: Opened, folder: Path) -> Scores:
    """The scores with the worst mistakes, which are drawn into the folder; UserError as there."""
    mistakes = worst_mistakes(opened, folder)
    return replace(opened.scores(), mistakes=tuple(mistakes))


def worst_mistakes(opened: Opened, folder: Path) -> list[Mistake]:
    """Those of the largest losses, at most `MOST`, each drawn as `folder/NN.why.png`.

    UserError for a task whose answers are no classes, and a model that takes no images.
    """
    task, evaluator = opened.task, opened.evaluator
    if task.kind != "classes" or task.moves or len(evaluator.model.input) != 3:
        raise UserError(f"--why shows images that are taken for another class; "
                        f"`task {task.word}` has none")  # fmt: skip
    options = replace(evaluator.options, info=replace(evaluator.options.info, task=task))
    graph = why_model(evaluator.model, opened.weights.tensors, replace(options, batch=1))
    explainer = open_predictor(graph, evaluator.device, evaluator.threads)
    for old in folder.glob("[0-9][0-9].why.png"):
        old.unlink()
    found = list(_sorted(opened))[:MOST]
    files = [folder / f"{i:02}.why.png" for i in range(1, len(found) + 1)]
    return [
        Mistake(str(file), *told, empty=_drawn_empty(opened, explainer, told[0], file))
        for file, told in zip(files, found, strict=True)
    ]


def _sorted(opened: Opened) -> Iterator[tuple[int, str, str, float]]:
    """Number, answer, truth and loss of each mistake, the largest loss first."""
    test, names = opened.data.test, opened.data.names
    outputs = opened.evaluator.outputs(opened.weights.tensors, test.x)
    losses = opened.evaluator.losses(outputs, test.y)
    answers = opened.task.answers(outputs, names, 1)
    truths = opened.task.truths(test.y, names)
    for i in map(int, np.argsort(-losses, kind="stable")):
        if answers[i].value[0][0] != truths[i]:
            yield i, answers[i].text, truths[i], float(losses[i])


def _drawn_empty(opened: Opened, explainer: Predictor, number: int, file: Path) -> bool:
    """Draw an image under its heat map; whether that is empty."""
    image = opened.data.test.x[number]
    _, heat = explainer.run(explainer.stored(image[None]))
    save_over(file, as_colours(image), heat[0])
    return is_empty(heat)
