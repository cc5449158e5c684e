"""What control words and settings do not take: it would be lost without a word."""

import re

from cnndsl.frameworks.yaml_settings import settings
from cnndsl.passes.reporter import SpecError
from cnndsl.source import Fix
from cnndsl.syntax import ast

_PAIR = re.compile(r"([A-Za-z_]\w*)(?:=|[ \t]+)([\w.+-]+)")
_SECTIONS = ("output", "train", "search")
_NAMELESS = ("default", "train", "search", "cnn")


def reject_extra(node: ast.Statement) -> None:
    """SpecError of braces, repeats, words or a label that a control word does not take."""
    word = node.head.id
    _refuse_repeat(node)
    if word not in _SECTIONS:
        _refuse_group(node, "layers are statements of their own")
    if word in ("train", "search") and node.items:
        hint, fix = "settings stand inside of the braces", _section(node)
        raise SpecError("E104", f"`{word}` takes only its section", node.items[0].span, hint, fix)
    if node.tail:
        hint = "it belongs inside of the braces, or into a statement of its own"
        raise SpecError("E104", f"nothing follows the braces of `{word}`", node.tail[0].span, hint)
    if word in _NAMELESS:
        _refuse_label(node)


def _section(node: ast.Statement) -> Fix | None:
    """`train epochs=10 batch=8` as a section."""
    if node.group is not None or node.head.id != "train":
        return None
    text = node.span.text.removeprefix("train")
    found = settings(_PAIR.findall(text))
    if not found or _PAIR.sub("", text).strip():
        return None
    section = f"train {{ {'; '.join(found)} }}"
    return Fix(node.span, section, f"write `{section}`")


def reject_extra_in_setting(node: ast.Statement) -> None:
    """SpecError of braces, repeats or a label in a `train` or `search` section."""
    _refuse_repeat(node)
    _refuse_group(node, "a setting is one line: `epochs 10`")
    _refuse_label(node)


def _refuse_label(node: ast.Statement) -> None:
    if node.label is not None:
        message = f"`{node.head.id}` has no label"
        raise SpecError("E109", message, node.label.span, "labels name tensors")


def _refuse_group(node: ast.Statement, hint: str) -> None:
    if node.group is not None:
        raise SpecError("E109", f"`{node.head.id}` takes no braces", node.group.span, hint)


def _refuse_repeat(node: ast.Statement) -> None:
    for item in (*node.items, *node.tail):
        if isinstance(item, ast.Repeat):
            raise SpecError("E104", f"`{node.head.id}` cannot be repeated", item.span, "remove it")


def without_braces(group: ast.Group) -> Fix | None:
    """A fix of `conv 64 3x3 { relu }`; None where more than one word stands in the braces."""
    inner = group.span.text[1:-1].strip()
    return Fix(group.span, inner, f"write `{inner}`") if inner.isalnum() else None
