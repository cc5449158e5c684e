"""What a layer is: a frozen dataclass that carries all about itself.

Its fields are its syntax (`cnndsl.fields`), its docstring is its manual page, its methods give the
shape, the parameters, the cost and the ONNX operators. It knows nothing of spans and passes.
"""

from dataclasses import dataclass, replace
from math import isqrt
from typing import Any, ClassVar, Self

from cnndsl.fields import Word
from cnndsl.graph.emitter import Emitter
from cnndsl.graph.tape import Value
from cnndsl.init import ONE_FAN, ZEROS, Fans, Init
from cnndsl.layers.mend import Before, Mend
from cnndsl.shapes import Shape, show

registry: dict[str, type["Layer"]] = {}


class Reject(Exception):  # noqa: N818  (read as: the layer rejects its input)
    """A layer cannot take its input; the pass that knows the place adds span and history.

    `arg` names the field to point at (the word itself by default), `assume` is the shape to go on
    with, so that later independent errors are found in the same run. `mend` is what to write.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        arg: str | None = None,
        help: str | None = None,
        assume: Shape | None = None,
        mend: Mend | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.arg, self.help, self.assume = code, message, arg, help, assume
        self.mend = mend


@dataclass(frozen=True)
class Param:
    """A tensor of a layer. Statistics are not `learned`; biases and norms do not `decay`."""

    name: str
    shape: tuple[int, ...]
    init: Init = ZEROS
    fans: Fans = ONE_FAN
    learned: bool = True
    decay: bool = False
    l2: float = 0.0


@dataclass(frozen=True)
class Window:
    """What one output position sees of the input, per axis; `step` below 1 enlarges the map.

    The statistics of a normalisation do not count as seeing.
    """

    reach: tuple[float, float] = (1, 1)
    step: tuple[float, float] = (1, 1)


POINT = Window()


class Layer(Word):
    """One input, one output. Shapes are without the batch."""

    post: ClassVar[bool] = False
    """Whether the word may follow another layer in its statement (`conv 64 3x3 bn relu`)."""

    def __init_subclass__(cls, word: str = "") -> None:
        super().__init_subclass__(word)
        if word:
            registry[word] = cls

    def shape(self, x: Shape) -> Shape:
        """Output shape; raises Reject."""
        return x

    def infer(self, xs: tuple[Shape, ...]) -> Shape:
        """Output shape of any number of inputs."""
        return self.shape(xs[0])

    def params(self, x: Shape) -> tuple[Param, ...]:
        """The layer's tensors, in the order of a checkpoint."""
        return ()

    def macs(self, x: Shape, y: Shape) -> int:
        """Multiply-accumulates for one sample, as papers count them: convolutions and products."""
        return 0

    def window(self, x: Shape) -> Window | None:
        """What one output position sees; None for the whole input."""
        return POINT

    def before(self, words: tuple[str, ...]) -> Self:
        """The layer as it is when these words follow it in the same statement."""
        return self

    def emit(self, e: Emitter, x: Value) -> Value:
        """Write the layer on the emitter's tape."""
        raise NotImplementedError(self.word)

    def apply(self, e: Emitter, xs: tuple[Value, ...]) -> Value:
        """`emit` for any number of inputs."""
        return self.emit(e, xs[0])


class Merge(Layer):
    """Several inputs, one output: `add { a | b }`, `concat e1`."""

    takes_labels = True
    takes_group = True

    def apply(self, e: Emitter, xs: tuple[Value, ...]) -> Value:
        """Write the merge; a single input passes through."""
        return xs[0] if len(xs) == 1 else self.join(e, xs)

    def join(self, e: Emitter, xs: tuple[Value, ...]) -> Value:
        """Write the merge of two or more inputs."""
        raise NotImplementedError(self.word)


def image(x: Shape, word: str) -> tuple[int, int, int]:
    """The shape as channels, height, width; rejects vectors."""
    if len(x) == 3:
        return x
    square = squarish(x[0])
    raise Reject(
        "E202",
        f"`{word}` needs an image, but its input is a vector of {show(x)} features",
        help=f"put `{word}` before `flatten` and `dense`",
        mend=Before(
            f"reshape {show(square)}", square, f", or write `reshape {show(square)}` before it"
        ),
    )


def squarish(features: int) -> tuple[int, int, int]:
    """The largest square image of so many values, with as many channels as that takes."""
    side = next(n for n in range(min(isqrt(features), 256), 0, -1) if features % (n * n) == 0)
    return (features // (side * side), side, side)


def sample(x: Value) -> Shape:
    """The shape of one sample of a tensor on the tape."""
    return tuple(int(d) for d in x.shape[1:])


def sole_padding(layer: Any, x: Shape) -> None:
    """Rejects `same pad=1`: the two contradict each other."""
    if layer.pads is None or layer.padding == "valid":
        return
    raise Reject(
        "E108",
        f"`{layer.padding}` and `pad={show(layer.pads)}` are two paddings",
        arg="pads",
        help="keep one of them",
        assume=replace(layer, pads=None).shape(x),
    )
