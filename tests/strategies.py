"""Random valid nets as `.cnn` text, for hypothesis.

    @given(nets())
    def test_something(text: str) -> None: ...

A net is grown piece by piece; a piece is kept if the checker accepts it behind the shape at hand.
Every piece is text that a person might write: layers with their words, branches, residuals, labels,
blocks with parameters, repeats, conditions.
"""

from dataclasses import dataclass, field
from functools import cache
from math import prod

from hypothesis import strategies as st

import cnndsl
from cnndsl.shapes import Shape, show

Draw = st.DrawFn
LARGEST = 6_000  # values of an activation: nets stay small enough for hundreds of runs

FILTERS = (1, 2, 3, 4, 6, 8)
KERNELS = ("1x1", "2x2", "3x3", "3", "1x3", "4x2", "5x5", "k=3", "k=2x3")
STRIDES = ("", "", "", "/2", "/3", "stride=2x1", "stride=1x3")
PADDINGS = ("", "valid", "same", "same", "pad", "pad=1", "pad=2x1")
ACTIVATIONS = (
    "relu", "relu6", "leaky", "leaky alpha=0.2", "prelu", "elu", "selu", "gelu", "silu", "hswish",
    "hsigmoid", "sigmoid", "tanh", "softmax", "softplus", "mish", "scale 0.5",
)  # fmt: skip
NORMS = ("bn", "bn", "bn eps=1e-3", "ln", "in", "gn 1", "gn 2")
TAILS = ("", "", "relu", "bn", "bn relu", "bn silu", "nobias", "bias bn", "dropout 0.2", "prelu")


@cache
def after(shape: Shape, text: str) -> Shape | None:
    """The shape behind a text, or None where it does not fit or grows too large."""
    whole = f"input {show(shape)}\n{text}"
    if any(found.severity == "error" for found in cnndsl.check(whole)):
        return None
    nodes = cnndsl.parse(whole).ir.nodes
    return nodes[-1].shape if max(prod(node.shape) for node in nodes) <= LARGEST else None


@dataclass
class Writer:
    """A net in the making."""

    draw: Draw
    shape: Shape
    definitions: list[str] = field(default_factory=list[str])
    pieces: list[str] = field(default_factory=list[str])
    names: int = 0

    def pick(self, *choices: str) -> str:
        """One of the texts."""
        return self.draw(st.sampled_from(choices))

    def number(self, low: int, high: int) -> int:
        """A whole number, bounds included."""
        return self.draw(st.integers(low, high))

    def name(self) -> str:
        """A new name for a label or block."""
        self.names += 1
        return f"t{self.names}"

    def add(self, piece: str) -> bool:
        """Keep a piece if it fits here."""
        found = after(self.shape, "\n".join([*self.definitions, piece]))
        if found is not None:
            self.pieces.append(piece)
            self.shape = found
        return found is not None

    def filters(self) -> int:
        """A number of filters."""
        return self.draw(st.sampled_from(FILTERS))


def conv(w: Writer) -> str:
    """A convolution with any of its words."""
    groups, dilation = w.pick("", "", "groups=2"), w.pick("", "", "dilation=2")
    if w.pick("conv", "conv", "dwconv") == "conv":
        head = f"conv {w.filters()}"
    else:
        head, groups = "dwconv", w.pick("", "multiplier=2")
    words = (w.pick(*KERNELS), w.pick(*PADDINGS), w.pick(*STRIDES), groups, dilation)
    return _line(head, *words, w.pick(*TAILS))


def upconv(w: Writer) -> str:
    """A transposed convolution."""
    padding, kernel = w.pick("", "same", "pad", "pad=1"), w.pick("1x1", "2x2", "3x3", "3x2")
    extra = "" if padding == "same" else w.pick("", "", "extra=1")
    return _line(
        f"upconv {w.filters()}",
        kernel,
        padding,
        w.pick("", "/2", "/3", "stride=2x1"),
        extra,
        w.pick(*TAILS),
    )


def pool(w: Writer) -> str:
    """A pooling layer."""
    word, window = w.pick("pool", "avgpool"), w.pick("2", "3", "2x3")
    count = w.pick("", "nocount") if word == "avgpool" else ""
    return _line(
        f"{word} {window}",
        w.pick("", "same", "pad", "pad=1"),
        w.pick("", "ceil"),
        count,
        w.pick(*STRIDES),
    )


def rearrangement(w: Writer) -> str:
    """A layer that moves values about."""
    channels, height, width = w.shape
    return w.pick(
        "upsample 2", "upsample 1x2 bilinear", "zeropad 1", "zeropad bottom=1 left=2", "crop 1",
        "crop top=1", f"shuffle {channels}", "shuffle 2", f"reshape {channels}x{width}x{height}",
        "id", "droppath 0.1",
    )  # fmt: skip


def elementwise(w: Writer) -> str:
    """A normalisation or an activation."""
    return w.pick(*NORMS, *ACTIVATIONS, "lrn 3", "dropout")


def merge(w: Writer) -> str:
    """Branches that end in equal shapes."""
    filters, stride = w.filters(), w.number(1, 2)
    word = w.pick("add", "concat", "mul")
    ends = [w.pick(*_branches(filters, stride)) for _ in range(w.number(2, 3))]
    if (filters, stride) == (w.shape[0], 1):
        ends.append(w.pick("", "id"))
    tail = w.pick("", "", "relu", "bn relu")
    return f"{word} {{ {' | '.join(ends)} }} {tail}".rstrip()


