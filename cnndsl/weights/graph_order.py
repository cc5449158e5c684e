"""One order for the layers of a graph, whoever wrote it: that of a walk from its outputs."""

from collections.abc import Collection, Mapping, Sequence


def walked(
    inputs: Sequence[Sequence[int]],
    outputs: Sequence[int],
    kernels: Mapping[int, int],
    commuting: Collection[int],
) -> list[int]:
    """Positions of the nodes that the outputs need, each behind its inputs.

    Inputs are visited as they stand. Those of a `commuting` node (a sum, a product) have no order
    of their own: the one behind more `kernels`, of which nodes have so many, comes first: a body
    before its shortcut. `inputs` name earlier positions only.
    """
    depth = list[int]()
    for i, before in enumerate(inputs):
        depth.append(max((depth[j] for j in before), default=0) + kernels.get(i, 0))
    found, seen = list[int](), set[int]()
    stack = [(i, False) for i in reversed(outputs)]
    while stack:
        i, done = stack.pop()
        if done:
            found.append(i)
        if done or i in seen:
            continue
        seen.add(i)
        before = inputs[i]
        if i in commuting:
            before = sorted(before, key=lambda j: -depth[j])
        stack += [(i, True), *((j, False) for j in reversed(before))]
    return found
