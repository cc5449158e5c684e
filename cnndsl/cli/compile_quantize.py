"""What `cnndsl compile` does for --int8 and --fp16: options, tables and exit codes."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnndsl.cli.common import data_dir_option, on_line, refuse_options, to_json, write_graph
from cnndsl.report.units import mib
from cnndsl.source import listed

if TYPE_CHECKING:
    from onnx import ModelProto

    from cnndsl.ir import Model
    from cnndsl.quantize.images import Images
    from cnndsl.quantize.int8 import Int8
    from cnndsl.training.int8 import Wanted
    from cnndsl.weights.model_info import ModelInfo

_READING = ("mean", "std", "preprocess")  # how images of a compiled model are prepared
_OF_INT8 = ("data", "data_dir", "calibrate", "max_drop", "reduce_range", "as_json")

_OPTIONS = (
    click.option("--int8", is_flag=True,
                 help="Eight bits a number; measures what that costs and wins."),
    click.option("--fp16", is_flag=True,
                 help="Float16 inside, for GPUs and phones: a CPU is slower with it."),
    click.option("--data", help="With --int8: the data; by default those of the run or the spec."),
    data_dir_option,
    click.option("--calibrate", type=click.IntRange(min=1), default=512, show_default=True,
                 metavar="N", help="With --int8: training images that tell the ranges."),
    click.option("--max-drop", type=click.FloatRange(min=0), default=1.0, show_default=True,
                 metavar="POINTS", help="With --int8: a larger loss of the metric is exit 1."),
    click.option("--float", "keep_float", multiple=True, metavar="PATHS",
                 help='Layers that stay float32: "conv_1 stage_1.*".'),
    click.option("--reduce-range", is_flag=True,
                 help="With --int8: weights of 7 bits, for CPUs without VNNI."),
    click.option("--json", "as_json", is_flag=True, help="With --int8: the table as JSON."),
)  # fmt: skip


def quantize_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The decorator that adds them all."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def refuse_around_smaller(ctx: click.Context, given: set[str]) -> None:
    """UsageError for options that do not go with --int8, --fp16 and --why, or only with these."""
    smaller = given & {"int8", "fp16", "why"}
    if len(smaller) > 1:
        raise click.UsageError("give one of --int8, --fp16 and --why")
    for other in smaller:
        refuse_options(ctx, ("fold", "optimize"), f"does not go with --{other}")
    if "why" in given:
        refuse_options(ctx, ("views",), "does not go with --why, which explains one view")
    if "int8" not in given:
        refuse_options(ctx, _OF_INT8, "is for --int8")
    if not given & {"int8", "fp16"}:
        refuse_options(ctx, ("keep_float",), "is for --int8 or --fp16")


def of_compiled(ctx: click.Context, file: Path, output: Path, smaller: dict[str, Any]) -> int:
    """int8 or float16 of a model that is compiled already."""
    from cnndsl.quantize.graph import refuse_smaller, told_preprocessing
    from cnndsl.runtime.foreign import load_checked
    from cnndsl.runtime.predict import Reading
    from cnndsl.training.int8 import onnx_images

    known = {"file", "output", "int8", "fp16", "keep_float", *_READING, *_OF_INT8}
    refuse_options(ctx, on_line(ctx) - known, "says nothing to a compiled model")
    graph = load_checked(file)
    refuse_smaller(graph, str(file))
    reading = Reading(**{name: ctx.params[name] for name in _READING})
    graph = told_preprocessing(graph, str(file), reading)
    if smaller["fp16"]:
        return write_float16(graph, file, output, smaller["keep_float"])
    return write_int8(graph, file, onnx_images(graph, _wanted(smaller)), output, smaller)


def spec_images(
    model: "Model", run: Path | None, info: "ModelInfo", how: Mapping[str, Any]
) -> "Images":
    """Of --data, or else of the spec or the run."""
    from cnndsl.training import int8

    return int8.spec_images(model, run, info, _wanted(how))


def _wanted(how: Mapping[str, Any]) -> "Wanted":
    """The images that the options ask for."""
    from cnndsl.training.int8 import Wanted

    return Wanted(how["data"], how["data_dir"], how["calibrate"])


def tell_trained(run: Path, info: "ModelInfo") -> None:
    """Say of a run that was trained for int8 where that graph is: this one is calibrated."""
    if info.ranges and run.is_dir():
        click.echo(f"{run} was trained for int8, which is {run / 'weights' / 'best.int8.onnx'}; "
                   "this file gets ranges of its own", err=True)  # fmt: skip


def write_int8(
    graph: "ModelProto", file: Path, images: "Images", output: Path, how: Mapping[str, Any]
) -> int:
    """Write the int8 model and print its proof; 1, and no file, where it loses too much."""
    from cnndsl.quantize.int8 import Int8Options, to_int8

    options = Int8Options(how["max_drop"], how["keep_float"], how["reduce_range"])
    made = to_int8(graph, str(file), images, options, lambda text: click.echo(text, err=True))
    click.echo(to_json(made.proof.as_dict(), 2) if how["as_json"] else made.proof.table())
    for remark in made.proof.remarks():
        click.echo(remark, err=True)
    if made.advice is not None:
        return _refused(made, options.max_drop)
    click.echo(write_graph(output, made.model), err=True)
    return 0


def _refused(made: "Int8", allowed: float) -> int:
    from cnndsl.quantize.losses import float_options

    assert made.advice is not None
    click.echo(f"error: {made.proof.loss}, more than --max-drop {allowed:g}: nothing is written",
               err=True)  # fmt: skip
    for line in made.advice.told(float_options, "a larger --max-drop"):
        click.echo(f"  {line}", err=True)
    return 1


def write_float16(
    graph: "ModelProto", file: Path, output: Path, keep_float: tuple[str, ...]
) -> int:
    """Write the float16 model; 1, and no file, where its outputs are others."""
    from cnndsl.quantize.float16 import to_float16

    made = to_float16(graph, str(file), keep_float)
    if made.proof.problem:
        click.echo(f"error: float16: {made.proof.problem}: nothing is written", err=True)
        return 1
    written, proof = write_graph(output, made.model), made.proof
    exact = (*proof.float_operators, *proof.float_layers)
    kept = f"; in float32: {listed(exact)}" if exact else ""
    click.echo(f"{written} for {mib(proof.bytes_before)}, outputs {proof.off}{kept}", err=True)
    click.echo("float16 is for GPUs and phones: on a CPU it is slower than float32", err=True)
    return 0