def _branches(filters: int, stride: int) -> tuple[str, ...]:
    return (
        f"conv {filters} 3x3 same /{stride} bn",
        f"conv {filters} 1x1 same /{stride}",
        f"pool 3 same /{stride}; conv {filters} 1x1 tanh",
        f"conv 2 1x1 bn relu; conv {filters} 3x3 pad; avgpool 2 same /{stride}",
        f"dwconv 3x3 same /{stride} bn; conv {filters} 1x1 nobias sigmoid",
    )


def gate(w: Writer) -> str:
    """Squeeze and excitation."""
    path = f"gap; conv {w.number(1, 4)} 1x1 silu; conv {w.shape[0]} 1x1 sigmoid"
    return f"mul {{ {w.pick(f'id | {path}', f'{path} | id', f'| {path}')} }}"


def residual(w: Writer) -> str:
    """A residual, perhaps repeated."""
    channels = w.shape[0]
    inner = w.pick(
        "conv ch 3x3 same bn relu; conv ch 3x3 same bn",
        "bn relu; conv ch 3x3 same",
        "dwconv 5x5 same; ln; conv (4*ch) 1x1 gelu; conv ch//4 1x1; scale 1e-1",
        f"conv (ch*2) 1x1 bn relu6; dwconv 3x3 same; conv {channels} 1x1 bn; droppath 0.1",
    )
    auto = w.pick("residual auto { conv 4 3x3 same /2 bn }", "residual auto { pool 2 }")
    return w.pick(f"residual {{ {inner} }} {w.pick('', 'relu', '*2', 'relu *2')}".rstrip(), auto)


def labelled(w: Writer) -> str:
    """A skip connection by label."""
    name, word = w.name(), w.pick("concat", "add", "mul")
    first = w.pick("conv 4 3x3 same", "pool 2 same", "conv 3 2x2 /2 bn relu", "relu")
    then = w.pick("conv ch 3x3 same", "tanh; conv ch 1x1 bn", "dwconv 3x3 pad")
    return f"{name}: {first}\n{then}\n{word} {name}"


def branch_from(w: Writer) -> str:
    """A second path from a label."""
    start, end = w.name(), w.name()
    return (
        f"{start}: conv 4 3x3 same relu\n{end}: conv 3 3x3 same\nfrom {start}; tanh; concat {end}"
    )


def block(w: Writer) -> str:
    """A block with parameters and its call."""
    name = f"block_{w.name()}"
    body = w.pick(
        "conv c 3x3 same /stride bn relu",
        "add { conv c 3x3 pad /stride bn | conv c 1x1 /stride bn }",
        "conv c 1x1; residual { conv c 3x3 same bn }; pool 2 if stride > 1",
        "if stride == 2 { conv c 2x2 /2 } else { conv (c + 1) 1x1; conv c 1x1 }",
    )
    w.definitions.append(f"block {name}(c, stride=1) {{ {body} }}")
    arguments = w.pick(
        f"{w.filters()}", f"{w.filters()} /2", f"c={w.filters()} stride=2", "ch", "(ch + 1)"
    )
    return _line(f"{name} {arguments}", w.pick("", "relu"), w.pick("", "", "*2"))


def repeated(w: Writer) -> str:
    """The same statement several times."""
    return f"conv {w.pick('ch', '(ch + 2)', '4')} 3x3 same {w.pick('relu', 'bn')} *{w.number(0, 3)}"


def conditional(w: Writer) -> str:
    """A statement that depends on the channels at hand."""
    return w.pick("conv 4 1x1 if ch != 4", "if ch > 3 { conv 3 1x1 relu } else { bn }")


def _line(*words: str) -> str:
    return " ".join(word for word in words if word)


PIECES = {
    "plain": (conv, conv, upconv, pool, rearrangement, rearrangement, elementwise, elementwise),
    "branches": (conv, merge, merge, gate, pool),
    "residual": (conv, residual, residual, elementwise),
    "labels": (conv, labelled, labelled, branch_from, pool),
    "blocks": (conv, block, block, repeated, conditional),
    "all": (conv, upconv, pool, rearrangement, elementwise, merge, gate, residual, labelled,
            branch_from, block, repeated, conditional),
}  # fmt: skip
HEADS = (
    "", "", "gap; dense 5", "flatten; dense 4 relu; dense 3", "gmp; flatten; bn; dense 2 nobias",
    "flatten; dense 4 bn relu; dropout 0.5; dense 3; softmax", "gap; ln; dense 6; reshape 6x1x1",
    "output aux { gap; dense 2 }; conv 2 1x1",
)  # fmt: skip


@st.composite
def nets(draw: Draw, family: str | None = None, pieces: int = 8) -> str:
    """The text of a valid net of one family (any by default)."""
    sides = st.integers(3, 13)
    writer = Writer(draw, (draw(st.integers(1, 6)), draw(sides), draw(sides)))
    start = f"input {show(writer.shape)}"
    if draw(st.booleans()):
        writer.definitions.append(writer.pick("let k = 3", "default conv bn", "default pool same"))
    chosen = PIECES[family or writer.pick("plain", "plain", "all", "all", *PIECES)]
    for _ in range(writer.number(1, pieces)):
        writer.add(draw(st.sampled_from(chosen))(writer))
    if not writer.add(writer.pick(*HEADS)) or not any(writer.pieces):
        writer.pieces.append("relu")
    return writer.pick("\n", "\n\n", "\n  # a comment\n").join(
        [start, *writer.definitions, *(piece for piece in writer.pieces if piece)]
    )
