"""Operators behind those whose results they read: onnxruntime takes any order, onnx does not."""

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import GraphProto


def sort_nodes(graph: "GraphProto") -> None:
    """Sort in place where converters have appended operators; a circle is left as it is."""
    makers = {name: i for i, node in enumerate(graph.node) for name in node.output if name}
    before = {i: {makers[x] for x in node.input if x in makers}
              for i, node in enumerate(graph.node)}  # fmt: skip
    if all(max(needed, default=-1) < i for i, needed in before.items()):
        return
    try:
        order = list(TopologicalSorter(before).static_order())
    except CycleError:
        return
    nodes = [type(node).FromString(node.SerializeToString()) for node in graph.node]
    del graph.node[:]
    graph.node.extend(nodes[i] for i in order)
