"""`cnndsl run MODEL.onnx PICTURE…` (also `predict`)."""

from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnndsl.cli.common import device_option, numbers, preprocess_option, threads_option, to_json
from cnndsl.results import EMPTY, Answer
from cnndsl.runtime.image_files import image_files, refuse_other_kinds
from cnndsl.runtime.predict import LAYOUTS, Predictor, Reading, open_predictor
from cnndsl.source import UserError

if TYPE_CHECKING:
    from cnndsl.why.explainer import Explainer


@click.command("run")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("pictures", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-k", "--top", type=click.IntRange(min=1), default=5, show_default=True,
              help="Classes shown for each picture.")  # fmt: skip
@device_option
@threads_option
@click.option("--mean", callback=numbers, help="Subtracted from images in 0…1: 0.49,0.48,0.45.")
@click.option("--std", callback=numbers, help="What images are divided by then.")
@preprocess_option
@click.option("--layout", type=click.Choice(LAYOUTS),
              help="Order of the input's dimensions; by default what its sizes tell.")  # fmt: skip
@click.option("--output", help="The output with the scores, where there are several.")
@click.option("--raw", is_flag=True, help="Print the outputs themselves, as JSON lines.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a picture.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/predict"),
              show_default=True, help="Where masks and heat maps are written.")  # fmt: skip
@click.option("--why", is_flag=True,
              help="Write NAME.why.png: what of each image the answer rests on.")  # fmt: skip
@click.option("--strict", is_flag=True, help="End at a picture that cannot be read.")
def command(
    model: Path, pictures: tuple[Path, ...], top: int, device: str, threads: int | None,
    raw: bool, as_json: bool, out: Path, why: bool, strict: bool, **reading: Any,
) -> None:  # fmt: skip
    """What a compiled model says of images: files, folders of them, patterns, .npy arrays.

    A segmentation also writes NAME.mask.png, the class number of each pixel, and NAME.overlay.png.
    --why takes the gradients of a model of ours (Grad-CAM), and covers parts of images for others.
    An image that cannot be read is named on stderr and left out.
    """
    if why and raw:
        raise click.UsageError("--why explains answers, and --raw prints none")
    refuse_other_kinds(model)
    files, left_out, stems = image_files(pictures), 0, set[str]()
    predictor = open_predictor(model, device, threads, Reading(**reading))
    if predictor.note:
        click.echo(f"note: {predictor.note}", err=True)
    explainer = _explainer(model, predictor, device) if why else None
    for path in files:
        try:
            batch = predictor.picture(path)
        except UserError as error:
            if strict or len(files) == 1:
                raise
            click.echo(f"left out: {error}", err=True)
            left_out += 1
            continue
        if raw:
            click.echo(_raw(path, predictor, batch))
            continue
        heats = [None] * len(batch) if explainer is None else explainer.heat(batch)
        for answer, heat in zip(predictor.answers(batch, top), heats, strict=True):
            drawn = _drawn(out, path, predictor, answer, stems)
            drawn |= _why(out, path, predictor, heat, stems)
            record = {"file": str(path), **answer.record, **drawn}
            told = "  → ".join([answer.text, *drawn.values()])
            click.echo(to_json(record) if as_json else f"{path}: {told}")
    if left_out == len(files):
        raise UserError("none of the pictures can be read")


def _drawn(
    out: Path, path: Path, predictor: Predictor, answer: Answer, stems: set[str]
) -> dict[str, str]:  # fmt: skip
    """The files that are written of an answer, by kind; none shares its name with another's."""
    if answer.mask is None:
        return {}
    from cnndsl.runtime.masks import save_masks

    return save_masks(out, path, _free_stem(path, stems), answer.mask, predictor.info)


def _why(
    out: Path, path: Path, predictor: Predictor, heat: Any, stems: set[str]
) -> dict[str, str]:  # fmt: skip
    """The heat map that is written of an image, if there is one."""
    if heat is None:
        return {}
    from cnndsl.why.drawing import is_empty, save_over_file

    if is_empty(heat):
        click.echo(f"{path}: {EMPTY}", err=True)
    target = out / f"{_free_stem(path, stems)}.why.png"
    return {"why": save_over_file(target, path, heat, predictor.info)}


def _explainer(model: Path, predictor: Predictor, device: str) -> "Explainer":
    from cnndsl.why.explainer import open_explainer

    return open_explainer(model, predictor, device)


def _free_stem(path: Path, stems: set[str]) -> str:
    """A file's name without its ending, numbered where it is taken."""
    numbered = (f"{path.stem}-{i}" for i in count(2))
    stem = next(each for each in chain([path.stem], numbered) if each not in stems)
    stems.add(stem)
    return stem


def _raw(path: Path, predictor: Predictor, batch: Any) -> str:
    """A line of JSON: the file, and every output by its name."""
    names = [port.name for port in predictor.session.get_outputs()]
    outputs = [y.tolist() for y in predictor.run(batch)]
    return to_json({"file": str(path), "outputs": dict(zip(names, outputs, strict=True))})
