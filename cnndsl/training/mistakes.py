"""The worst mistakes of weights, with heat maps of what they rest on: `cnndsl eval --why`."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from cnndsl.backend.artifact import why_model
from cnndsl.backend.inference import Options
from cnndsl.results import Mistake, Scores
from cnndsl.runtime.predict import Predictor, open_predictor
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

    UserError for a task that answers by a mask, and a model that takes no images.
    """
    evaluator, options = opened.evaluator, _deployed(opened)
    graph = why_model(evaluator.model, opened.weights.tensors, replace(options, batch=1))
    explainer = open_predictor(graph, evaluator.device, evaluator.threads)
    for old in folder.glob("[0-9][0-9].why.png"):
        old.unlink()
    found = _worst(opened)
    files = [folder / f"{i:02}.why.png" for i in range(1, len(found) + 1)]
    return [
        Mistake(str(file), *told, empty=_drawn_empty(opened, explainer, told[0], file))
        for file, told in zip(files, found, strict=True)
    ]


def _deployed(opened: Opened) -> Options:
    """The graph's options for answers as a compiled model gives them."""
    options = opened.evaluator.options
    return replace(options, info=replace(options.info, task=opened.task))


def _worst(opened: Opened) -> list[tuple[int, str, str, float]]:
    """Number, answer, truth and loss of the mistakes, the largest loss first, at most `MOST`."""
    test, names, task = opened.data.test, opened.data.names, opened.task
    evaluator, tensors = opened.evaluator, opened.weights.tensors
    outputs, truths = evaluator.outputs(tensors, test.x), task.truths(test.y, names)
    losses, answers = evaluator.losses(outputs, test.y), task.answers(outputs, names, 1)
    order = map(int, np.argsort(-losses, kind="stable"))
    worst = [i for i in order if not task.is_right(answers[i], truths[i])][:MOST]
    if not worst:
        return []
    deployed = evaluator.outputs(tensors, test.x[worst], _deployed(opened))
    said = [answer.text or "-" for answer in task.answers(deployed, names, 1)]
    return [(i, text, truths[i], float(losses[i])) for i, text in zip(worst, said, strict=True)]


def _drawn_empty(opened: Opened, explainer: Predictor, number: int, file: Path) -> bool:
    """Draw an image under its heat map; whether that is empty."""
    image = opened.data.test.x[number]
    _, heat = explainer.run(explainer.stored(image[None]))
    save_over(file, as_colours(image), heat[0])
    return is_empty(heat)
