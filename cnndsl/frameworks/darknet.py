"""Darknet's .cfg files: sections with keys, layers one behind the other, others by their number.

Defaults are those of its `parser.c` (pjreddie/darknet): a convolution without `activation` ends in
`logistic`, a pooling is filled up to `size - 1`, `pad=1` is half of the kernel.
"""

import re
from dataclasses import dataclass

from cnndsl.frameworks.flow import START, Flow
from cnndsl.frameworks.region import Origin, Region
from cnndsl.frameworks.words import lookup

_SECTION = re.compile(r"^[ \t]*\[(\w+)\][^\n]*((?:\n(?![ \t]*\[)[^\n]*)*)", re.MULTILINE)
_PAIR = re.compile(r"^[ \t]*(\w+)[ \t]*=[ \t]*([^#;\n]*?)[ \t]*(?:[#;][^\n]*)?$", re.MULTILINE)
_FILE = re.compile(r"^[ \t]*\[net(?:work)?\]", re.MULTILINE)
_ACTIVATIONS = {
    "linear": "", "leaky": " leaky alpha=0.1", "logistic": " sigmoid", "relu": " relu",
    "relu6": " relu6", "mish": " mish", "swish": " silu", "tanh": " tanh", "elu": " elu",
    "selu": " selu", "gelu": " gelu",
}  # fmt: skip
_ENDS = ("softmax", "cost")


class Unsaid(Exception):  # noqa: N818
    """What has no counterpart, or what a section does not say."""


@dataclass(frozen=True)
class Section:
    """`[convolutional]` with its keys."""

    name: str
    keys: dict[str, str]
    start: int
    end: int

    def number(self, key: str, default: int | None = None) -> int:
        """A whole number; Unsaid."""
        text = self.keys.get(key)
        if text is None and default is not None:
            return default
        if text is None or not re.fullmatch(r"-?[0-9]+", text):
            raise Unsaid(f"`[{self.name}]` needs `{key}=` with a whole number")
        return int(text)

    def activation(self, default: str = "logistic") -> str:
        """` leaky alpha=0.1`; Unsaid."""
        name = self.keys.get("activation", default)
        if name not in _ACTIVATIONS:
            raise Unsaid(f"the activation `{name}` of Darknet has no counterpart here")
        return _ACTIVATIONS[name]


def region(text: str) -> Region | None:
    """A text that is a .cfg file; None for any other."""
    if (first := _FILE.search(text)) is None:
        return None
    sections = [_section(match) for match in _SECTION.finditer(text, first.start())]
    flow, problems = Flow(), list[tuple[int, int, str]]()
    places, tensors = dict[int, Section](), list[int]()
    for section in sections:
        count = len(flow.lines)
        try:
            _write(section, flow, tensors)
        except Unsaid as unsaid:
            problems.append((section.start, section.end, str(unsaid)))
        places |= dict.fromkeys(range(count, len(flow.lines)), section)
        if section.name not in ("net", "network"):
            tensors.append(flow.here)
    return _made(first.start(), text, flow, places, problems, sections[0])


def _made(
    start: int, text: str, flow: Flow, places: dict[int, Section],
    problems: list[tuple[int, int, str]], net: Section,
) -> Region:  # fmt: skip
    end, what = len(text.rstrip()), "a network of Darknet"
    if problems:
        return Region(start, end, (), tuple(problems), what=what)
    shown = flow.numbered()
    lines = [line.text for _, line in shown]
    origins = tuple(Origin(places[at].start, places[at].end) if at in places else None
                    for at, _ in shown)  # fmt: skip
    settings = _settings(net)
    recipe = ["train {", *(f"  {each}" for each in settings), "}"] if settings else []
    return Region(start, end, (*lines, *recipe), what=what, origins=origins)


def _section(match: re.Match[str]) -> Section:
    head = match.start() + len(match[0]) - len(match[0].lstrip())
    keys = {pair[1]: pair[2] for pair in _PAIR.finditer(match[2])}
    return Section(match[1], keys, head, head + len(f"[{match[1]}]"))


