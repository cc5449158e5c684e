"""What is told of a word under the pointer."""

import re

from cnndsl.fields import flags, keys
from cnndsl.ir import Node
from cnndsl.layers import vocabulary
from cnndsl.lsp.complete import in_train
from cnndsl.lsp.document import Document
from cnndsl.lsp.names import Definition, Names
from cnndsl.passes.reporter import line_of
from cnndsl.recipe import CHOSEN, PLAIN
from cnndsl.report.manual import layer_page
from cnndsl.report.units import in_macs
from cnndsl.shapes import show
from cnndsl.source import counted
from cnndsl.syntax import ast

_MOST = 6  # calls of a block that are listed


def hover(document: Document, offset: int) -> str | None:
    """Markdown: shape and costs of a layer, the meaning of a word, the manual's page."""
    names = document.names
    name = names.at(offset)
    if name is not None and in_train(document.source.text[: name.span.start]):
        return _setting(name.id, document.source.line(name.span.line))
    nodes = document.nodes_at(offset)
    parts = [_table(document, nodes)] if nodes else []
    if name is not None:
        parts.append(_word(name, nodes, names) or "")
    shown = [part for part in parts if part]
    return "\n\n".join(shown) or None


def _table(document: Document, nodes: list[Node]) -> str:
    assert document.model is not None
    lines = list[str]()
    for node in nodes[:_MOST]:
        before = [show(document.model.nodes[i].shape) for i in node.inputs]
        way = f"{' + '.join(before)} → " if before else ""
        costs = [counted(node.size, "parameter")] if node.size else []
        costs += [in_macs(node.macs)] if node.macs else []
        lines.append(f"`{node.path}`  **{way}{show(node.shape)}**  {' · '.join(costs)}".rstrip())
    if len(nodes) > _MOST:
        lines.append(f"and {len(nodes) - _MOST} more")
    return "  \n".join(lines)


def _word(name: ast.Name, nodes: list[Node], names: Names) -> str | None:
    for node in nodes:
        cls = type(node.layer)
        spec = flags(cls).get(name.id) or keys(cls).get(name.id)
        if spec is not None and name.id != cls.word:
            return f"`{spec.title}`: {spec.doc}"
    if name.id in vocabulary():
        return f"```text\n{layer_page(name.id)}\n```"
    found = names.definition(name)
    return _defined(found, names) if found else None


def _setting(name: str, line: str) -> str | None:
    """A word of `train { … }`: a setting, one of its choices, or what these take."""
    if name in CHOSEN:
        return f"`{name}`: {', '.join(CHOSEN[name])}"
    words = {**PLAIN, **{w: cls for chosen in CHOSEN.values() for w, cls in chosen.items()}}
    if name in words:
        return (words[name].__doc__ or "").strip()
    near = (cls for word, cls in words.items() if re.search(rf"\b{word}\b", line))
    for cls in (*near, *words.values()):
        spec = flags(cls).get(name) or keys(cls).get(name)
        if spec is not None:
            return f"`{spec.title}` of `{cls.word}`: {spec.doc}"
    return None


def _defined(found: Definition, names: Names) -> str:
    line = found.name.span.source.line(found.name.span.line).strip()
    place = line_of(found.name.span, names.file.source)
    return f"{found.kind} of {place}\n```cnn\n{line}\n```"
