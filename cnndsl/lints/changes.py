"""W0…: what an older version understood otherwise; each of these stays for one version."""

from collections.abc import Iterator

from cnndsl.lints.base import Found, Subject, lint
from cnndsl.source import Span
from cnndsl.syntax import ast


@lint("W002")
def default_reaches_further(s: Subject) -> Iterator[Found]:
    """`default bn …` that acts on a `bn` behind another layer, which 0.1.0 left as it was."""
    heads = {node.span: node.head.id for node in s.all(ast.Statement)}
    for word, default in _defaults(s):
        changed = [
            node
            for node in s.nodes
            if node.statement and heads.get(node.statement, word) != word
            if any(default.holds(at) for at in (node.span, *node.places.values()))
        ]
        if changed:
            yield Found(
                f"this default reaches `{word}` behind other layers, too; in 0.1.0 it did not",
                default, "nothing where that is meant; else write the values where they are wanted",
                (f"first here: `{changed[0].statement.text}`",) if changed[0].statement else (),
            )  # fmt: skip


def _defaults(s: Subject) -> Iterator[tuple[str, Span]]:
    """Each `default` with the word that it is for."""
    for node in s.all(ast.Statement):
        match node.head.id, node.items:
            case "default", (ast.Positional(_, ast.Name(_, word)), *_):
                yield word, node.span
            case _:
                pass
