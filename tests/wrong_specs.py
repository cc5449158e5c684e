"""Wrong specs, and what a help does to them: applied as it stands, alone.

    for found, after in helped(spec): ...

`mistakes()` makes valid nets wrong in one place, in ways in which people get them wrong.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random

from hypothesis import strategies as st
from mistakes import diagnostics_of
from strategies import nets

from cnndsl.source import Diagnostic

Change = Callable[[str, Random], str]


def errors(spec: str) -> list[Diagnostic]:
    """The errors of a spec, without its warnings."""
    return [d for d in diagnostics_of(spec) if d.severity == "error"]


def applied(spec: str, found: Diagnostic) -> str:
    """The spec with the fix of one diagnostic in it."""
    assert found.fix is not None
    span = found.fix.span
    return spec[: span.start] + found.fix.text + spec[span.end :]


def helped(spec: str) -> Iterator[tuple[Diagnostic, str]]:
    """Each error that has a text to write, and the spec with that text."""
    return ((d, applied(spec, d)) for d in errors(spec) if d.fix is not None)


def unmended(spec: str) -> list[str]:
    """Helps that do not mend: their error stays, or another one comes that was not there."""
    faults = list[str]()
    before = _counted(errors(spec))
    for found, text in helped(spec):
        after = _counted(errors(text))
        key = next(iter(_counted([found])))
        worse = [message for code, message in after - before if not _behind(found, code)]
        if worse or after[key] >= before[key]:
            faults.append(f"{found.message}: {found.help}, then {worse or 'the same'}\n{text}")
    return faults


def _counted(found: list[Diagnostic]) -> Counter[tuple[str, str]]:
    """How often each error is found; with other numbers it is the same."""
    return Counter((d.code, re.sub(r"[0-9]+", "n", d.message)) for d in found)


def _behind(mended: Diagnostic, code: str) -> bool:
    """Whether an error was there all along, behind a word without a shape."""
    return mended.code < "E2" <= code < "E3"


def _one_of(*texts: str) -> Change:
    return lambda _, random: random.choice(texts)


def _each(change: Callable[[str], str]) -> Change:
    return lambda text, _: change(text)


def _before(*texts: str) -> Change:
    return lambda text, random: random.choice(texts) + text


_SIZE = re.compile(r"(\d)x(\d)")
_CHANGES: tuple[tuple[str, Change], ...] = (
    # shapes that do not fit
    (r"(?<=conv \d )[0-9x]+", _one_of("33x33", "9x1", "20")),
    (r" same\b", _one_of("", "")),
    (r"(?<=conv )\d+", _one_of("5", "7", "12")),
    (r" /2", _one_of("", " /3", " /4")),
    (r"flatten; |gap; ", _one_of("")),
    (r"(?<=groups=)\d|(?<=gn )\d|(?<=shuffle )\d+", _one_of("5", "7")),
    (r"(?<=reshape )[0-9x]+", _one_of("7x3x3", "12", "4x4x4")),
    (r"(?<=crop )1|(?<=pool )\d", _one_of("9", "17")),
    (r"(?<= pad=)\S+|(?<=extra=)1|(?<=dilation=)2", _one_of("4", "16")),
    (r"\bresidual auto", _one_of("residual")),
    (r"(?<=residual \{ )", _one_of("conv 3 3x3 /2; ", "pool 2; ")),
    (r"(?<=(?:add|mul) \{ )", _one_of("pool 2; ", "conv 3 2x2; ")),
    (r"(?<=concat \{ )", _one_of("pool 3; ", "conv 3 2x2; ", "gap; ")),
    (r"\b(?:concat|add|mul) t\d", _before("conv 3 2x2 /2; ", "upsample 3; ", "gap; ")),
    # words and signs of other systems, and slips
    (r"lrn 3", _one_of("lrn 4")),
    (r"\brelu\b", _one_of("rleu", "ReLU()", "activation=relu", "relu()", "nn.ReLU()")),
    (r"\bconv\b", _one_of("cnov", "Conv2D", "convolution", "Conv")),
    (r"\bbn\b", _one_of("BatchNorm2d", "batch_norm", "BN", "bn()")),
    (r"\bsame\b", _one_of("smae", "SAME", "padding=same", "'same'", "padding='same'")),
    (r"\bnobias\b", _one_of("bias=False", "use_bias=false", "no_bias")),
    (r"\b\dx\d\b", _each(lambda text: _SIZE.sub(r"(\1, \2)", text))),
    (r"\b\dx\d\b", _each(lambda text: text.replace("x", "×"))),
    (r"\b\dx\d\b", _each(lambda text: text.replace("x", "X"))),
    (r"(?<=\dx\d) ", _one_of(", ")),
    (r" /2", _one_of(" 2", " / 2", " stride 2", " strides=2")),
    (r"dropout 0.5", _one_of("dropout=0.5", "dropout 50%", "dropout p=0.5")),
    (r"; ", _one_of(", ", " ", " -> ")),
    (r"dense \d+", _each(lambda text: text.replace("dense ", "Dense(") + ")")),
    (r"dense \d+", _each(lambda text: text.replace(" ", "="))),
    (r"upconv", _one_of("deconv", "ConvTranspose2d")),
    (r"avgpool|pool", _one_of("maxpool", "MaxPool2d", "avg_pool")),
)  # fmt: skip


@st.composite
def mistakes(draw: st.DrawFn) -> str:
    """A valid net with one change, which may have made it wrong."""
    text, random = draw(nets()), draw(st.randoms(use_true_random=False))
    changes = list(_CHANGES)
    random.shuffle(changes)
    for pattern, change in changes:
        places = [m for m in re.finditer(pattern, text) if not _defines(text, m.start())]
        if places:
            place = random.choice(places)
            wrong = change(place[0], random)
            return text[: place.start()] + wrong + text[place.end() :]
    return text


def _defines(text: str, place: int) -> bool:
    """Whether a place is in a `default` or a block: it changes more than one layer."""
    line = text[text.rfind("\n", 0, place) + 1 : place]
    return line.lstrip().startswith(("default", "block"))
