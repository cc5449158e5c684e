"""Where an int8 model loses: the layers whose eight bits move the outputs most, and what helps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnndsl.quantize.graph import layers
from cnndsl.quantize.images import Images
from cnndsl.quantize.judge import Judge, distance, first_outputs
from cnndsl.quantize.qdq import Scheme, quantised

if TYPE_CHECKING:
    from onnx import ModelProto

_SHOWN = 5


@dataclass(frozen=True)
class Advice:
    """`worst` are layers with the error of the outputs when they alone are int8, the worst first.

    With those of `helping` in float32 the loss is allowed; empty where no choice was found. Those
    of `already` are in float32 as it is.
    """

    worst: tuple[tuple[str, float], ...]
    helping: tuple[str, ...]
    already: tuple[str, ...] = ()

    def told(self, keeping: Callable[[Sequence[str]], str], allow: str) -> list[str]:
        """As the lines of a message: `keeping` says how layers stay in float32, `allow` how more
        may be lost.
        """
        shown = ", ".join(f"{path} ({error:.2%})" for path, error in self.worst[:_SHOWN])
        lines = [f"layers that lose most, each alone: {shown}"]
        if not self.helping:
            return [*lines, f"no choice of layers in float32 mends it; {allow} allows more"]
        given = keeping((*self.already, *self.helping))
        return [*lines, f"this leaves enough of them in float32: {given}"]


def float_options(paths: Sequence[str]) -> str:
    """As the command line keeps layers in float32."""
    return " ".join(f'--float "{path}"' for path in paths)


def advice(
    source: "ModelProto", ranges: Any, scheme: Scheme, images: Images, judge: Judge,
    max_drop: float, kept: Sequence[str],
) -> Advice:  # fmt: skip
    """The worst layers, and the fewest of them, by doubling, that must stay float32."""
    exact, split = first_outputs(source, images.validation), images.validation
    rest = {path: nodes for path, nodes in layers(source).items() if not {*nodes} & {*kept}}
    errors = {
        path: distance(first_outputs(quantised(source, ranges, scheme, only=n), split), exact)
        for path, n in rest.items()
    }
    worst = sorted(errors.items(), key=lambda item: -item[1])
    before = [judge.metric(source, part) for part in (split, images.test)]
    count = 1
    while count < len(worst):
        chosen = [path for path, _ in worst[:count]]
        nodes = [*kept, *(name for path in chosen for name in rest[path])]
        made = quantised(source, ranges, scheme, nodes)
        after = [judge.metric(made, part) for part in (split, images.test)]
        if max(map(judge.lost, before, after)) <= max_drop:
            return Advice(tuple(worst), tuple(chosen))
        count *= 2
    return Advice(tuple(worst), ())
