"""A float32 model to int8: calibrated, chosen on validation images, proven on test images."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cnndsl.quantize.calibrate import METHODS, batches, ranges
from cnndsl.quantize.graph import named_nodes, prepared
from cnndsl.quantize.images import Images
from cnndsl.quantize.judge import Judge, distance, first_outputs
from cnndsl.quantize.losses import Advice, advice
from cnndsl.quantize.proof import Proof, proven
from cnndsl.quantize.qdq import Scheme, quantised
from cnndsl.quantize.smaller import Smaller
from cnndsl.runtime.predict import open_predictor

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
    source, judge = prepared(model, name), Judge(images.task, images.names)
    kept = named_nodes(source, options.keep_float)
    best = _best(source, images, judge, options, kept, say)
    proof = proven(model, best.model, images, judge, best.scheme, options.keep_float)
    if proof.lost <= options.max_drop:
        return Int8(best.model, proof)
    say("looking for the layers that lose most")
    found = advice(source, best.ranges, best.scheme, images, judge, options.max_drop, kept)
    return Int8(best.model, proof, replace(found, already=options.keep_float))


def _best(
    source: "ModelProto", images: Images, judge: Judge, options: Int8Options, kept: list[str],
    say: Callable[[str], None],
) -> _Candidate:  # fmt: skip
    exact, predictor = first_outputs(source, images.validation), open_predictor(source, "cpu")
    before = judge.metric(source, images.validation)
    found = list[_Candidate]()
    for method in METHODS:
        measured = ranges(source, method, batches(source, predictor, images.calibration))
        for per_channel in (True, False):
            scheme = Scheme(method, per_channel, options.reduce_range)
            made = quantised(source, measured, scheme, kept)
            metric = judge.metric(made, images.validation)
            far = distance(first_outputs(made, images.validation), exact)
            found.append(_Candidate(scheme, measured, made, metric, far))
            say(f"{scheme.text}: {judge.task.measure} {metric:.4f} on "
                f"{len(images.validation):,} validation images, outputs {far:.2%} off")  # fmt: skip
    return min(found, key=lambda one: (max(0, judge.lost(before, one.metric)), one.distance))
