"""Rules for texts that do not parse: a habit of another language, and how it is written here.

A rule is a pattern of a statement, with `¦` where the parser stopped, and what is written in the
place of the match.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from cnndsl.fields import arguments
from cnndsl.frameworks.words import lookup
from cnndsl.frameworks.yaml_settings import settings
from cnndsl.layers import vocabulary
from cnndsl.passes.synonyms import reserved_words, suggest
from cnndsl.recipe import CHOSEN, PLAIN

OPTIONS = frozenset(name for choices in CHOSEN.values() for name in choices)
_MERGES = {"add": "add", "sum": "add", "concat": "concat", "cat": "concat", "mul": "mul",
           "concatenate": "concat", "multiply": "mul"}  # fmt: skip


@dataclass(frozen=True)
class Spot:
    """A statement that does not parse, cut where the parser stopped."""

    match: re.Match[str]
    labels: frozenset[str]
    merged: bool = False
    """Whether it stands in the braces of a merge."""
    inside: bool = False
    """Whether it stands in `train { … }`."""

    def __getitem__(self, group: int) -> str:
        return self.match[group] or ""


Write = Callable[[Spot], str | None]
Rule = tuple[re.Pattern[str], Write, str | None]


def _call(spot: Spot) -> str | None:
    """`conv(64, 3)`, `relu()`; `concat(a, b)` of labels."""
    word, inside = spot[1], [_bare_word(part) for part in spot[2].split(",") if part.strip()]
    if word in _MERGES:
        return _merged(_MERGES[word], inside, spot.labels)
    if word == "input":
        return f"input {'x'.join(inside)}"
    if word == "train":
        found = settings(re.findall(r"(\w+)\s*=\s*([^,\s]+)", spot[2]))
        return f"train {{ {'; '.join(found)} }}" if found else None
    if spot.inside and word in OPTIONS:
        return " ".join([word, *inside])
    if _ours(word) == "conv" and len(inside) == 3 and all(part.isdigit() for part in inside):
        inside = _of_three(*inside)
    named = any("=" in part for part in inside)
    return None if named and word not in vocabulary() else " ".join([_ours(word), *inside])


def _of_three(first: str, second: str, third: str) -> list[str]:
    """`conv(64, 3, 3)`, and `conv2d(3, 64, 3)`, whose first are PyTorch's channels that arrive."""
    return [first, f"{second}x{third}"] if second == third else [second, third]


def _bare_word(part: str) -> str:
    """`activation=relu` and `padding=same` as `relu` and `same`."""
    value = part.rpartition("=")[2]
    return value.strip() if value.strip() in reserved_words() else part.strip()


def _ours(word: str) -> str:
    """A layer by its name here."""
    found = None if word in vocabulary() else suggest("layer", word, vocabulary())
    return (found and found.text) or word


def _merged(word: str, names: list[str], labels: frozenset[str]) -> str | None:
    """A merge of labels; the first may be the tensor at hand, which has none."""
    if len(names) == 1 and names[0] in labels:
        return f"{word} {names[0]}"
    if len(names) < 2 or not labels.issuperset(names[1:]):
        return None
    rest = f"{word} {' '.join(names[1:])}"
    return f"from {names[0]}; {rest}" if names[0] in labels else rest


def _sum(spot: Spot) -> str | None:
    """`relu + e1`, `a + b`, `x * s`."""
    word = "add" if spot[2] == "+" else "mul"
    if spot[3] not in spot.labels:
        return None
    if spot[1] in vocabulary():
        return f"{spot[1]}; {word} {spot[3]}"
    return _merged(word, [spot[1], spot[3]], spot.labels)


def _size(spot: Spot) -> str | None:
    """`(3, 3)`, `[3, 32, 32]`."""
    return "x".join(re.findall(r"[0-9]+", spot.match[0]))


def _braced(spot: Spot) -> str | None:
    """`add (relu, id)`, `concat [ relu, id ]`, `train ( epochs 10 )`."""
    parts = [part.strip() for part in (spot[2] + spot[3]).split(",")]
    known = {*PLAIN, *CHOSEN} if spot[1] == "train" else vocabulary()
    if not all(part.partition(" ")[0] in known for part in parts):
        return None
    sign = "; " if spot[1] == "train" else " | "
    return f"{spot[1]} {{ {sign.join(parts)} }}"


def _numbers(spot: Spot) -> str:
    """`weights=1,2`."""
    return f'weights="{" ".join(re.findall(r"[0-9.]+", spot.match[0]))}"'


def _parameters(spot: Spot) -> str:
    """`block b c stride`."""
    return f"block {spot[1]}({', '.join(spot[2].split())})"


def _arrows(spot: Spot) -> str:
    """`relu -> pool 2 -> relu`."""
    return "; " + re.sub(r"\s*[-=]+>\s*", "; ", spot[1])


