"""Runs in Python: `train`, `resume`, `search`, `evaluate`, `predict`."""

from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnndsl.api import Model
from cnndsl.argument_types import WrongType, as_flag, as_number, as_path, as_texts, as_whole, shown
from cnndsl.report.html import History
from cnndsl.run_arguments import (
    compiled_model,
    data_or_arrays,
    hooks,
    keywords,
    named_data,
    path_or_none,
    patterns,
    run_folder,
    thread_count,
)
from cnndsl.setting_values import settings_of, views_of
from cnndsl.source import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnx import ModelProto
    from PIL.Image import Image

    from cnndsl.recipe import Views
    from cnndsl.results import Scores
    from cnndsl.run_arguments import Data
    from cnndsl.study.results import Study
    from cnndsl.training.callbacks import Callback


def train(
    model: Model,
    data: "Data | None" = None,
    *,
    out: str | Path | None = None,
    data_dir: str | Path | None = None,
    weights: str | Path | None = None,
    fresh: "str | Sequence[str]" = (),
    name_map: str | Path | None = None,
    preprocess: str | None = None,
    device: str = "auto",
    threads: int | None = None,
    strict: bool = False,
    checkpoint_every: str | int | None = None,
    distributed: bool = False,
    sync_bn: bool = False,
    cuda_graph: bool = False,
    callbacks: "Sequence[Callback]" = (),
    progress: str = "auto",
    **recipe: Any,
) -> History:
    """Train on a data set and return a row an epoch: loss, accuracy, val_loss, val_accuracy …

    `data` is a name, a path, or arrays: `(x, y)`, `(x, y, x_test, y_test)`, or a dict of what an
    `.npz` file holds. Images are uint8, N×C×H×W, N×H×W×C or N×H×W.

    `recipe` overrides the spec's, in its words: `epochs=5`, `optimizer="sgd lr=0.1"`; an optimizer,
    loss or schedule may be an object, too. The run folder is `out`, or the next free `runs/trainN`;
    the history knows it as `folder`. `weights` is a file to start from, of any known format, whose
    names `name_map` maps and whose images were prepared as `preprocess` says; layers that the
    patterns `fresh` name start anew. With `strict`, a picture that cannot be read ends the run.
    `checkpoint_every` saves it within epochs, too: every 500 steps, or `"10m"`, 10 minutes. With
    `distributed` the processes that `mpiexec` has started share the run; `sync_bn` lets `bn`
    normalise over all of them. With `cuda_graph` CUDA plays back what the first steps launch.

    Raises UserError where model and data do not fit or the loss stops being a number, and
    Interrupted, a KeyboardInterrupt, where the run was stopped and has saved itself.
    """
    from cnndsl.training import run
    from cnndsl.training.distributed import joined
    from cnndsl.training.leaving import ending_all
    from cnndsl.training.run_config import RunConfig, weights_of

    if not isinstance(model, Model):  # pyright: ignore[reportUnnecessaryIsInstance]
        hint = f"\n  cnndsl.load({str(model)!r}) gives one" if isinstance(model, str | Path) else ""
        raise WrongType(f"cnndsl.train takes a model of cnndsl.load, not {shown(model)}{hint}")
    name, arrays = named_data(data)
    given = settings_of({"data": name} | recipe if name else recipe, arguments=keywords(train))
    before = given.get("weights") or (model.ir.recipe and model.ir.recipe.weights)
    file: dict[str, Any] = {
        "weights": path_or_none("weights", weights), "name_map": path_or_none("name_map", name_map),
        "preprocess": preprocess, "fresh": patterns("fresh", fresh),
    }  # fmt: skip
    given |= weights_of(before, file)
    config = RunConfig(f"{model.name}.cnn", model.ir.settings).changed(
        given, data_dir=path_or_none("data_dir", data_dir), device=device,
        threads=thread_count(threads),
        checkpoint_every=None if checkpoint_every is None else str(checkpoint_every),
        sync_bn=as_flag("sync_bn", sync_bn),
    )  # fmt: skip
    chosen = config.recipe_for(model.ir)
    ranks = joined(as_flag("distributed", distributed))
    settings = config.settings(
        path_or_none("out", out or None), chosen, ranks.size, progress=progress,
        strict=as_flag("strict", strict), arrays=arrays,
        cuda_graph=as_flag("cuda_graph", cuda_graph),
    )  # fmt: skip
    with ending_all(ranks):
        trainer = run.start(model.ir, chosen, settings, config, hooks(callbacks), ranks)
        return History(trainer.fit(), trainer.folder.path)


