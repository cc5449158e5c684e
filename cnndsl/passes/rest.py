"""What control words and settings do not take: it would be lost without a word."""

from cnndsl.passes.sink import Complaint
from cnndsl.syntax import ast

_SECTIONS = ("output", "train")
_NAMELESS = ("default", "train", "cnn")


def refuse_rest(node: ast.Statement) -> None:
    """Complaint of braces, repeats, words or a label that a control word does not take."""
    word = node.head.id
    _refuse_repeat(node)
    if word not in _SECTIONS:
        _refuse_group(node, "layers are statements of their own")
    if word == "train" and node.items:
        mend = "settings stand inside of the braces"
        raise Complaint("E104", "`train` takes only its section", node.items[0].span, mend)
    if node.tail:
        mend = "it belongs inside of the braces, or into a statement of its own"
        raise Complaint("E104", f"nothing follows the braces of `{word}`", node.tail[0].span, mend)
    if word in _NAMELESS:
        _refuse_label(node)


def refuse_rest_of_setting(node: ast.Statement) -> None:
    """Complaint of braces, repeats or a label in a `train` section."""
    _refuse_repeat(node)
    _refuse_group(node, "a setting is one line: `epochs 10`")
    _refuse_label(node)


def _refuse_label(node: ast.Statement) -> None:
    if node.label is not None:
        message = f"`{node.head.id}` has no label"
        raise Complaint("E109", message, node.label.span, "labels name tensors")


def _refuse_group(node: ast.Statement, mend: str) -> None:
    if node.group is not None:
        raise Complaint("E109", f"`{node.head.id}` takes no braces", node.group.span, mend)


def _refuse_repeat(node: ast.Statement) -> None:
    for item in (*node.items, *node.tail):
        if isinstance(item, ast.Repeat):
            raise Complaint("E104", f"`{node.head.id}` cannot be repeated", item.span, "remove it")