def _share(spot: Spot) -> str:
    """`50%`."""
    return f"{int(spot[1]) / 100:g}"


def _next_statement(spot: Spot) -> str | None:
    """A comma where a statement ends: a setting or a layer follows that stands by itself."""
    word = spot[1]
    if spot.merged or spot[2]:
        return None
    setting = word in PLAIN or word in CHOSEN or lookup("setting", word) is not None
    cls = vocabulary().get(word)
    return "; " if not _open(spot) and (setting or (cls is not None and not cls.post)) else None


def _next_branch(spot: Spot) -> str | None:
    """A comma between branches."""
    cls = vocabulary().get(spot[1])
    return " | " if spot.merged and not _open(spot) and cls and not cls.post else None


def _next_item(spot: Spot) -> str | None:
    """A comma between the items of a statement, and the commas behind it."""
    return None if _open(spot) else " " + re.sub(r"\s*,\s*", " ", spot[1])


def _shape(spot: Spot) -> str:
    """`input 3, 32, 32`."""
    return f"{spot[1]} {'x'.join(re.findall(r'[0-9]+', spot.match[0]))}"


def _label(spot: Spot) -> str | None:
    """`input: 3x32x32`, `conv: 32 3x3`."""
    return f"{spot[1]} " if spot[1] == "input" or spot[1] in vocabulary() else None


def _number_first(spot: Spot) -> str | None:
    """`32 conv 3x3`."""
    cls = vocabulary().get(spot[2])
    needed = sum(spec.required for spec in arguments(cls)) if cls else 0
    enough = needed == 1 or (needed > 1 and spot[3])
    return f"{spot[2]} {spot[1]}{spot[3]}" if enough else None


def _named_sum(spot: Spot) -> str | None:
    """`z = x + y` of labels."""
    word = "add" if spot[3] == "+" else "mul"
    known = spot.labels.issuperset((spot[2], spot[4]))
    return f"from {spot[2]}; {spot[1]}: {word} {spot[4]}" if known else None


def _repeated(spot: Spot) -> str | None:
    """`for i in range(3): conv 8 3x3`."""
    return None if re.search(rf"\b{spot[1]}\b", spot[3]) else f"{spot[3]} *{spot[2]}"


def _quoted(spot: Spot) -> str | None:
    """`multistep [3, 6]`, `multistep (3, 6)`."""
    numbers = " ".join(re.findall(r"[0-9.]+", spot[2]))
    return f'multistep "{numbers}"' if spot[1] in ("multistep", "milestones") else None


def _open(spot: Spot) -> bool:
    """Whether a parenthesis is open where the parser stopped."""
    before = spot.match.string[: spot.match.start()]
    return before.count("(") > before.count(")")


def _assigned(spot: Spot) -> str | None:
    """`x = conv 8 3x3`, `epochs = 10`, `dense = 10`, `k = 32`."""
    name = spot[1]
    if name in PLAIN or name in CHOSEN or name in vocabulary():
        return f"{name} "
    if spot.inside:
        return None
    return f"{name}: " if re.match(r"[A-Za-z_]\w*(\s|$)", spot[2]) else f"let {name} = "


def _bare(spot: Spot) -> str:
    """`'same'` and `padding='same'` as a word, `init='zeros'` with its key."""
    return spot[2] if spot[2] in reserved_words() else f"{spot[1]}{spot[2]}"


def _as(text: str) -> Write:
    return lambda spot: spot.match.expand(text)


