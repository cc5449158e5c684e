"""Tensors grouped by the module that they belong to, in the order of computation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

_COUNTERS = ("num_batches_tracked", "n_averaged")

Shape = tuple[int, ...]


def is_counter(name: str) -> bool:
    """Whether a tensor counts batches, and so is not a weight."""
    return name.rpartition(".")[2] in _COUNTERS


@dataclass(frozen=True)
class Module:
    """The tensors of a layer: their shapes by the last part of their names."""

    path: str
    shapes: Mapping[str, Shape]
    fresh: bool = False
    may_lack_some: bool = False
    """Whether theirs may lack what changes nothing: a bias of zero, a norm's factor of one."""

    def name(self, part: str) -> str:
        """The full name of a tensor."""
        return f"{self.path}.{part}" if self.path else part

    def _is_whole(self, theirs: "Module") -> bool:
        """Whether theirs lacks nothing but what changes nothing."""
        lacked = self.shapes.keys() - theirs.shapes.keys()
        spare = {part for part in ("weight", "bias") if len(self.shapes.get(part, ())) == 1}
        return self.may_lack_some and theirs.shapes.keys() < self.shapes.keys() and lacked <= spare

    def pairs(self, theirs: "Module") -> dict[str, str] | None:
        """Each of this module's tensors with theirs of the same role; None where they do not fit.

        A lone tensor may be called anything: PReLU's `weight`, a layer scale's `gamma`. A module
        that starts anew takes the place of any with tensors of the same names.
        """
        if self.fresh:
            return {} if self.shapes.keys() == theirs.shapes.keys() else None
        if self.shapes.keys() == theirs.shapes.keys() or self._is_whole(theirs):
            parts = {part: part for part in theirs.shapes}
        elif len(self.shapes) == len(theirs.shapes) == 1:
            parts = {next(iter(self.shapes)): next(iter(theirs.shapes))}
        else:
            return None
        fit = all(fits(self.shapes[own], theirs.shapes[other]) for own, other in parts.items())
        return {self.name(own): theirs.name(other) for own, other in parts.items()} if fit else None


def fits(own: Shape, other: Shape) -> bool:
    """Whether values of one shape are, in the same order, those of the other.

    A linear layer is a convolution of its input's whole size; [C, 1, 1] is [C].
    """
    if own == other:
        return True
    squeezed = [tuple(n for n in shape if n != 1) for shape in (own, other)]
    if min(len(own), len(other)) < 2:
        return squeezed[0] == squeezed[1]
    linear = {len(own), len(other)} == {2, 4}
    return linear and own[0] == other[0] and prod(own) == prod(other)


@dataclass
class _Tree:
    children: dict[str, "_Tree"] = field(default_factory=dict[str, "_Tree"])
    own: dict[str, Shape] = field(default_factory=dict[str, Shape])


def modules(shapes: Mapping[str, Shape]) -> list[Module]:
    """The modules of a file in its order, a container's own tensors behind its children's."""
    root = _Tree()
    for name, shape in shapes.items():
        *path, part = name.split(".")
        tree = root
        for step in path:
            tree = tree.children.setdefault(step, _Tree())
        tree.own[part] = shape
    return _flat(root)


def modules_as_listed(shapes: Mapping[str, Shape]) -> list[Module]:
    """The modules in the order of their first tensors, whatever containers their names have."""
    found = dict[str, dict[str, Shape]]()
    for name, shape in shapes.items():
        path, _, part = name.rpartition(".")
        found.setdefault(path, {})[part] = shape
    return [Module(path, parts) for path, parts in found.items()]


def _flat(root: _Tree) -> list[Module]:
    """Depth first, without recursion: names may be deep."""
    found, stack = list[Module](), [("", root)]
    while stack:
        path, tree = stack.pop()
        if tree.children:
            if tree.own:
                stack.append((path, _Tree(own=tree.own)))
            stack += [
                (f"{path}.{name}".lstrip("."), child)
                for name, child in reversed(tree.children.items())
            ]
        elif tree.own:
            found.append(Module(path, tree.own))
    return found


def groups(found: Sequence[Module]) -> list[tuple[str, list[Module]]]:
    """Modules by top-level module, below a container that holds all of them."""
    depth = 0
    while found and all(len(m.path.split(".")) > depth + 1 for m in found):
        if len({m.path.split(".")[depth] for m in found}) > 1:
            break
        depth += 1
    grouped = list[tuple[str, list[Module]]]()
    for module in found:
        top = ".".join(module.path.split(".")[: depth + 1])
        if not grouped or grouped[-1][0] != top:
            grouped.append((top, []))
        grouped[-1][1].append(module)
    return grouped
