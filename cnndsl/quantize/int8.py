"""A float32 model to int8: calibrated, chosen on validation images, proven on test images."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.quantize.calibrate import METHODS, batches, ranges
from cnndsl.quantize.graph import layers, named_nodes, prepared, recent
from cnndsl.quantize.images import Images
from cnndsl.quantize.judge import Judge, distance, first_outputs
from cnndsl.quantize.losses import Advice, advice
from cnndsl.quantize.proof import Proof, proven
from cnndsl.quantize.qdq import Scheme, quantised
from cnndsl.quantize.smaller import Smaller
from cnndsl.runtime.predict import open_predictor
from cnndsl.source import UserError, option

if TYPE_CHECKING:
    from onnx import ModelProto


@dataclass(frozen=True)
class Int8Options:
    """How int8 is made: the loss that is allowed, in points of the metric; patterns of the layers
    that stay float32; weights of seven bits.
    """

    max_drop: float = 1.0
    keep_float: tuple[str, ...] = ()
    reduce_range: bool = False

    def __post_init__(self) -> None:
        if isnan(self.max_drop):
            raise UserError(f"{option('max-drop', self.max_drop)}: how many points may be lost?")


@dataclass(frozen=True, eq=False, repr=False)
class Int8(Smaller):
    """An int8 model with its proof; where it lost too much, with what helps."""

    proof: Proof
    advice: Advice | None = None


@dataclass(frozen=True, eq=False)
class _Candidate:
    scheme: Scheme
    ranges: Any
    model: "ModelProto"
    metric: float
    distance: float


def to_int8(
    model: "ModelProto", name: str, images: Images, options: Int8Options, say: Callable[[str], None]
) -> Int8:
    """The best of all calibration methods, per channel and per tensor, by the validation images:
    of those that lose least the one whose outputs are nearest; what is gained is chance.

    `say` is told how it goes. UserError for a model that is not float32, by the `name` of its file,
    and for patterns that name no layer.
    """
    source, judge = prepared(recent(model, name), name), Judge(images.task, images.names)
    kept = named_nodes(source, options.keep_float)
    _check_layers(source, name, kept)
    best = _best(source, _exact(source, name, images), images, judge, options, kept, say)
    proof = proven(model, best.model, images, judge, best.scheme, options.keep_float)
    if proof.lost <= options.max_drop:
        return Int8(best.model, proof)
    say("looking for the layers that lose most")
    found = advice(source, best.ranges, best.scheme, images, judge, options.max_drop, kept)
    return Int8(best.model, proof, replace(found, already=options.keep_float))


def _check_layers(source: "ModelProto", name: str, kept: list[str]) -> None:
    """UserError where nothing becomes int8."""
    able = {node for nodes in layers(source).values() for node in nodes}
    if not able:
        raise UserError(f"{name}: no layer has an int8 form")
    if able <= {*kept}:
        raise UserError("float: all layers stay float32; leave some of them to int8")


def _exact(source: "ModelProto", name: str, images: Images) -> NDArray[np.float64]:
    """Outputs in float32, with which others are compared; UserError where they are no numbers."""
    outputs = first_outputs(source, images.validation)
    if not np.isfinite(outputs).all():
        raise UserError(f"{name}: its outputs for images of {images.name} are no finite numbers\n"
                        "  its weights are broken, or it wants other images")  # fmt: skip
    return outputs


def _best(
    source: "ModelProto", exact: NDArray[np.float64], images: Images, judge: Judge,
    options: Int8Options, kept: list[str], say: Callable[[str], None],
) -> _Candidate:  # fmt: skip
    predictor, before = open_predictor(source, "cpu"), judge.metric(source, images.validation)
    measure, count = judge.task.measure, f"{len(images.validation):,} validation images"
    for line in filter(None, (predictor.note, f"float32: {measure} {before:.4f}")):
        say(line)
    found = list[_Candidate]()
    for method in METHODS:
        measured = ranges(source, method, batches(source, predictor, images.calibration))
        for per_channel in (True, False):
            scheme = Scheme(method, per_channel, options.reduce_range)
            made = quantised(source, measured, scheme, kept)
            metric = judge.metric(made, images.validation)
            far = distance(first_outputs(made, images.validation), exact)
            found.append(_Candidate(scheme, measured, made, metric, far))
            say(f"{scheme.text}: {measure} {metric:.4f} on {count}, outputs {far:.2%} off")
    return min(found, key=lambda one: (max(0, judge.lost(before, one.metric)), one.distance))