_CALLED = "write `{}`: no parentheses, no commas"
_ENDED = "a statement ends with `;`, or with its line"
RULES: tuple[Rule, ...] = tuple(
    (re.compile(pattern), write, hint)
    for pattern, write, hint in (
        (r"\b(\w+)¦\(([^()\[\]]*)\)", _call, _CALLED),
        (
            r"^(input)\s+[0-9]+\s*¦,\s*[0-9]+(?:\s*,\s*[0-9]+)?\s*$",
            _shape,
            "a shape is one word: `{}`",
        ),
        (r"^(input)\s*¦[\[(]\s*[0-9]+(?:\s*,\s*[0-9]+)+\s*[\])]\s*$", _shape, None),
        (r"^(\w+)\s*:\s*¦(?=[0-9])", _label, None),
        (r"^¦([0-9]+)\s+([a-z]\w*)(\s+[0-9]\S*)?", _number_first, None),
        (
            r"^(residual|add|concat|mul|train)\s*¦?[\[(]\s*([^()\[\]¦]*)¦?([^()\[\]]*?)\s*[\])]\s*$",
            _braced,
            None,
        ),
        (
            r"^for\s+(\w+)\s+in\s+range\(\s*([0-9]+)\s*\)\s*¦:\s*([^;{}]*\S)\s*$",
            _repeated,
            "a repeat stands behind its statement: `{}`",
        ),
        (
            r"\b(multistep)\s*(?:at\s*=\s*)?(¦?[\[(][0-9.,\s¦]*[\])])",
            _quoted,
            "several numbers are one text: `{}`",
        ),
        (
            r"^(data|weights)\s+([\w-]+)¦([./~][^\s\"';,]*)",
            _as(r'\1 "\2\3"'),
            "a folder or file stands in quotes: `{}`",
        ),
        (r"\(\s*[0-9]+\s*¦,\s*[0-9]+\s*(?:,\s*[0-9]+\s*)?\)", _size, None),
        (r"¦\[\s*[0-9]+\s*,\s*[0-9]+\s*(?:,\s*[0-9]+\s*)?\]", _size, None),
        (r"betas\s*=\s*\(\s*([0-9.]+)\s*¦,\s*([0-9.]+)\s*\)", _as(r"beta1=\1 beta2=\2"), None),
        (r"weights\s*=\s*([0-9.]+)¦((?:,\s*[0-9.]+)+)", _numbers, None),
        (r"^(let\b[^¦]*\S)\s*¦,\s*(?=[A-Za-z_]\w*\s*=)", _as(r"\1; let "), None),
        (r"\s*¦,\s*(?=([A-Za-z_]\w*))", _next_branch, "branches are parted by `{}`"),
        (r"\s*¦,\s*(?=([A-Za-z_]\w*)(\s*=)?)", _next_statement, _ENDED),
        (r"\s*¦,[ \t]*(.*)$", _next_item, None),
        (r"[ \t]*(?:¦[-=]+>|[-=]+¦>)[ \t]*(.*)$", _arrows, _ENDED),
        (
            r"^(\w+)\s*¦=\s*(\w+)\s*([+*])\s*(\w+)\s*$",
            _named_sum,
            "tensors are merged by a statement: `{}`",
        ),
        (r"^(\w+)\s*¦=\s*(?=(\S*\s*))", _assigned, None),
        (r"^(.*\bif\b.*\S\s*)¦=(?!=)", _as(r"\1=="), None),
        (r"^(?:reshape|view)\s*¦-\s*1\s*$", _as("flatten"), "all values as a vector are `{}`"),
        (r"^(\w+)\s*¦([+*])\s*(\w+)\s*$", _sum, "tensors are merged by a statement: `{}`"),
        (r"((?:use|data)\s+)¦['‘’]([^'‘’\n]*)['‘’]", _as(r'\1"\2"'), None),
        (r"(\w+=|)¦['‘’]([A-Za-z_]\w*)['‘’]", _bare, "words stand without quotes: `{}`"),
        (r"¦['‘’]([^'‘’\n]*)['‘’]", _as(r'"\1"'), None),
        (r"^use\s+([\w./]*)¦([\w./]*)\s*$", _as(r'use "\1\2"'), None),
        (r"\s*¦?([/*])¦?\s+¦?\s*([0-9]+(?:x[0-9]+)?)¦?\s*(?=\s|$)", _as(r" \1\2"), None),
        (r"^¦(?:/+|--)\s*", _as("# "), None),
        (r"/¦?\*\s*([^*]*?)\s*\*/\s*$", _as(r"# \1"), None),
        (r"¦×", _as("x"), None),
        (r"¦([0-9]+)X([0-9]+)\b", _as(r"\1x\2"), "write sizes with a small x: `{}`"),
        (
            r"^¦([0-9]+)[xX]\s+([a-z]\w*[^;{}¦]*\S)\s*$",
            _as(r"\2 *\1"),
            "a repeat stands behind its statement: `{}`",
        ),
        (r"¦([0-9]+)[xX](?=\s|$)", _as(r"\1x\1"), None),
        (r"¦[\u00a0\u2007\u202f\ufeff]", _as(" "), None),
        (r"¦[−–]", _as("-"), None),
        (r"\b([0-9]{1,2})\s*¦?%¦?", _share, None),
        (r"¦elif\b", _as("else if"), None),
        (r"^let\s+(\w+)\s*¦:\s*(?=[0-9(])", _as(r"let \1 = "), "write `{} …`"),
        (r"^let\s+(\w+)\s+¦(?=[0-9(])", _as(r"let \1 = "), None),
        (r"^data\s+¦([./~]+[^\s;]*)", _as(r'data "\1"'), "a folder or file stands in quotes: `{}`"),
        (r"^block\s+(\w+)\s+¦(\w+(?:\s+\w+)*)\s*$", _parameters, None),
        (r"^((?:block|if)\b[^:]*?)\s*¦:\s*(\S.*?)\s*$", _as(r"\1 { \2 }"), None),
        (r"^(if\b.*?\S)\s+¦([A-Za-z]\w*.*?)\s*$", _as(r"\1 { \2 }"), None),
        (r"¦&+", _as("and"), None),
    )
)