def _settings(net: Section) -> list[str]:
    """`batch 64`, `optimizer sgd lr=…` of `[net]`."""
    found = [f"batch {net.keys['batch']}"] if net.keys.get("batch", "1") != "1" else []
    names = (("learning_rate", "lr"), ("momentum", "momentum"), ("decay", "decay"))
    keys = "".join(f" {ours}={net.keys[theirs]}" for theirs, ours in names if theirs in net.keys)
    return [*found, f"optimizer sgd{keys}"] if keys else found


def _write(section: Section, flow: Flow, tensors: list[int]) -> None:
    """The lines of a section; Unsaid."""
    match section.name:
        case "net" | "network":
            channels, height = section.number("channels", 3), section.number("height")
            flow.apply(f"input {channels}x{height}x{section.number('width')}")
        case "convolutional" | "conv":
            flow.apply(_conv(section))
        case "connected" | "conn":
            norm = " bn eps=1e-06" if section.number("batch_normalize", 0) else ""
            head = f"flatten; dense {section.number('output')}"
            flow.apply(f"{head}{norm}{section.activation()}")
        case "maxpool" | "max":
            flow.apply(_pool(section))
        case "avgpool" | "avg":
            flow.apply("gap")
        case "dropout":
            flow.apply(f"dropout {float(section.keys.get('probability', '.5')):g}")
        case "upsample":
            flow.apply(f"upsample {section.number('stride', 2)}")
        case "route" | "shortcut":
            _joined(section, flow, tensors)
        case name if name in _ENDS:
            pass
        case name:
            meaning = lookup("layer", name)
            raise Unsaid(meaning.hint(name) if meaning else f"`[{name}]` has no counterpart here")


def _conv(section: Section) -> str:
    size, stride = section.number("size", 1), section.number("stride", 1)
    pad = size // 2 if section.number("pad", 0) else section.number("padding", 0)
    text = f"conv {section.number('filters', 1)} {size}x{size}"
    text += (f" pad={pad}" if pad else "") + (f" /{stride}" if stride > 1 else "")
    groups, dilation = section.number("groups", 1), section.number("dilation", 1)
    text += f" groups={groups}" if groups > 1 else ""
    text += f" dilation={dilation}" if dilation > 1 else ""
    text += " bn eps=1e-06" if section.number("batch_normalize", 0) else ""
    return text + section.activation()


def _pool(section: Section) -> str:
    """Windows that are filled up to `size - 1`, half of it before the first row."""
    stride = section.number("stride", 1)
    size = section.number("size", stride)
    filled = section.number("padding", size - 1)
    if filled not in (0, size - 1):
        raise Unsaid(f"a pooling with `padding={filled}` has no counterpart here")
    steps = "" if stride == size else f" /{stride}"
    if not filled:
        return f"pool {size}{steps}"
    return f"pool {size}{steps} pad={filled // 2}" if size % 2 else f"pool {size} same{steps}"


def _joined(section: Section, flow: Flow, tensors: list[int]) -> None:
    """`[route]` is a concatenation, `[shortcut]` a sum; layers by their numbers, from here or from
    the start."""
    if "groups" in section.keys or "group_id" in section.keys:
        raise Unsaid("a part of the channels is `slice start end` here")
    key = "layers" if section.name == "route" else "from"
    numbers = [int(n) for n in re.findall(r"-?[0-9]+", section.keys.get(key, ""))]
    places = [n + len(tensors) if n < 0 else n for n in numbers]
    if not places or not all(0 <= place < len(tensors) for place in places):
        raise Unsaid(f"`[{section.name}]` needs `{key}=` with the numbers of layers above it")
    others = [tensors[place] for place in places]
    if section.name == "shortcut":
        flow.merge("add", [flow.here, *others], None)
        flow.apply(section.activation("linear").strip())
    elif len(others) == 1:
        flow.go(others[0] or START)
    else:
        flow.merge("concat", others, None)
