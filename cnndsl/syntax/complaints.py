"""What to say when the parser meets a token that it cannot use: code, message, help."""

from lark import Token

from cnndsl import limits

_NAMES = {
    "_SEP": "the end of the statement",
    "LBRACE": "`{`",
    "RBRACE": "`}`",
    "VBAR": "`|`",
}

_WANTING = {"EQUAL", "PLUS", "MINUS", "TIMES", "OVER", "INTDIV", "MOD", "COMPARE", "AND", "OR",
            "NOT", "LET", "BLOCK", "USE", "COLON", "_WHEN", "IF"}  # fmt: skip


def too_long(token: Token) -> list[tuple[str, str | None]]:
    """Complaints about a number or name over its limit."""
    if token.type == "NAME":
        if len(token) <= 64:
            return []
        return [(f"a name of {len(token)} characters; the limit is 64", "shorten it")]
    if max(map(len, token.split("x"))) <= limits.DIGITS or not token.replace("x", "").isdigit():
        return []
    return [(f"a number of more than {limits.DIGITS} digits", None)]


def explain(token: Token, before: Token | None, expected: set[str]) -> tuple[str, str, str | None]:
    """Code, message and help for a token that does not fit here."""
    if token.type == "BAD_NUMBER":
        return "E002", f"`{token}` is not a number", _number_help(token)
    if token.type == "BAD":
        return "E004", f"the character {_show(token)} means nothing here", _character_help(token)
    if "RPAR" in expected and token.type == "_SEP":
        return "E003", "the line ends inside parentheses", "add the `)` on the same line"
    shown = _NAMES.get(token.type, f"`{token}`")
    if token.type in _NAMES and before is not None and before.type in _WANTING:
        return "E001", f"something is missing after `{before}`", _help(token, before, expected)
    return "E001", f"{shown} does not fit here", _help(token, before, expected)


def _number_help(token: str) -> str:
    if token.endswith("x"):
        return f"write the second size too, as in `{token}3`"
    return "write sizes like `3x3`, strides like `/2` with a space before, and values like `0.1`"


def _show(token: str) -> str:
    return f"`{token}`" if token.isprintable() else f"U+{ord(token):04X}"


def _character_help(token: str) -> str | None:
    if token in "'\"“”":
        return 'texts stand in straight double quotes on one line: `use "blocks.cnn"`'
    return {
        "×": "write sizes with the letter x: `3x3`",
        "[": "lists are written as words: `conv 64 3x3`",
        "\\": "a statement is one line; there is no continuation",
    }.get(token)


def _help(token: Token, before: Token | None, expected: set[str]) -> str | None:
    if token.type == "EQUAL":
        return "a key is a bare word: `stride=2`"
    if before is not None and before.type in ("OVER", "TIMES"):
        return "a stride or repeat has a space before and none after: `/2`, `*3`"
    if token.type == "MINUS":
        return "put a negative value in parentheses, or give it to a key"
    if token.type == "COMMA":
        return "items are separated by spaces: `conv 64 3x3`"
    if token.type == "COLON":
        return "a label is one word at the start of a statement: `e1: conv 64 3x3`"
    if expected == {"NAME"}:
        return "a name is expected here"
    if "EQUAL" in expected and "LBRACE" not in expected and len(expected) == 1:
        return "write `let name = value`"
    return None
