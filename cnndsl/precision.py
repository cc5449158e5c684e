"""Settings of the numbers that a step computes in: float16, and the rounding to eight bits."""

from dataclasses import dataclass

from cnndsl.fields import Word, arg, key


@dataclass(frozen=True)
class Quantize(Word, word="quantize"):
    """Quantisation-aware training: `quantize int8` rounds in each step as an int8 graph rounds.

    From epoch `from` on weights and activations are rounded, and epochs are measured by the int8
    graph; the best of these is written as `best.int8.onnx`. Ranges of activations are measured
    before the first such epoch, and then follow the batches. From epoch `hold` on they and the
    running statistics of `bn` stay, so that a step computes what the int8 graph does.
    """

    format: str = arg("choice", choices=("int8",), doc="int8: eight bits a number")
    start: int = key(
        "int", name="from", default=0, low=0, doc="rounded from this epoch; 0: at once"
    )
    hold: int | None = key(
        "int",
        low=0,
        doc="ranges and statistics stay from this epoch on; the last third, unless said",
    )

    def held_from(self, epochs: int) -> int:
        """The epoch since which ranges and statistics stay, of so many in all."""
        return self.start + -(-2 * (epochs - self.start) // 3) if self.hold is None else self.hold


@dataclass(frozen=True)
class Precision(Word, word="precision"):
    """Numbers of the step: `precision fp16` computes in float16 on CUDA, with weights in float32.

    Products are in float16, sums of many numbers in float32: losses, softmax, norms and their
    statistics. Gradients are computed times a scale. Where one is no number, the step changes
    nothing and the scale halves; after `interval` good steps in a row it doubles.
    Source: Micikevicius et al. 2018, arXiv:1710.03740; the scale moves as torch.amp.GradScaler's.
    """

    format: str = arg("choice", choices=("fp16",), doc="fp16: float16")
    scale: float = key("float", default=65536.0, low=1, high=1e38, doc="loss scale at the start")
    interval: int = key("int", default=2000, low=1, doc="good steps until the scale doubles")
