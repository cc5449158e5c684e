"""`cnndsl compile FILE -o MODEL.onnx`."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnndsl.cli.common import (
    Listed,
    listed_algorithms,
    load,
    map_option,
    numbers,
    on_line,
    preprocess_option,
    refuse_options,
    refuse_overwriting,
    set_option,
    spec_argument,
    views_option,
    write_graph,
)
from cnndsl.cli.compile_quantize import (
    of_compiled,
    quantize_options,
    refuse_around_smaller,
    spec_images,
    tell_trained,
    write_float16,
    write_int8,
)
from cnndsl.cli.compile_web import refuse_for_page, write_page
from cnndsl.files import check_writable
from cnndsl.ir import Model
from cnndsl.recipe import LARGEST_SEED, Views
from cnndsl.report.units import mib
from cnndsl.setting_values import views_of
from cnndsl.source import UserError

if TYPE_CHECKING:
    from onnx import ModelProto

    from cnndsl.backend.inference import Options
    from cnndsl.lower.driver import Device, Plan
    from cnndsl.weights.fit import ModelWeights

# Options that say nothing to a training step.
_FOR_INFERENCE = ("opset", "fold", "uint8", "classes", "optimize", "int8", "fp16", "why", "views")


def _names(ctx: click.Context, param: click.Parameter, text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(part.strip() for part in text.split(","))


@click.command("compile")
@spec_argument
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True,
              help="The ONNX file to write; with --web the folder.")  # fmt: skip
@set_option
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    help="A file of weights: ours, or of PyTorch, Keras, ONNX, NumPy.",
)
@map_option
@click.option(
    "--seed",
    type=click.IntRange(0, LARGEST_SEED),
    default=0,
    show_default=True,
    help="Of fresh weights.",
)
@click.option("--opset", type=click.IntRange(17, 21), default=17, show_default=True,
              help="ONNX operator set of the inference graph.")  # fmt: skip
@click.option("--batch", type=click.IntRange(min=1), help="Fix the batch; symbolic by default.")
@click.option("--fold/--no-fold", default=True, show_default=True,
              help="Fold batch norm into convolutions.")  # fmt: skip
@click.option("--uint8", is_flag=True, help="Take N×H×W×C uint8 pictures, scaled inside.")
@click.option(
    "--mean",
    callback=numbers,
    help="Subtracted after /255; what the --weights were trained with, else 0.",
)
@click.option(
    "--std",
    callback=numbers,
    help="Divided by after that; what the --weights were trained with, else 1.",
)
@click.option(
    "--classes",
    callback=_names,
    help="Names of the classes, with commas; those of the --weights, else none.",
)
@preprocess_option
@views_option("by default none")
@click.option("--train", type=click.Choice(["step", "split"]), is_flag=False, flag_value="step",
              help="Write the training step; split: gradient and update apart.")  # fmt: skip
@click.option("--optimize", type=click.Choice(["cpu"]),
              help="Faster convolutions where they win, for a fixed --batch.")  # fmt: skip
@click.option("--conv", default="auto", show_default=True, cls=Listed, listing=listed_algorithms,
              help="With --train or --optimize: {}.")  # fmt: skip
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True,
              help="With --train: what the step is for.")  # fmt: skip
@click.option("--web", is_flag=True,
              help="Write a page that runs, or with --train learns, the model.")  # fmt: skip
@click.option("--runtime", metavar="FOLDER",
              help="With --web: onnxruntime-web to copy; by default a CDN's.")  # fmt: skip
@click.option("--why", is_flag=True,
              help="Two outputs: probabilities, and heat, a map of what they rest on.")  # fmt: skip
@quantize_options
@click.pass_context
def command(
    ctx: click.Context,
    file: Path, output: Path, settings: tuple[str, ...], weights: Path | None,
    name_map: Path | None, seed: int, opset: int, batch: int | None, fold: bool, uint8: bool,
    views: str | None, train: str | None, optimize: str | None, conv: str, device: "Device",
    web: bool, runtime: str | None, why: bool, **others: Any,
) -> int | None:  # fmt: skip
    """Write the inference graph of a spec or a run folder; onnxruntime runs it on CPU or CUDA."""
    from cnndsl.backend.artifact import inference_model
    from cnndsl.backend.inference import Options
    from cnndsl.lower.driver import Plan

    refuse_overwriting(output, file, weights, name_map)
    if not web:
        check_writable(output)
    _refuse_without_effect(ctx, file)
    if file.suffix == ".onnx" and (others["int8"] or others["fp16"]):
        return of_compiled(ctx, file, output, others)
    model, weights = _opened(file, settings, weights)
    loaded = _loaded(model, weights, name_map, seed, others)
    info = loaded.info
    seen = views_of(views, "--views") or Views()
    if web:
        return write_page(
            model, loaded, output, Options(opset, fold=fold, info=info, views=seen), runtime,
            pretrained=bool(weights), train=bool(train), batch=batch,
        )  # fmt: skip
    if train:
        plan = Plan(conv, device=device)
        return _write_training(model, loaded, output, train, batch, plan)
    options = Options(opset, batch, fold, uint8, info, optimize, Plan(conv), seen)
    options.check(model)
    origin = f"weights of {weights}" if weights else f"fresh weights, seed {seed}"
    if why:
        return _write_why(model, loaded, options, output, origin)
    graph = inference_model(model, loaded.tensors, options)
    if others["fp16"]:
        return write_float16(graph, file, output, others["keep_float"])
    if others["int8"]:
        tell_trained(file, info)
        images = spec_images(model, file if file.is_dir() else None, info, others)
        return write_int8(graph, file, images, output, others)
    written = write_graph(output, graph)
    click.echo(f"{written}, opset {opset}, {origin}", err=True)
    if optimize:
        _tell_optimized(model, loaded, options, graph)
    return None


def _opened(
    file: Path, settings: tuple[str, ...], weights: Path | None
) -> tuple[Model, Path | None]:
    """A spec's model and the weights that are named; a run's own model, with its best weights."""
    if file.suffix == ".onnx":
        way = f"cnndsl decompile {file} -o {file.stem}.cnn --weights {file.stem}.safetensors"
        raise UserError(f"{file} is compiled already; give a spec or a run folder\n  {way}")
    if not file.is_dir():
        return load(file, settings), weights
    from cnndsl.training.run_config import read_config, read_model

    model = read_model(file, read_config(file))
    return model, weights or file / "weights" / "best.safetensors"


def _loaded(
    model: Model, weights: Path | None, name_map: Path | None, seed: int, said: Mapping[str, Any]
) -> "ModelWeights":
    """The weights of the file, or fresh ones, with the preprocessing and the classes that the
    options say; what can hardly be meant is told.
    """
    from cnndsl.weights.fit import ModelWeights, read_weights, told
    from cnndsl.weights.initial import initial_weights
    from cnndsl.weights.model_info import ModelInfo
    from cnndsl.weights.preprocess import prepared

    if weights:
        found = told(read_weights(weights, model, name_map))
    else:
        found = ModelWeights(initial_weights(model, seed), ModelInfo())
    info = prepared(found.info, said["preprocess"])
    info = info.updated(said["mean"], said["std"], said["classes"])
    for doubt in info.doubts():
        click.echo(f"warning: {doubt}", err=True)
    return replace(found, info=info)


def _write_why(
    model: Model, weights: "ModelWeights", options: "Options", output: Path, origin: str
) -> None:  # fmt: skip
    """The graph that answers and says why."""
    from cnndsl.backend.artifact import WHY, why_model

    graph = why_model(model, weights.tensors, options)
    layer = next(entry.value for entry in graph.metadata_props if entry.key == WHY)
    written = write_graph(output, graph)
    click.echo(f"{written}, batches of {options.batch or 1}, heat of `{layer}`, {origin}",
               err=True)  # fmt: skip


def _tell_optimized(
    model: Model, weights: "ModelWeights", options: "Options", graph: "ModelProto"
) -> None:
    """What the optimization took and what it costs in bytes."""
    from cnndsl.backend.artifact import algorithms_of, inference_model
    from cnndsl.lower.driver import Plan

    taken = algorithms_of(graph)
    if not taken:
        click.echo("optimize: nothing is won here; the file is the plain one", err=True)
        return
    options = replace(options, optimize=None, plan=Plan())
    plain = inference_model(model, weights.tensors, options)
    counts = Counter(taken.values())
    shown = ", ".join(f"{n} by {name}" for name, n in sorted(counts.items()))
    click.echo(f"optimize: convolutions of a batch of {options.batch}: {shown}; plain would be "
               f"{mib(plain.ByteSize())}", err=True)  # fmt: skip


def _refuse_without_effect(ctx: click.Context, file: Path) -> None:
    """UsageError for an option of this call that says nothing to what is written."""
    given = on_line(ctx)
    refuse_for_page(ctx, given)
    if "train" in given and "web" not in given:
        refuse_options(ctx, _FOR_INFERENCE, "is for the inference graph, not for --train")
    refuse_around_smaller(ctx, given)
    if "conv" in given and not given & {"train", "optimize"}:
        raise click.UsageError(
            "--conv says nothing to the plain inference graph, whose convolutions are ONNX's own: "
            "add --train, or --optimize cpu"
        )
    if "device" in given and "train" not in given:
        raise click.UsageError("--device is for --train: the inference graph runs on both")
    if "name_map" in given and "weights" not in given:
        raise click.UsageError("--map names the tensors of --weights, and there are none")
    if "seed" in given and (file.is_dir() or "weights" in given):
        raise click.UsageError("--seed is of fresh weights, and these are of a file")
    if "settings" in given and file.is_dir():
        hint = f"for others give {file / 'model.cnn'} and its --weights"
        raise click.UsageError(f"--set: a run keeps its own settings; {hint}")


def _write_training(
    model: Model, weights: "ModelWeights", output: Path, train: str, batch: int | None, plan: "Plan"
) -> None:  # fmt: skip
    """`step.onnx`, or `step.grad.onnx` and `step.apply.onnx`."""
    from cnndsl.backend.artifact import split_models, step_model
    from cnndsl.backend.step import StepOptions, freezing
    from cnndsl.learned import check_patterns
    from cnndsl.recipe import Recipe
    from cnndsl.recipe_checks import check_precision

    info = weights.info
    recipe = model.recipe or Recipe()
    recipe = replace(recipe, task=info.task or recipe.task)
    info.check(model.input[0], model.output_shapes()[model.main_output][0])
    options = StepOptions(
        batch or recipe.batch, 1, plan, bool(recipe.augment.mixup), info.mean, info.std
    )
    check_patterns(model, recipe)
    check_precision(recipe)
    if recipe.precision is not None and plan.device == "cpu":
        click.echo("precision fp16: the step is written for CUDA; a CPU is slower with it than in "
                   "float32", err=True)  # fmt: skip
    if recipe.quantize is not None:
        click.echo("the step is in float32: `quantize` is for `cnndsl train`, which measures "
                   "ranges on images", err=True)  # fmt: skip
    options = freezing(options, model, recipe, weights.tensors)
    if train == "step":
        graphs = {output: step_model(model, recipe, options, weights.tensors)}
    else:
        grad, apply = split_models(model, recipe, options, weights.tensors)
        stem = output.name.removesuffix(".onnx")
        graphs = {output.with_name(f"{stem}.grad.onnx"): grad,
                  output.with_name(f"{stem}.apply.onnx"): apply}  # fmt: skip
    for path, graph in graphs.items():
        written = write_graph(path, graph)
        click.echo(f"{written}, {len(graph.graph.node)} operators, "
                   f"a step of {options.batch}", err=True)  # fmt: skip
