"""The scores of `best.onnx` where it averages views: those of the epochs are of the image alone."""

import sys
from dataclasses import replace
from typing import Any

from cnndsl.fields import written
from cnndsl.runtime.ranks import Alone
from cnndsl.training.callbacks import Callback
from cnndsl.weights.fit import read_weights


class ViewScores(Callback):
    """Measures and tells them at the end."""

    def on_end(self, run: Any) -> None:
        """Of the best weights, on the images that validated the run."""
        views = run.recipe.views
        if views.count == 1:
            return
        best = read_weights(run.folder.path / "weights" / "best.safetensors", run.model)
        options = replace(run.evaluator.options, views=views)
        evaluator = replace(run.evaluator, options=options, ranks=Alone())
        scores = evaluator.score(best.tensors, run.data.test)
        told = f"with `{written(views)}`, as in best.onnx: {scores.summary('val_')}"
        run.folder.log(told)
        if run.settings.progress != "none":
            print(told, file=sys.stderr)
