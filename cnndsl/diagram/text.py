"""The diagram as text for other programs: Graphviz's DOT and Mermaid, blocks as subgraphs."""

from collections.abc import Iterator
from itertools import count

from cnndsl.diagram import labels, palette
from cnndsl.diagram.layout import weight, weighty
from cnndsl.diagram.tree import Item
from cnndsl.shapes import Shape


def dot(root: Item, down: bool = True) -> str:
    """A digraph; `dot -Tpdf` draws it."""
    names, font = _names(root), 'fontname="Helvetica"'
    lines = [
        f"digraph {_quoted(root.caption)} {{",
        f"  rankdir={'TB' if down else 'LR'}; {font};",
        f'  node [shape=box, style="rounded,filled", {font}, fontsize=11];',
        f'  edge [{font}, fontsize=9, color="{palette.WIRE[0]}"];',
        *_dot_inside(root, names, "  "),
        *(f"  {a} -> {b} [label={_quoted(labels.shape(s))}];" for a, b, s in _edges(root, names)),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _dot_inside(item: Item, names: dict[int, str], pad: str) -> Iterator[str]:
    for child in item.children:
        name, text = names[id(child)], _quoted(_text(child))
        if child.open:
            yield f"{pad}subgraph cluster_{name} {{"
            yield f'{pad}  label={text}; style=rounded; color="{palette.BORDER[0]}";'
            yield from _dot_inside(child, names, pad + "  ")
            yield f"{pad}}}"
        else:
            look = f'fillcolor="{palette.TINT[child.family][0]}"'
            edge = f'color="{palette.ACCENT[child.family][0]}"'
            yield f"{pad}{name} [label={text}, {look}, {edge}];"


def mermaid(root: Item, down: bool = True) -> str:
    """A Mermaid flowchart, as Markdown pages show it."""
    names = _names(root)
    used = sorted({box.family for box in root.boxes})
    lines = [
        f"flowchart {'TB' if down else 'LR'}",
        *_mermaid_inside(root, names, "  "),
        *(f"  {a} -->|{labels.shape(s)}| {b}" for a, b, s in _edges(root, names)),
        *(
            f"  classDef {name} fill:{palette.TINT[name][0]},stroke:{palette.ACCENT[name][0]},"
            f"color:{palette.INK['ink'][0]}"
            for name in used
        ),
    ]
    return "\n".join(lines) + "\n"


def _mermaid_inside(item: Item, names: dict[int, str], pad: str) -> Iterator[str]:
    for child in item.children:
        name, text = names[id(child)], _marked(_text(child))
        if child.open:
            yield f'{pad}subgraph {name}["{text}"]'
            yield from _mermaid_inside(child, names, pad + "  ")
            yield f"{pad}end"
        else:
            yield f'{pad}{name}["{text}"]:::{child.family}'


def _text(item: Item) -> str:
    """A box's lines."""
    if item.open:
        return item.caption
    head = f"{item.caption} · {item.note}" if item.note else item.caption
    return f"{head}\n{weight(item)}" if weighty(item) else head


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _marked(text: str) -> str:
    for char, code in (("#", "#35;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;")):
        text = text.replace(char, code)
    return text.replace("\n", "<br/>")


def _names(root: Item) -> dict[int, str]:
    """A plain name for each item, by the item's id."""
    numbers, found = count(1), dict[int, str]()

    def visit(item: Item) -> None:
        for child in item.children:
            found[id(child)] = f"n{next(numbers)}"
            visit(child)

    visit(root)
    return found


def _edges(item: Item, names: dict[int, str]) -> Iterator[tuple[str, str, Shape]]:
    """From closed box to closed box."""
    for link in item.links:
        if link.start >= 0 and link.end < len(item.children):
            starts = _ends(item.children[link.start], into=False)
            stops = _ends(item.children[link.end], into=True)
            yield from ((names[id(a)], names[id(b)], link.shape) for a in starts for b in stops)
    for child in item.children:
        yield from _edges(child, names)


def _ends(item: Item, into: bool) -> Iterator[Item]:
    """The closed boxes in an item where what enters arrives, or where what leaves starts."""
    if not item.open:
        yield item
    for link in item.links:
        if into and link.start < 0 and link.end < len(item.children):
            yield from _ends(item.children[link.end], into)
        elif not into and link.end == len(item.children) and link.start >= 0:
            yield from _ends(item.children[link.start], into)