def resume(
    run: str | Path | History,
    data: "Data | None" = None,
    *,
    data_dir: str | Path | None = None,
    device: str | None = None,
    threads: int | None = None,
    force: bool = False,
    strict: bool = False,
    distributed: bool = False,
    cuda_graph: bool = False,
    callbacks: "Sequence[Callback]" = (),
    progress: str = "auto",
    **recipe: Any,
) -> History:
    """Go on with a run folder from its last checkpoint, whoever began it; all its rows.

    `device`, `threads` and `data_dir` are as they were, unless given. UserError where the spec, the
    data are others than the run's; with `force` it goes on all the same, also under another
    `recipe`. A run of arrays needs them again as `data`. Raises as `train`.
    """
    from cnndsl.training import run as runs
    from cnndsl.training.distributed import joined
    from cnndsl.training.leaving import ending_all
    from cnndsl.training.run_config import read_config, read_model

    folder = run_folder(run)
    stored = read_config(folder)
    name, arrays = named_data(data)
    recipe |= {"data": name} if name else {}
    given = {"data_dir": path_or_none("data_dir", data_dir), "device": device,
             "threads": thread_count(threads)}  # fmt: skip
    changes = {name: value for name, value in given.items() if value is not None}
    settings = settings_of(recipe, "cnndsl.resume", keywords(resume))
    config = stored.changed(settings, **changes)
    model = read_model(folder, config)
    chosen = config.recipe_for(model)
    ranks = joined(as_flag("distributed", distributed))
    settings = config.settings(
        folder,
        chosen,
        ranks.size,
        progress=progress,
        strict=as_flag("strict", strict),
        cuda_graph=as_flag("cuda_graph", cuda_graph),
        arrays=arrays,
    )
    with ending_all(ranks):
        trainer = runs.resume(
            model, chosen, settings, config, as_flag("force", force), hooks(callbacks), ranks
        )
        return History(trainer.fit(), folder)


def search(
    model: Model | None = None,
    data: "Data | None" = None,
    *,
    resume: str | Path | None = None,
    vary: "str | Sequence[str]" = (),
    trials: int | None = None,
    timeout: float = inf,
    workers: int = 1,
    sampler: str | None = None,
    pruner: str | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    data_dir: str | Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    **recipe: Any,
) -> "Study":
    """Look for the best of what a model's `search { … }` and `vary` vary; the study so far.

    `vary` are lines of such a section: `"width 8 to 64"`, `"keep params < 100k"`, `"goal macs"`.
    Lets that the model was loaded with stay as they are. A candidate that is invalid or beyond a
    bound is rejected and never trained. `trials` counts candidates, 50 by default; `timeout` is in
    seconds. `sampler` is `tpe`, `random`, `grid` or `nsga2`, `pruner` is `median`, `hyperband` or
    `none`; `seed` is the sampler's. Data, `recipe` and the rest are as of `train`.

    `resume` is the folder of a study to go on with, in the place of a model; of the rest, only
    `trials`, `timeout`, `workers` and arrays as `data` say something to it.

    The study's `best.folder` is a run folder like any other, its `optuna` is Optuna's own study.
    Source: Akiba et al. 2019, Optuna, arXiv:1907.10902.

    Raises Failed for a spec with errors, UserError where nothing is varied or nothing can be
    trained, and Interrupted where the search was stopped.
    """
    from cnndsl.study.search import Effort, begin, go_on, resumed

    name, arrays = named_data(data)
    effort = Effort(as_number("timeout", timeout, 0), as_whole("workers", workers, 1))
    if resume is not None:
        return go_on(*resumed(as_path("resume", resume), trials), effort, arrays)
    if not isinstance(model, Model):
        raise WrongType("cnndsl.search takes a model of cnndsl.load, or resume=")
    from cnndsl.study.plan import Plan
    from cnndsl.training.run_config import RunConfig

    given = settings_of({"data": name} | recipe if name else recipe, "cnndsl.search")
    run = RunConfig(f"{model.name}.cnn", model.ir.settings).changed(
        given, data_dir=data_dir, device=device, threads=threads
    )
    plan = Plan(model.ir.source, run, as_texts("vary", vary), trials, sampler, pruner, seed)
    return go_on(*begin(path_or_none("out", out), plan, effort, arrays), effort, arrays)


