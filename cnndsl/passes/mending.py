"""What a help says of a layer that rejects its input, with the fix that writes it."""

from dataclasses import replace

from cnndsl.edits import Edit, without
from cnndsl.layers.base import Reject
from cnndsl.layers.mend import Before, Behind, Field, LeaveOut
from cnndsl.passes.mending_base import Advice, Spot, before, joined, of_field, rewritten
from cnndsl.passes.mending_merges import behind, edits_behind
from cnndsl.passes.mending_paths import Change, change_on_the_way
from cnndsl.shapes import Shape
from cnndsl.source import Fix


def advice(reject: Reject, spot: Spot) -> Advice:
    """The help of a rejection, and its fix where the text at hand can be changed alone."""
    match reject.mend:
        case Behind() as mend:
            way = change_on_the_way(spot)
            return _on_the_way(way, spot) if way else behind(mend, reject.help or "", spot)
        case Before() as mend:
            return _before(mend, reject.help or "", spot)
        case Field() as mend:
            return reject.help, _field(mend, reject, spot)
        case LeaveOut():
            return reject.help, _left_out(spot)
        case None:
            return reject.help, None


def _on_the_way(way: Change, spot: Spot) -> Advice:
    """Layers before the merge in other words; what then still differs is mended at the merge."""
    edits = [*way.edits, *_rest(way.shapes, spot)]
    shown = rewritten(spot, edits) if len(edits) > len(way.edits) else None
    fix = joined(spot, edits)
    suits = spot.suits(*(edit.text for edit in edits))
    text = f"`{shown}`" if shown else way.shown(spot)
    return f"{way.reason} {text}", fix if suits else None


def _rest(shapes: tuple[Shape, ...], spot: Spot) -> list[Edit]:
    """What a merge of inputs with these shapes needs."""
    try:
        spot.layer.infer(shapes)
    except Reject as reject:
        return edits_behind(reject.mend, spot) if isinstance(reject.mend, Behind) else []
    return []


def _before(mend: Before, reason: str, spot: Spot) -> Advice:
    """Only the first word of a statement can have something put before it."""
    first = spot.binding.span.start == spot.statement.head.span.start
    try:
        spot.layer.infer((mend.gives,))
    except Reject:
        return reason, None
    fix = joined(spot, [before(spot.statement, mend.text)])
    suits = first and spot.suits(mend.text)
    title = f"insert `{mend.text}`"
    return reason + mend.also, replace(fix, title=title, safe=mend.safe) if suits else None


def _field(mend: Field, reject: Reject, spot: Spot) -> Fix | None:
    """A field in the place of the one that is written, or else behind the one at fault."""
    if not spot.suits(mend.text):
        return None
    edit = of_field(mend, spot.binding, spot.statement.span, reject.arg or "")
    return replace(joined(spot, [edit]), title=f"write `{edit.text.strip()}`")


def _left_out(spot: Spot) -> Fix | None:
    """Without the statement, where it says nothing else."""
    node = spot.statement
    alone = node.span == spot.binding.span and len(spot.nodes) > 1
    return replace(without(node.span), safe=False) if alone and not spot.shared else None
