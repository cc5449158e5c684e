"""What to say when the parser meets a token that it cannot use: code, message, help."""

import re
from math import isinf
from unicodedata import name as unicode_name

from lark import Token

from cnndsl import limits
from cnndsl.syntax.search_slips import search_hint
from cnndsl.syntax.slips import STARTS, Place, hint

_NAMES = {
    "_SEP": "the end of the statement",
    "LBRACE": "`{`",
    "RBRACE": "`}`",
    "VBAR": "`|`",
}

_WANTING = {"EQUAL", "PLUS", "MINUS", "TIMES", "OVER", "INTDIV", "MOD", "COMPARE", "AND", "OR",
            "NOT", "LET", "BLOCK", "USE", "COLON", "_WHEN", "IF", "STRIDE", "REPEAT"}  # fmt: skip


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
    token, before, search = place.token, place.before, search_hint(place)
    if token.type == "BAD_NUMBER":
        found = None if ".." in token else search
        return "E002", f"`{token}` is not a number", found or _number_help(token)
    if token.type == "BAD":
        told = f"the character {_show(token)} means nothing here"
        return "E004", told, search or _character_help(token)
    if token.type in STARTS and place.open:
        return "E003", "the line ends inside parentheses", "add the `)` on the same line"
    if token.type in _NAMES and before is not None and before.type in _WANTING:
        return "E001", f"something is missing after `{before}`", search or hint(place)
    told = f"{_NAMES.get(token.type, f'`{token}`')} does not fit here"
    return "E001", told, search or hint(place)


SIZES = "a size of two sides has numbers only, `3x1`; a variable is a square alone: `conv 8 k`"


def _number_help(token: str) -> str:
    if token.endswith("x"):
        return f"write the second size too, as in `{token}3`"
    if token.startswith("0x"):
        return "numbers are decimal"
    if ends := re.fullmatch(r"([0-9]+)\.\.([0-9]+)", token):
        return f"in `search`, a range is written `{ends[1]} to {ends[2]}`"
    if re.fullmatch(r"[0-9]+x[A-Za-z]\w*", token):
        return SIZES
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
