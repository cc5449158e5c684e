"""What to say when the parser meets a token that it cannot use: code, message, help.

Each habit below is something that users of neighbouring systems write; it looks at the place where
the parser stopped and says how the same thing is written here, or nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import isinf
from unicodedata import name as unicode_name

from lark import Token

from cnndsl import limits

_STARTS = ("_SEP", "LBRACE", "VBAR")
_NAMES = {
    "_SEP": "the end of the statement",
    "LBRACE": "`{`",
    "RBRACE": "`}`",
    "VBAR": "`|`",
}

_WANTING = {"EQUAL", "PLUS", "MINUS", "TIMES", "OVER", "INTDIV", "MOD", "COMPARE", "AND", "OR",
            "NOT", "LET", "BLOCK", "USE", "COLON", "_WHEN", "IF", "STRIDE", "REPEAT"}  # fmt: skip


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
        while start and self.tokens[start - 1].type not in _STARTS:
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
        while end < len(self.tokens) and self.tokens[end].type not in (*_STARTS, "RBRACE"):
            end += 1
        return self.tokens[self.index : end]


def too_long(token: Token) -> list[tuple[str, str | None]]:
    """Complaints about a number or name over its limit."""
    if token.type == "NAME":
        if len(token) <= limits.NAME:
            return []
        return [(f"a name of {len(token)} characters; the limit is {limits.NAME}", "shorten it")]
    if not token.replace("x", "").isdigit():
        return [("a number too large for 64 bits", None)] if isinf(float(token)) else []
    if max(map(len, token.split("x"))) <= limits.DIGITS:
        return []
    return [(f"a number of more than {limits.DIGITS} digits", None)]


def explain(place: Place) -> tuple[str, str, str | None]:
    """Code, message and help for a token that does not fit here."""
    token, before = place.token, place.before
    if token.type == "BAD_NUMBER":
        return "E002", f"`{token}` is not a number", _number_help(token)
    if token.type == "BAD":
        return "E004", f"the character {_show(token)} means nothing here", _character_help(token)
    if token.type in _STARTS and place.open:
        return "E003", "the line ends inside parentheses", "add the `)` on the same line"
    mend = next((text for habit in _HABITS if (text := habit(place))), None)
    if token.type in _NAMES and before is not None and before.type in _WANTING:
        return "E001", f"something is missing after `{before}`", mend
    return "E001", f"{_NAMES.get(token.type, f'`{token}`')} does not fit here", mend


def _number_help(token: str) -> str:
    if token.endswith("x"):
        return f"write the second size too, as in `{token}3`"
    if token.startswith("0x"):
        return "numbers are decimal"
    return "write sizes like `3x3`, strides like `/2` with a space before, and values like `0.1`"


def _show(token: str) -> str:
    if token.isprintable():
        return f"`{token}`"
    return f"U+{ord(token):04X} {unicode_name(token, '')}".rstrip()


def _character_help(token: str) -> str | None:
    if token in "'\"“”‘’":
        return 'texts stand in straight double quotes on one line: `use "blocks.cnn"`'
    if token.isspace() or token == "\ufeff":
        return "put a plain space in its place"
    return _CHARACTERS.get(token)


_CHARACTERS = {
    "×": "write sizes with the letter x: `3x3`",
    "[": "there are no brackets: sizes are `3x32x32`, branches are `add { a | b }`",
    "]": "there are no brackets: sizes are `3x32x32`, branches are `add { a | b }`",
    "\\": "a statement is one line; there is no continuation",
    ".": "a spec is the list of its layers, one statement a line: `conv 64 3x3 relu`",
    "!": "write `not`, or `!=` for unequal",
    "&": "write `and`",
    "−": "write minus as `-`",
    "–": "write minus as `-`",
    "\ufffd": "save the file as UTF-8",
}


# Habits


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
        return f"a size is one word: `{'x'.join(numbers)}`" if len(numbers) > 1 else None
    return "items are separated by spaces: `conv 64 3x3`"


def _equals(place: Place) -> str | None:
    """`k = 32`, `if ch = 3`."""
    if place.token.type != "EQUAL":
        return None
    if {"IF", "_WHEN"} & set(place.kinds):
        return "compare with `==`"
    if len(place.behind) == 1:
        head = place.before
        return f"a variable is `let {head} = …`; a value behind a word has no `=`: `{head} 3`"
    return "a key is a bare word: `stride=2`"


def _minus(place: Place) -> str | None:
    """`add -3`, `*-1`."""
    if place.token.type != "MINUS":
        return None
    if place.before is not None and place.before.type == "REPEAT":
        return "a repeat is a whole number: `*3`"
    if len(place.behind) == 1:
        head = place.before
        return (
            f"a negative value stands in parentheses: `{head} (-1)`; another layer is meant by "
            f"its label, not by its number: `{head} e1`"
        )
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
    _comment, _number_first, _call, _comma, _equals, _minus, _sign, _colon, _block, _first_word,
    _else, _parentheses, _group,
)  # fmt: skip
