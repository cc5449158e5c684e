"""The parser: LALR tables from `grammar/cnn.lark`, driven token by token so that it can recover.

After an error the statement at hand is dropped, an empty one stands in for it, and parsing goes on
at the next `;`, newline or brace: every independent error of a file is reported in one run.
"""

import threading
from functools import cache
from typing import TYPE_CHECKING

from lark import Lark, Token
from lark.exceptions import UnexpectedInput
from platformdirs import user_cache_path

from cnndsl import limits, resources
from cnndsl.source import Diagnostic, Source
from cnndsl.syntax import ast, complaints
from cnndsl.syntax.build import Builder
from cnndsl.syntax.tokens import BAR, CLOSE, OPEN, SEP, arrange, span_of

if TYPE_CHECKING:
    from lark.parsers.lalr_interactive_parser import InteractiveParser

_LOCK = threading.Lock()
_BUILDER = Builder()


def _cache_file() -> str | bool:
    """Where the tables are kept between runs: building them takes longer than most checks."""
    try:
        folder = user_cache_path("cnndsl", ensure_exists=True)
    except OSError:
        return False
    return str(folder / "grammar.tables")


@cache
def _lark() -> Lark:
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


def parse(source: Source) -> tuple[ast.File, list[Diagnostic]]:
    """Parse a source; never raises for any text.

    Returns the tree of all that could be understood, and the syntax errors.
    """
    parser = _lark().parse_interactive(source.text, start="start")
    raw = list(parser.lexer_thread.lex(parser.parser_state))
    errors = _unreadable(source, raw)
    tokens, unbalanced = arrange(source, raw)
    if any(e.code.startswith("E9") for e in errors + unbalanced):
        return ast.File(source, (), frozenset()), errors + unbalanced
    with _LOCK:
        _BUILDER.source = source
        run = _Run(source, parser)
        run.feed_all(tokens)
        body = run.finish()
    found = sorted(errors + unbalanced + run.errors, key=lambda e: e.span.start)
    return ast.File(source, body, frozenset(run.broken)), found


def _unreadable(source: Source, tokens: list[Token]) -> list[Diagnostic]:
    """Numbers and names over their limits."""
    return [
        Diagnostic("E902", message, span_of(source, token), help=mend)
        for token in tokens
        if token.type in ("NUMBER", "DIMS", "NAME")
        for message, mend in complaints.too_long(token)
    ]


class _Run:
    """One pass over the tokens of one file."""

    def __init__(self, source: Source, parser: "InteractiveParser") -> None:
        self.source = source
        self.parser = parser
        self.errors: list[Diagnostic] = []
        self.broken: set[int] = set()
        self.head: Token | None = None  # first token of the statement at hand
        self.skipping: int | None = None  # depth of braces inside what is being skipped

    def feed_all(self, tokens: list[Token]) -> None:
        fresh = True
        for i, token in enumerate(tokens):
            if fresh:
                self.head = token
            fresh = token.type in (SEP, OPEN, BAR)
            if self.skipping is None:
                self._feed(token, tokens[i - 1] if i else None)
            else:
                self._skip(token)

    def finish(self) -> ast.Suite:
        try:
            return self.parser.feed_eof()
        except UnexpectedInput:
            self._stand_in()
            return self.parser.feed_eof()

    def _feed(self, token: Token, before: Token | None) -> None:
        try:
            self.parser.feed_token(token)
        except UnexpectedInput:
            if len(self.errors) < limits.ERRORS:
                self.errors.append(self._complain(token, before))
            self.skipping = 0
            self._skip(token)

    def _complain(self, token: Token, before: Token | None) -> Diagnostic:
        code, message, mend = complaints.explain(token, before, set(self.parser.choices()))
        at = before if token.type == SEP and before else token
        return Diagnostic(code, message, span_of(self.source, at), help=mend)

    def _skip(self, token: Token) -> None:
        """Leave out tokens up to the end of the statement, groups and all."""
        assert self.skipping is not None
        if self.skipping == 0 and token.type in (SEP, CLOSE, BAR):
            self.skipping = None
            self._stand_in()
            self.parser.feed_token(token)
            return
        self.skipping += (token.type == OPEN) - (token.type == CLOSE)

    def _stand_in(self) -> None:
        """Unwind to where a statement may start, and put an empty one there."""
        state = self.parser.parser_state
        while "LET" not in self.parser.choices():
            state.state_stack.pop()
            state.value_stack.pop()
        assert self.head is not None
        self.broken.add(self.head.start_pos or 0)
        self.parser.feed_token(Token.new_borrow_pos("NAME", "_", self.head))


