"""Between lexer and parser: what adjacency and nesting decide, and what braces must match.

`/` and `*` with a space before and none after are stride and repeat; `(` right behind a name is a
call; inside parentheses all is arithmetic; `keep NAME <` starts a limit, whose number may have a
unit. A regular expression cannot see that, a pass can.
"""

from collections.abc import Iterable, Iterator

from lark import Token

from cnndsl import limits
from cnndsl.source import Diagnostic, Fix, Source, Span

OPEN, CLOSE, BAR, SEP = "LBRACE", "RBRACE", "VBAR", "_SEP"


def span_of(source: Source, token: Token) -> Span:
    """The place of a token."""
    return Span(source, token.start_pos or 0, token.end_pos or 0)


def arrange(source: Source, stream: Iterable[Token]) -> tuple[list[Token], list[Diagnostic]]:
    """The tokens that the parser gets, and what is wrong with their nesting."""
    tokens, errors = _drop_unmatched(source, list(stream))
    errors += [*_unclosed(source, tokens), *_too_deep(source, tokens)]
    return list(_thin(glue(_close_quietly(tokens)))), errors


def glue(tokens: list[Token]) -> Iterator[Token]:
    """The tokens, with stride, repeat, call and trailing `if` as kinds of their own."""
    depth = 0
    for i, token in enumerate(tokens):
        kind = token.type
        if kind == "LPAR":
            depth += 1
            if i and tokens[i - 1].type == "NAME" and tokens[i - 1].end_pos == token.start_pos:
                kind = "_CALL"
        elif kind == "RPAR":
            depth -= 1
        elif kind == SEP:
            depth = 0
        elif kind == "IF" and i and tokens[i - 1].type not in (SEP, OPEN, BAR, "_ELSE"):
            kind = "_WHEN"
        elif kind in ("OVER", "TIMES") and depth == 0 and _leans_right(tokens, i):
            kind = "STRIDE" if kind == "OVER" else "REPEAT"
        elif token == "keep" and _keeps(tokens, i):
            kind = "KEEP"
        elif kind in ("NUMBER", "BAD_NUMBER") and i > 2 and _keeps(tokens, i - 3):
            kind = "LIMIT"
        yield token if kind == token.type else Token.new_borrow_pos(kind, str(token), token)


def _keeps(tokens: list[Token], i: int) -> bool:
    """Whether `keep NAME <` starts here; anywhere else `keep` is a name like others."""
    starts = i == 0 or tokens[i - 1].type in (SEP, OPEN, BAR)
    kinds = [token.type for token in tokens[i + 1 : i + 3]]
    return starts and tokens[i] == "keep" and kinds == ["NAME", "COMPARE"]


def _leans_right(tokens: list[Token], i: int) -> bool:
    """Space before, none after."""
    if i == 0 or i + 1 == len(tokens):
        return False
    before, token, after = tokens[i - 1 : i + 2]
    return before.end_pos != token.start_pos and after.start_pos == token.end_pos


def _thin(tokens: Iterable[Token]) -> Iterator[Token]:
    """Keep a separator only where one statement follows another."""
    previous, waiting = BAR, None
    for token in tokens:
        if token.type == SEP:
            waiting = waiting or token
            continue
        between = previous not in (OPEN, BAR) and token.type not in (CLOSE, BAR, OPEN, "_ELSE")
        if waiting and between:
            yield waiting
        previous, waiting = token.type, None
        yield token


def _drop_unmatched(source: Source, tokens: list[Token]) -> tuple[list[Token], list[Diagnostic]]:
    depth, kept, errors = 0, list[Token](), list[Diagnostic]()
    for token in tokens:
        depth += (token.type == OPEN) - (token.type == CLOSE)
        if depth < 0 or (depth == 0 and token.type == BAR):
            depth = max(depth, 0)
            errors.append(_stray(source, token))
            continue
        kept.append(token)
    return kept, errors


def _stray(source: Source, token: Token) -> Diagnostic:
    if token.type == BAR:
        message, hint = "`|` outside of `{ … }`", "branches stand in braces: `add { a | b }`"
    else:
        message, hint = "`}` closes nothing", "remove it, or open a `{` before it"
    return Diagnostic("E003", message, span_of(source, token), help=hint)


def _unclosed(source: Source, tokens: list[Token]) -> list[Diagnostic]:
    """The `{` that lacks its `}`: by the indentation, if that tells, else the innermost."""
    opened, suspects = list[Token](), list[Token]()
    for token in tokens:
        if token.type == OPEN:
            opened.append(token)
        elif token.type == CLOSE:
            pair = opened.pop()
            if _indent(source, token) < _indent(source, pair):
                suspects.append(pair)
    if not opened:
        return []
    at = span_of(source, suspects[0] if suspects else opened[-1])
    hint, fix = _closed(source, at)
    return [Diagnostic("E003", "`{` is never closed", at, help=hint, fix=fix)]


def _closed(source: Source, at: Span) -> tuple[str, Fix]:
    """Where the `}` probably belongs: by the lines behind the `{` and how they are indented."""
    lines = source.text.split("\n")
    first = lines[at.line - 1]
    section = first.lstrip().startswith("train")
    indent = len(first) - len(first.lstrip())
    code = first.partition("#")[0].rstrip()
    behind = [n for n in range(at.line, len(lines)) if lines[n].strip()]
    ends = [n for n in behind if len(lines[n]) - len(lines[n].lstrip()) <= indent]
    if not section and not code.endswith("{") and (not behind or ends[:1] == behind[:1]):
        place, text = source.line_starts[at.line - 1] + len(code), " }"
        hint = f"add the `}}`: `{code.strip()} }}`"
    elif section or not ends:
        place, text, hint = len(source.text.rstrip()), "\n}", "add the `}` at the end"
    else:
        place, text = source.line_starts[ends[0]], f"{first[:indent]}}}\n"
        hint = f"add the `}}` before line {ends[0] + 1}"
    return hint, Fix(Span(source, place, place), text, "add the `}`", safe=section)


def _indent(source: Source, token: Token) -> int:
    """By how much the token's line is indented."""
    line = source.line(source.place(token.start_pos or 0)[0])
    return len(line) - len(line.lstrip())


def _close_quietly(tokens: list[Token]) -> list[Token]:
    """Append what is missing, so that the rest can still be parsed."""
    missing = sum((t.type == OPEN) - (t.type == CLOSE) for t in tokens)
    end = tokens[-1] if tokens else Token(SEP, "")
    return tokens + [Token.new_borrow_pos(CLOSE, "}", end)] * max(0, min(missing, limits.NESTING))


def _too_deep(source: Source, tokens: list[Token]) -> list[Diagnostic]:
    braces = parentheses = 0
    for token in tokens:
        braces += (token.type == OPEN) - (token.type == CLOSE)
        parentheses += (token.type == "LPAR") - (token.type == "RPAR")
        if token.type == SEP:
            parentheses = 0  # those that this line leaves open are reported by the parser
        if braces + parentheses > limits.NESTING:
            message = f"nested deeper than {limits.NESTING} levels"
            hint = "name the inner parts as blocks and call them"
            return [Diagnostic("E901", message, span_of(source, token), help=hint)]
    return []
