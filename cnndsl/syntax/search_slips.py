"""What users of other tuners write in `search { … }`, and how the same thing is written here."""

import re
from collections.abc import Sequence

from lark import Token

from cnndsl.syntax.slips import Place

_SIGN = r"(?:(?<=to )-|(?<![\w.)] )(?<![\w.)])-)?"
_NUMBER = re.compile(_SIGN + r"(?<![\w.])(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?:[A-Za-z]+)?")
_OPTIONS = ("trials", "timeout", "workers", "sampler", "pruner", "seed")
_MORE = {"more", "over", "above", "least", "min", ">", ">="}
_OPEN = {"RBRACE": 1, "LBRACE": -1}
HABITS = {
    "uniform", "loguniform", "log_uniform", "quniform", "randint", "int", "float", "range", "from",
    "in", "between", "through", "until", "choice", "choices", "categorical", "values", "grid",
}  # fmt: skip


def meant(name: str, text: str) -> str | None:
    """The range or the choices that a text holds, as they are written here."""
    found = _NUMBER.findall(text.replace("..", " "))
    numbers = [f"({n})" if n.startswith("-") else n for n in found]
    if len(numbers) < 2:
        return None
    if len(numbers) > 2:
        return f"write `{name} {' '.join(numbers)}`"
    log = " log" if "log" in text else ""
    choices = f", or `{name} {' '.join(numbers)}` for the two" if "," in text else ""
    return f"write `{name} {' to '.join(numbers)}{log}`{choices}"


def option_hint(word: str, value: str = "…") -> str | None:
    """Where `trials 50` is said."""
    if word not in _OPTIONS:
        return None
    return f"`{word}` is an option: `cnndsl search --{word} {value}`"


def search_hint(place: Place) -> str | None:
    """How a statement of a search was meant; None elsewhere."""
    words = [*place.behind, *place.rest]
    texts = [str(word) for word in words]
    if not words or not (_is_inside(place) or texts[0] == "keep" or "to" in texts):
        return None
    name, rest = texts[0], texts[1:]
    if name == "keep":
        return _limit(rest)
    text = _written(words[1:])
    return option_hint(name, text) or meant(name, text)


def _written(words: Sequence[Token]) -> str:
    """Tokens as they stand: `1e-4..1e-1` is more than one of them."""
    text, end = "", None
    for word in words:
        text += f"{'' if word.start_pos == end else ' '}{word}"
        end = word.end_pos
    return text.strip()


def _limit(words: Sequence[str]) -> str:
    """`params less than 10k`."""
    bounds = _NUMBER.findall(" ".join(words[1:]))
    if not bounds:
        return "write `keep params < 100k`"
    return f"write `keep {words[0]} {'>' if _MORE & {*words} else '<'} {bounds[-1]}`"


def _is_inside(place: Place) -> bool:
    """Whether the braces around a place are those of `search`."""
    depth = 0
    for i in range(place.index - 1, 0, -1):
        depth += _OPEN.get(place.tokens[i].type, 0)
        if depth < 0:
            return str(place.tokens[i - 1]) == "search"
    return False
