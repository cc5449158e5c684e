"""Grammar rules to syntax tree: one method a rule, called by the parser as it reduces."""

from itertools import pairwise
from typing import Any

from lark import Token, Transformer
from lark import v_args as untyped_v_args  # pyright: ignore[reportUnknownVariableType]  (as below)

from cnndsl.source import Source, Span
from cnndsl.syntax import ast
from cnndsl.syntax.tokens import span_of

v_args: Any = untyped_v_args  # pyright: ignore[reportUnknownVariableType]  (lark's is incomplete)


@v_args(inline=True)
class Builder(Transformer[Token, Any]):
    """Embedded in the LALR parser, so that no tree is built and no recursion happens."""

    source = Source("")

    def _at(self, token: Token) -> Span:
        return span_of(self.source, token)

    def _name(self, token: Token) -> ast.Name:
        return ast.Name(self._at(token), str(token))

    def start(self, suite: ast.Suite) -> ast.Suite:
        """The whole file."""
        return suite

    def suite(self, *statements: ast.Node | None) -> ast.Suite:
        """Statements in their order."""
        return tuple(s for s in statements if s is not None)

    def statement(self, label: ast.Name | None, head: Token, *rest: Any) -> ast.Statement:
        """`label: head items { … } tail if condition`."""
        condition = rest[-1]
        parts = [part for part in rest[:-1] if part is not None]
        at = next((i for i, p in enumerate(parts) if isinstance(p, ast.Group)), len(parts))
        group, tail = (parts[at], tuple(parts[at + 1 :])) if at < len(parts) else (None, ())
        name = self._name(head)
        first, last = label or name, condition or (parts[-1] if parts else name)
        span = first.span if first is last else first.span.to(last.span)
        return ast.Statement(span, label, name, tuple(parts[:at]), group, tail, condition)

    def label(self, name: Token) -> ast.Name:
        """`name:`."""
        return self._name(name)

    def group(self, opening: Token, *rest: Any) -> ast.Group:
        """`{ a | b }`."""
        signs = [self._at(sign) for sign in (opening, *rest) if isinstance(sign, Token)]
        suites = tuple(suite for suite in rest if not isinstance(suite, Token))
        places = tuple(Span(self.source, a.end, b.start) for a, b in pairwise(signs))
        return ast.Group(signs[0].to(signs[-1]), suites, places)

    def positional(self, value: ast.Expr) -> ast.Positional:
        """A bare item."""
        return ast.Positional(value.span, value)

    def key(self, name: Token, value: ast.Expr) -> ast.Key:
        """`name=value`."""
        return ast.Key(self._at(name).to(value.span), self._name(name), value)

    def stride(self, sign: Token, value: ast.Expr) -> ast.Stride:
        """`/2`."""
        return ast.Stride(self._at(sign).to(value.span), value)

    def repeat(self, sign: Token, value: ast.Expr) -> ast.Repeat:
        """`*3`."""
        return ast.Repeat(self._at(sign).to(value.span), value)

    def text(self, token: Token) -> ast.Text:
        """A quoted string."""
        return ast.Text(self._at(token), str(token)[1:-1])

    def quoted(self, token: Token) -> ast.Positional:
        """A quoted string as a bare item."""
        return self.positional(self.text(token))

    def let(self, word: Token, name: Token, value: ast.Expr) -> ast.Let:
        """`let name = value`."""
        return ast.Let(self._at(word).to(value.span), self._name(name), value)

    def block(self, word: Token, name: Token, *rest: Any) -> ast.Block:
        """`block name(params) { … }`."""
        params = tuple(p for p in rest[:-1] if isinstance(p, ast.Param))
        span = self._at(word).to(rest[-1].span)
        return ast.Block(span, self._name(name), params, rest[-1])

    def param(self, name: Token, default: ast.Expr | None) -> ast.Param:
        """`name` or `name=default`."""
        span = self._at(name)
        return ast.Param(span.to(default.span) if default else span, self._name(name), default)

    def use(self, word: Token, path: Token) -> ast.Use:
        """`use "file"`."""
        text = self.text(path)
        return ast.Use(self._at(word).to(text.span), text)

    def keep(self, word: Token, name: Token, sign: Token, limit: Token) -> ast.Statement:
        """`keep params < 100k`, as a statement with the items `params`, `"<"` and `"100k"`."""
        texts = (ast.Text(self._at(token), str(token)) for token in (sign, limit))
        items = tuple(map(self.positional, (self._name(name), *texts)))
        span = self._at(word).to(self._at(limit))
        return ast.Statement(span, None, self._name(word), items, None, (), None)

    def conditional(self, word: Token, condition: ast.Expr, then: ast.Group, *rest: Any) -> ast.If:
        """`if condition { … } else { … }`."""
        orelse = rest[-1] if rest else None
        return ast.If(self._at(word).to((orelse or then).span), condition, then, orelse)

    def binary(self, left: ast.Expr, sign: Token, right: ast.Expr) -> ast.Binary:
        """`a + b`."""
        return ast.Binary(left.span.to(right.span), str(sign), left, right)

    def unary(self, sign: Token, operand: ast.Expr) -> ast.Unary:
        """`not a`."""
        return ast.Unary(self._at(sign).to(operand.span), str(sign), operand)

    negative = unary

    def number(self, token: Token) -> ast.Number:
        """An integer or a float; how long it may be is checked before (`parser._numbers`)."""
        whole = token.isdigit()
        return ast.Number(self._at(token), int(token) if whole else float(token))

    def dims(self, token: Token) -> ast.Dims:
        """`3x32x32`."""
        return ast.Dims(self._at(token), tuple(map(int, token.split("x"))))

    def true(self, token: Token) -> ast.Bool:
        """`true`."""
        return ast.Bool(self._at(token), True)

    def false(self, token: Token) -> ast.Bool:
        """`false`."""
        return ast.Bool(self._at(token), False)

    def name(self, token: Token) -> ast.Name:
        """A bare word."""
        return self._name(token)

    def call(self, function: Token, *rest: Any) -> ast.Call:
        """`min(a, b)`."""
        arguments = tuple(a for a in rest if a is not None and not isinstance(a, Token))
        end = self._at(rest[-1])
        return ast.Call(self._at(function).to(end), self._name(function), arguments)
