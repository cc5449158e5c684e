"""What users of neighbouring systems write, and how the same thing is written here.

Each habit looks at the place where the parser stopped, and says something or nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass

from lark import Token

STARTS = ("_SEP", "LBRACE", "VBAR")


@dataclass(frozen=True)
class Place:
    """Where the parser stopped: at `tokens[index]`, where one of `expected` would have fitted."""

    tokens: list[Token]
    index: int
    expected: set[str]

    @property
    def token(self) -> Token:
        """The token that does not fit."""
        return self.tokens[self.index]

    @property
    def behind(self) -> list[Token]:
        """The statement so far, in front of the token."""
        start = self.index
        while start and self.tokens[start - 1].type not in STARTS:
            start -= 1
        return self.tokens[start : self.index]

    @property
    def before(self) -> Token | None:
        """The token in front."""
        return self.tokens[self.index - 1] if self.index else None

    @property
    def kinds(self) -> list[str]:
        """The kinds of the tokens of the statement so far."""
        return [token.type for token in self.behind]

    @property
    def open(self) -> bool:
        """Whether a `(` of the statement waits for its `)`."""
        kinds = self.kinds
        return kinds.count("LPAR") + kinds.count("_CALL") > kinds.count("RPAR")

    @property
    def rest(self) -> list[Token]:
        """The statement from the token on."""
        end = self.index
        while end < len(self.tokens) and self.tokens[end].type not in (*STARTS, "RBRACE"):
            end += 1
        return self.tokens[self.index : end]


def hint(place: Place) -> str | None:
    """How it was probably meant."""
    return next((text for habit in _HABITS if (text := habit(place))), None)


def _comment(place: Place) -> str | None:
    """`// …`, `-- …`, `/* … */`."""
    ahead = [token.type for token in place.rest[:1]]
    inside = ahead[:1] == ["TIMES"] and place.kinds[-1:] in (["OVER"], ["STRIDE"])
    if place.behind and not inside:
        return None
    signs = ("OVER", "INTDIV", "MOD", "MINUS", "TIMES")
    text = "a comment starts with `#`, a statement with a word"
    return text if place.token.type in signs else None


def _number_first(place: Place) -> str | None:
    """`64 conv`."""
    first = not place.behind and place.token.type in ("NUMBER", "DIMS", "STRING", "LPAR", "LBRACE")
    return "a statement starts with a word: `conv 64 3x3`" if first else None


def _call(place: Place) -> str | None:
    """`conv(64, 3)`, `relu()`."""
    if place.token.type != "_CALL" or len(place.behind) != 1:
        return None
    inside = list[str]()
    for token in place.rest[1:]:
        if token.type == "RPAR":
            break
        if token.type in ("LPAR", "_CALL", "EQUAL"):
            return "values follow the word without parentheses: `conv 64 3x3 same`"
        if token.type != "COMMA":
            inside.append(str(token))
    written = " ".join([str(place.before), *inside])
    return f"write `{written}`: no parentheses, no commas"


def _comma(place: Place) -> str | None:
    """`conv 64, 3x3`, `(3, 3)`."""
    if place.token.type != "COMMA":
        return None
    kinds = place.kinds
    if "LPAR" in kinds and place.open:
        opened = len(kinds) - 1 - kinds[::-1].index("LPAR")
        parts = [*place.behind[opened + 1 :], *place.rest]
        numbers = [str(t) for t in parts if t.type == "NUMBER"]
        if any("." in number for number in numbers):
            return "there are no lists: each number has a key of its own, as in `beta1=0.9`"
        return f"a size is one word: `{'x'.join(numbers)}`" if len(numbers) > 1 else None
    if kinds[:1] == ["LET"]:
        return "each has a `let` of its own: `let a = 1; let b = 2`"
    if kinds[-2:] == ["EQUAL", "NUMBER"]:
        return 'several numbers are one text: `weights="1 2 3"`'
    return "items are separated by spaces: `conv 64 3x3`"


def _equals(place: Place) -> str | None:
    """`k = 32`, `if ch = 3`."""
    if place.token.type != "EQUAL":
        return None
    if {"IF", "_WHEN"} & set(place.kinds):
        return "compare with `==`"
    if len(place.behind) == 1:
        return _equals_first(str(place.before), [str(t) for t in place.rest[1:]])
    return "a key is a bare word: `stride=2`"


def _equals_first(head: str, rest: list[str]) -> str:
    """`x = conv 64 3x3`, `epochs = 10`, `k = 32`."""
    if len(rest) > 1 and rest[0].isidentifier() and rest[1][0].isalnum():
        return f"a name stands before a `:`, as in `{head}: {rest[0]} …`"
    value = rest[0] if rest and rest[0][0].isalnum() else "3"
    return f"a variable is `let {head} = …`; a value behind a word has no `=`: `{head} {value}`"


def _bound(place: Place) -> str | None:
    """`params < 100k`, where `keep params < 100k` is meant."""
    if place.token.type != "COMPARE" or place.kinds != ["NAME"]:
        return None
    return f"a bound of a search is `keep {place.before} {place.token} …`"


def _python(place: Place) -> str | None:
    """`elif`, `a + b`, `50%`."""
    if place.token == "elif":
        return "`else if` stands on the line of the `}`"
    if place.token.type == "PLUS" and len(place.behind) == 1:
        return f"tensors are summed by `add {place.before}`, or in `residual {{ … }}`"
    after_percent = place.before is not None and place.before.type == "MOD"
    return "a share is a number: `0.5`" if after_percent else None


def _minus(place: Place) -> str | None:
    """`add -3`, `*-1`."""
    if place.token.type != "MINUS":
        return None
    if place.before is not None and place.before.type == "REPEAT":
        return "a repeat is a whole number: `*3`"
    if place.before is not None and place.before.type in ("STRIDE", "OVER"):
        return "a stride is a positive whole number: `/2`"
    if len(place.behind) == 1:
        value = place.rest[1] if len(place.rest) > 1 else 1
        return f"a negative value stands in parentheses: `{place.before} (-{value})`"
    return "put a negative value in parentheses, or give it to a key"


def _sign(place: Place) -> str | None:
    """`conv 64 3x3 /`, `conv 64 3x3 / same`."""
    signs = ("OVER", "TIMES", "STRIDE", "REPEAT")
    last = place.token.type in signs and len(place.rest) == 1
    if not last and (place.before is None or place.before.type not in signs):
        return None
    return "a stride or repeat has a space before and none after: `/2`, `*3`"


def _colon(place: Place) -> str | None:
    """`block b(c):`, `conv 64: relu`."""
    if place.token.type != "COLON":
        return None
    if {"BLOCK", "IF", "_ELSE"} & set(place.kinds):
        return "a body stands in braces: `block name(c) { … }`, `if ch > 3 { … }`"
    return "a label is one word at the start of a statement: `e1: conv 64 3x3`"


def _block(place: Place) -> str | None:
    """`block b c {`, `block b(c)`."""
    if place.kinds[:1] != ["BLOCK"]:
        return None
    if "LBRACE" in place.expected and place.token.type == "NAME":
        return f"parameters stand in parentheses: `block {place.before}({place.token}) {{ … }}`"
    return "write `block name(c, stride=1) { … }`"


def _first_word(place: Place) -> str | None:
    """`use blocks.cnn`, `let k 32`, `if ch == 3 conv 32`, `e1:`."""
    first = place.kinds[0] if place.behind else ""
    if first == "LET" and len(place.behind) == 2:
        return f"write `let {place.before} = …`"
    if first == "IF" and "LBRACE" in place.expected:
        return "a body stands in braces: `if ch > 3 { … } else { … }`"
    return _FORMS.get(first) or _FORMS.get(place.kinds[-1] if place.behind else "")


_FORMS = {
    "USE": 'write `use "blocks.cnn"`',
    "LET": "write `let name = value`",
    "IF": "write `if ch > 3 { … }`",
    "_WHEN": "write `conv 64 3x3 if ch > 3`",
    "COLON": "a label stands before a statement, on its line: `e1: conv 64 3x3`",
}


def _else(place: Place) -> str | None:
    """An `else` without its `if`."""
    return "`else` follows the `}` of an `if`" if place.token.type == "_ELSE" else None


def _parentheses(place: Place) -> str | None:
    """`add (conv 32, conv 64)`."""
    if not place.open or "RPAR" not in place.expected:
        return None
    return "parentheses hold one expression; branches stand in braces: `add { a | b }`"


def _group(place: Place) -> str | None:
    """`add { a } { b }`."""
    if place.token.type != "LBRACE" or place.before is None or place.before.type != "RBRACE":
        return None
    return "branches stand in the same braces: `add { a | b }`"


_HABITS: tuple[Callable[[Place], str | None], ...] = (
    _comment, _number_first, _call, _comma, _equals, _bound, _python, _minus, _sign, _colon, _block,
    _first_word, _else, _parentheses, _group,
)  # fmt: skip
