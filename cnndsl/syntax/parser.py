"""The parser: LALR tables from `grammar/cnn.lark`, driven token by token so that it can recover.

After an error the statement at hand is dropped, an empty one stands in for it, and parsing goes on
at the next `;`, newline or brace: every independent error of a file is reported in one run.
"""

import threading
from functools import cache
from itertools import islice
from typing import Any, Protocol

from lark import Lark, Token
from lark.exceptions import UnexpectedInput
from platformdirs import user_cache_path

from cnndsl import limits, resources
from cnndsl.source import Diagnostic, Source
from cnndsl.syntax import ast, explain
from cnndsl.syntax.build import Builder
from cnndsl.syntax.tokens import BAR, CLOSE, OPEN, SEP, arrange, glue, span_of


class Machine(Protocol):
    """What is used of lark's interactive parser, which has no full annotations of its own."""

    parser_state: Any

    def choices(self) -> dict[str, Any]:
        """The kinds of tokens that fit here."""
        ...

    def feed_token(self, token: Token) -> Any:
        """Shift a token; UnexpectedInput where it does not fit."""
        ...

    def feed_eof(self) -> ast.Suite:
        """The tree; UnexpectedInput where something is missing."""
        ...


_LOCK = threading.Lock()
_SHAPING = ("BLOCK", "USE", "IF", "_ELSE")  # what these would have said, later statements rest on
_BUILDER = Builder()


def _cache_file() -> str | bool:
    """Where the tables are kept between runs: building them takes longer than most checks."""
    try:
        folder = user_cache_path("cnndsl", ensure_exists=True)
    except OSError:
        return False
    return str(folder / "grammar.tables")


@cache
def _lark() -> Any:
    grammar = (resources.folder("grammar") / "cnn.lark").read_text(encoding="utf-8")
    return Lark(
        grammar,
        start=["start", "unreadable"],
        parser="lalr",
        lexer="basic",
        maybe_placeholders=True,
        transformer=_BUILDER,
        cache=_cache_file(),
    )


def _start(source: Source) -> tuple[Machine, list[Token]]:
    """A parser at its start, and all tokens as they are written, but one over the limit at most."""
    parser = _lark().parse_interactive(source.text, start="start")
    found = parser.lexer_thread.lex(parser.parser_state)
    return parser, list(islice(found, limits.TOKENS + 1))


def tokens(source: Source) -> list[Token]:
    """The tokens as the parser gets them, with separators thinned and `/ * (` told apart."""
    return arrange(source, _start(source)[1])[0]


def raw_tokens(source: Source) -> list[Token]:
    """The tokens with every separator, and `/ * (` told apart; for texts that parse."""
    return list(glue(_start(source)[1]))


def parse(source: Source) -> tuple[ast.File, list[Diagnostic]]:
    """Parse a source; never raises for any text.

    Returns the tree of all that could be understood, and the syntax errors.
    """
    parser, raw = _start(source)
    if len(raw) > limits.TOKENS:
        return ast.File(source, (), frozenset(), unclear=True), [_too_many(source, raw[-1])]
    errors = _overlong(source, raw)
    arranged, unbalanced = arrange(source, raw)
    if any(e.code.startswith("E9") for e in errors + unbalanced):
        return ast.File(source, (), frozenset(), unclear=True), errors + unbalanced
    with _LOCK:
        _BUILDER.source = source
        run = _Run(source, parser, arranged)
        body = run.feed_all()
    found = sorted(errors + unbalanced + run.errors, key=lambda e: e.span.start)
    return ast.File(source, body, frozenset(run.broken), run.unclear or bool(unbalanced)), found


def _too_many(source: Source, token: Token) -> Diagnostic:
    message = f"the text has more than {limits.TOKENS:,} words, numbers and signs"
    return Diagnostic("E900", message, span_of(source, token), help="split it with `use`")


def _overlong(source: Source, tokens: list[Token]) -> list[Diagnostic]:
    """Numbers and names over their limits."""
    return [
        Diagnostic("E902", message, span_of(source, token), help=hint)
        for token in tokens
        if token.type in ("NUMBER", "DIMS", "NAME")
        for message, hint in explain.too_long(token)
    ]


class _Run:
    """One pass over the tokens of one file."""

    def __init__(self, source: Source, parser: Machine, tokens: list[Token]) -> None:
        self.source = source
        self.parser = parser
        self.tokens = tokens
        self.errors: list[Diagnostic] = []
        self.broken: set[int] = set()
        self.unclear = False  # whether a broken statement leaves open what later ones mean
        # Of the statement at hand and those around it: first token, and the parser's depth there.
        self.starts: list[tuple[Token, int] | None] = [None]
        self.skipping: int | None = None  # depth of braces inside what is being skipped

    def feed_all(self) -> ast.Suite:
        """Parse all tokens, whatever they are."""
        for i, token in enumerate(self.tokens):
            if self.skipping is None:
                self._feed(i)
            else:
                self._skip(token)
        return self._finish()

    def _finish(self) -> ast.Suite:
        if self.skipping is None:
            try:
                return self.parser.feed_eof()
            except UnexpectedInput:
                end = Token.new_borrow_pos(SEP, "", self.tokens[-1])
                self._complain([*self.tokens, end], len(self.tokens))
        self._stand_in()
        return self.parser.feed_eof()

    def _feed(self, i: int) -> None:
        token = self.tokens[i]
        if self.starts[-1] is None:
            self.starts[-1] = (token, len(self.parser.parser_state.state_stack))
        try:
            self._shift(token)
        except UnexpectedInput:
            self._complain(self.tokens, i)
            self.skipping = 0
            self._skip(token)

    def _shift(self, token: Token) -> None:
        self.parser.feed_token(token)
        if token.type == OPEN:
            self.starts.append(None)
        elif token.type == CLOSE:
            self.starts.pop()
        elif token.type in (SEP, BAR):
            self.starts[-1] = None

    def _complain(self, tokens: list[Token], i: int) -> None:
        """Say what is wrong with a token, and what would fit."""
        place = explain.Place(tokens, i, set(self.parser.choices()))
        self.unclear |= bool(place.behind) and place.behind[0].type in _SHAPING
        if len(self.errors) >= limits.ERRORS:
            return
        code, message, hint = explain.explain(place)
        at = place.before if place.token.type == SEP and place.before else place.token
        self.errors.append(Diagnostic(code, message, span_of(self.source, at), help=hint))

    def _skip(self, token: Token) -> None:
        """Leave out tokens up to the end of the statement, groups and all."""
        assert self.skipping is not None
        if self.skipping == 0 and token.type in (SEP, CLOSE, BAR):
            self.skipping = None
            self._stand_in()
            self._shift(token)
            return
        self.skipping += (token.type == OPEN) - (token.type == CLOSE)

    def _stand_in(self) -> None:
        """Unwind to where the statement started, and put an empty one there."""
        state, start = self.parser.parser_state, self.starts[-1]
        assert start is not None
        head, depth = start
        del state.state_stack[depth:]
        del state.value_stack[depth - 1 :]  # the first state has no value
        self.broken.add(head.start_pos or 0)
        self.parser.feed_token(Token.new_borrow_pos("NAME", "_", head))
