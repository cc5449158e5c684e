"""What int8 costs and wins: metric, milliseconds and bytes, before and after."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Any

from cnndsl.quantize.graph import enter
from cnndsl.quantize.images import Images
from cnndsl.quantize.judge import Judge
from cnndsl.quantize.qdq import Scheme
from cnndsl.results import Table
from cnndsl.runtime.instructions import has_vnni, instructions
from cnndsl.runtime.predict import open_predictor
from cnndsl.runtime.timing import run_times
from cnndsl.source import counted

if TYPE_CHECKING:
    from onnx import ModelProto

KEY = "cnndsl_int8"
"""Of the metadata."""
_ROUNDS = 3  # in which the two take turns
_SECONDS = 0.2  # of runs in each round
_FEWEST, _MOST = 5, 300  # runs in each round


@dataclass(frozen=True)
class Proof:
    """Before and after: the metric on the test images, milliseconds a batch, bytes of the file.

    `lost` counts points of the metric, or, of an error, percent.
    """

    metric: str
    before: float
    after: float
    lost: float
    unit: str
    data: str
    images: int
    calibration_images: int
    batch: int
    ms_before: float
    ms_after: float
    bytes_before: int
    bytes_after: int
    method: str
    per_channel: bool
    reduce_range: bool
    float_layers: tuple[str, ...]
    cpu: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """All that can be written as JSON."""
        return asdict(self)

    @property
    def loss(self) -> str:
        """`int8 loses 2.30 points of accuracy`."""
        return f"int8 loses {self.lost:.2f} {self.unit} of {self.metric}"

    def table(self) -> Table:
        """Before, after and the change."""
        images = f"{counted(self.images, 'test image')} of {self.data}"
        faster, smaller = self.ms_before / self.ms_after, self.bytes_before / self.bytes_after
        speed = f"{faster:.2f}x faster" if faster >= 1 else f"{1 / faster:.2f}x slower"
        batch = "an image" if self.batch == 1 else f"a batch of {self.batch}"
        size = f"{smaller:.2f}x smaller" if smaller >= 1 else f"{1 / smaller:.2f}x larger"
        rows = (
            (self.metric, f"{self.before:.4f}", f"{self.after:.4f}", self._change()),
            (f"ms {batch}", f"{self.ms_before:.3f}", f"{self.ms_after:.3f}", speed),
            ("bytes", f"{self.bytes_before:,}", f"{self.bytes_after:,}", size),
        )
        return Table(f"int8 over {images}", ("", "float32", "int8", "change"), rows)

    def _change(self) -> str:
        unit = self.unit if self.unit == "points" else f"{self.unit} of error"
        change = round(-self.lost if self.unit == "points" else self.lost, 2) + 0.0  # no -0.00
        return f"{change:+.2f} {unit}"

    def remarks(self) -> list[str]:
        """How it was made, what the CPU has, and what is to be known of both."""
        way = Scheme(self.method, self.per_channel).text
        way += ", weights of 7 bits" if self.reduce_range else ""
        images = counted(self.calibration_images, "training image")
        told = [f"calibrated on {images}: {way}" if self.calibration_images else
                f"weights and ranges of {way}"]  # fmt: skip
        if self.float_layers:
            told.append(f"in float32: {', '.join(self.float_layers)}")
        told.append(f"this CPU has {' '.join(self.cpu) or 'instructions that are not known'}")
        if self.cpu and not has_vnni(self.cpu) and not self.reduce_range:
            told.append("without VNNI 16-bit sums may saturate: compare with --reduce-range")
        if self.ms_after > self.ms_before:
            told.append("int8 is slower than float32 here: small layers do not pay for the "
                        "conversions around them")  # fmt: skip
        if self.unit == "points" and 100 / self.images > 1:
            told.append(f"one of {self.images} images weighs {100 / self.images:.1f} points: "
                        "the proof is coarse")  # fmt: skip
        return told


def proven(
    before: "ModelProto", after: "ModelProto", images: Images, judge: Judge, scheme: Scheme,
    keep_float: Sequence[str],
) -> Proof:  # fmt: skip
    """Measure both models on the test images and the clock; the proof enters the metadata."""
    exact, rounded = (judge.metric(model, images.test) for model in (before, after))
    batch, (slow, fast) = _timed(before, after)
    proof = Proof(
        metric=judge.task.measure, before=exact, after=rounded, lost=judge.lost(exact, rounded),
        unit=judge.unit, data=images.name, images=len(images.test),
        calibration_images=len(images.calibration), batch=batch, ms_before=slow, ms_after=fast,
        bytes_before=before.ByteSize(), bytes_after=0, method=scheme.method,
        per_channel=scheme.per_channel, reduce_range=scheme.reduce_range,
        float_layers=tuple(keep_float), cpu=instructions(),
    )  # fmt: skip
    return replace(proof, bytes_after=enter(after, KEY, proof.as_dict()))


def _timed(before: "ModelProto", after: "ModelProto") -> tuple[int, list[float]]:
    """The batch, and the median milliseconds of both, one session at a time, in turn."""
    times: list[list[float]] = [[], []]
    batch = 1
    for _ in range(_ROUNDS):
        for model, found in zip((before, after), times, strict=True):
            predictor = open_predictor(model, "cpu")
            batch = predictor.fixed_batch or 1
            first = min(run_times(predictor, batch, 1))
            steps = int(max(_FEWEST, min(_MOST, 1e3 * _SECONDS / max(first, 1e-3))))
            found += run_times(predictor, batch, steps)
    return batch, [median(found) for found in times]