def evaluate(
    run: str | Path | History,
    data: "Data | None" = None,
    *,
    data_dir: str | Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    views: "str | Views | None" = None,
    mirror: bool = False,
    why: bool = False,
) -> "Scores":
    """Loss, accuracy and confusion of a run's best weights on its test pictures, or on other data.

    Of `data`, as `train` takes them, all pictures are measured, or those of their test part.
    `views` are those whose outputs are averaged, in the words of a spec: `"mirror shift=1"`, `""`
    for none; the run's own by default. `mirror` is short for `views="mirror"`. With `why` the worst
    mistakes are `mistakes` of the scores, each drawn in `why` of the run's folder under a heat map
    of what it rests on. UserError where the data have other classes than the run.
    """
    from cnndsl.training.mistakes import FOLDER, explained_scores
    from cnndsl.training.run_scores import open_run

    if as_flag("mirror", mirror):
        if views is not None:
            raise UserError("mirror=True is short for views='mirror': give one of them")
        views = "mirror"
    explain, folder = as_flag("why", why), run_folder(run)
    opened = open_run(
        folder, data_or_arrays(data), path_or_none("data_dir", data_dir),
        device, thread_count(threads), views_of(views, "cnndsl.evaluate"),
    )  # fmt: skip
    return explained_scores(opened, folder / FOLDER) if explain else opened.scores()


def predict(
    model: "str | Path | ModelProto",
    pictures: "str | Path | Image | NDArray[np.generic] | Sequence[Any]",
    k: int = 5,
    *,
    device: str = "auto",
    threads: int | None = None,
    mean: "float | Sequence[float] | None" = None,
    std: "float | Sequence[float] | None" = None,
    layout: str | None = None,
    output: str | None = None,
    preprocess: str | None = None,
) -> list[Any]:
    """What a compiled model says of each picture, by its task.

    The k likeliest classes with their probabilities, or the labels above their thresholds with
    theirs: lists of (name, number). The numbers of a regression in its units: a dict by name. Of a
    segmentation, the mask of class numbers, H×W uint8, as large as the model gives it.

    `model` is an ONNX file or what `Model.to_onnx` gives; `pictures` is a file, PNG, JPEG or .npy,
    a folder of such, an image of pillow, an array as the model takes it, or a list of these. For
    models of others: images in 0…1 are given less `mean`, over `std`, or as `preprocess` names it:
    `imagenet`; `layout` is `nchw` or `nhwc`; `output` names the output with the scores. UserError
    where a file cannot be read, and for a model that tells of no task and gives no scores.
    """
    from cnndsl.runtime.predict import Reading, open_predictor

    opened = compiled_model(model)
    reading = Reading(mean, std, layout, output, preprocess)
    predictor = open_predictor(opened, device, thread_count(threads), reading)
    most = as_whole("k", k, 1)
    batches = predictor.batches(pictures)
    return [answer.value for batch in batches for answer in predictor.answers(batch, most)]
