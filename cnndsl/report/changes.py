"""What differs between two models: structure, shapes, parameters, costs."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from cnndsl.fields import written
from cnndsl.ir import Model, Node
from cnndsl.report.costs import Row
from cnndsl.report.summary import summarise
from cnndsl.report.units import in_macs
from cnndsl.shapes import show
from cnndsl.source import counted
from cnndsl.style import Style


@dataclass(frozen=True)
class Change:
    """A row that is only before, only after, or (both) the same layer with other sizes."""

    before: Row | None
    after: Row | None


def is_same(before: Model, after: Model) -> bool:
    """Whether both are the same network: its layers, what they read, and its outputs in order."""
    return _network(before) == _network(after)


def _network(model: Model) -> tuple[list[Any], list[Any]]:
    return [(n.layer, n.inputs, n.shape) for n in model.nodes], list(model.outputs.items())


def changes(before: Model, after: Model) -> list[Change]:
    """The layers that are not the same, in order. Layers are matched by what is written."""
    rows = summarise(before).rows, summarise(after).rows
    texts = [[(row.type, row.text) for row in side] for side in rows]
    found = list[Change]()
    for op, i, ii, j, jj in SequenceMatcher(None, *texts, autojunk=False).get_opcodes():
        found += _changed(op, rows[0][i:ii], rows[1][j:jj])
    return found


def _changed(op: str, before: tuple[Row, ...], after: tuple[Row, ...]) -> Iterator[Change]:
    if op == "equal":
        pairs = zip(before, after, strict=True)
        yield from (Change(a, b) for a, b in pairs if _sizes(a) != _sizes(b))
        return
    same = 0
    while same < min(len(before), len(after)) and before[same].type == after[same].type:
        yield Change(before[same], after[same])
        same += 1
    yield from (Change(row, None) for row in before[same:])
    yield from (Change(None, row) for row in after[same:])


def _sizes(row: Row) -> tuple[Any, ...]:
    return row.output, row.params, row.macs


def as_dict(before: Model, after: Model) -> dict[str, Any]:
    """The JSON form: totals of both, and every change."""
    totals = {
        name: {"before": a, "after": b} for name, a, b in _totals(before, after)
    } | {
        "input": {"before": list(before.input), "after": list(after.input)},
        "outputs": {"before": _outputs(before), "after": _outputs(after)},
    }  # fmt: skip
    same = is_same(before, after)
    rows = changes(before, after)
    found = [{"before": _brief(c.before), "after": _brief(c.after)} for c in rows]
    found += [
        {"before": _node(before, a), "after": _node(after, b)}
        for a, b in _unseen(before, after, rows)
    ]
    return {"schema_version": 1, "same": same, **totals, "changes": found}


def _totals(before: Model, after: Model) -> list[tuple[str, int, int]]:
    memory = summarise(before).activation_bytes, summarise(after).activation_bytes
    return [
        ("params", before.params, after.params),
        ("macs", before.macs, after.macs),
        ("activation_bytes", *memory),
    ]


def _outputs(model: Model) -> dict[str, list[int]]:
    return {name: list(shape) for name, shape in model.output_shapes().items()}


def _brief(row: Row | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {
        "path": row.path, "text": row.text, "output": list(row.output), "params": row.params,
        "macs": row.macs, "line": row.line,
    }  # fmt: skip


def as_text(before: Model, after: Model, style: Style) -> str:
    """Lines as in a diff, then the totals."""
    lines, rows = list[str](), changes(before, after)
    if before.input != after.input:
        lines.append(f"~ {'input':<24} {show(before.input)} → {show(after.input)}")
    for change in rows:
        lines += _lines(change, style)
    for a, b in _unseen(before, after, rows):
        lines.append(f"~ {b.path:<24} {_told(before, a)} → {_told(after, b)}")
    if is_same(before, after):
        lines.append("the same network" + (", written in another way" if lines else ""))
    elif not lines:
        lines.append("the same layers, with other outputs")
    names = {"params": "parameters", "macs": "MACs", "activation_bytes": "activation bytes"}
    for name, a, b in _totals(before, after):
        share = f" ({(b - a) / a:+.1%})" if a and a != b else ""
        lines.append(f"{names[name]:<17} {a:,} → {b:,}{share}" if a != b else
                     f"{names[name]:<17} {a:,}, the same")  # fmt: skip
    shapes = [", ".join(f"{n} {show(s)}" for n, s in m.output_shapes().items())
              for m in (before, after)]  # fmt: skip
    if shapes[0] != shapes[1]:
        lines.append(f"{'outputs':<17} {shapes[0]} → {shapes[1]}")
    return "\n".join(lines)


def _unseen(before: Model, after: Model, rows: list[Change]) -> Iterator[tuple[Node, Node]]:
    """Layers with other values, by `let` or `default`, or other inputs, which rows do not show."""
    shown = [c for c in rows if not (c.before and c.after and c.before.text == c.after.text)]
    told = {c.before.path for c in shown if c.before}, {c.after.path for c in shown if c.after}
    words = [[node.layer.word for node in model.nodes] for model in (before, after)]
    blocks = SequenceMatcher(None, *words, autojunk=False).get_matching_blocks()
    same = {i + k: j + k for i, j, size in blocks for k in range(size)}
    for i, j in same.items():
        a, b = before.nodes[i], after.nodes[j]
        moved = any(same.get(x, y) != y for x, y in zip(a.inputs, b.inputs, strict=False))
        if (a.layer != b.layer or moved) and i and not (a.path in told[0] or b.path in told[1]):
            yield a, b


def _told(model: Model, node: Node) -> str:
    inputs = ", ".join(model.nodes[i].path for i in node.inputs)
    return f"{written(node.layer)} of {inputs or 'nothing'}"


def _node(model: Model, node: Node) -> dict[str, Any]:
    return {
        "path": node.path, "text": _told(model, node), "output": list(node.shape),
        "params": node.size, "macs": node.macs, "line": node.line,
    }  # fmt: skip


def _lines(change: Change, style: Style) -> list[str]:
    a, b = change.before, change.after
    if a and b and a.text == b.text:
        sizes = f"{_costs(a)} → {_costs(b)}"
        return [f"~ {b.path:<24} {b.text:<28} {sizes}"]
    found = list[str]()
    if a:
        found.append(style.severity("error", f"- {a.path:<24} {a.text:<28} {_costs(a)}"))
    if b:
        found.append(style.good(f"+ {b.path:<24} {b.text:<28} {_costs(b)}"))
    return found


def _costs(row: Row) -> str:
    macs = f", {in_macs(row.macs)}" if row.macs else ""
    return show(row.output) + (f", {counted(row.params, 'parameter')}" if row.params else "") + macs
