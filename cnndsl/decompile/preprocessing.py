"""What a file does to uint8 images before its first layer, as preprocessing beside the spec."""

from dataclasses import replace

import numpy as np

from cnndsl.decompile.graph import Graph, Op
from cnndsl.weights.model_info import ModelInfo, of_pixels


def take_preprocessing(graph: Graph, told: ModelInfo) -> ModelInfo:
    """What metadata tell, with the scaling of uint8 images, which is taken out of the graph.

    A file computes weight · x + bias of x in 0…255; here it is (x / 255 − mean) / std.
    """
    if not graph.uint8:
        return told
    readers = _readers(graph, graph.input)
    while len(readers) == 1 and readers[0].kind in ("Cast", "Identity"):
        readers = _readers(graph, readers[0].output)
    channels = graph.shapes[graph.input][1]
    weight, bias = np.ones(channels), np.zeros(channels)
    if len(readers) == 1 and readers[0].kind == "Affine" and readers[0].attrs["weight"].all():
        weight, bias = readers[0].attrs["weight"], readers[0].attrs["bias"]
        at = graph.ops.index(readers[0])
        graph.ops[at] = replace(readers[0], kind="Identity", attrs={})
    found = of_pixels(weight, bias)
    graph.notes.append("the scaling of uint8 images is preprocessing: --weights keeps it")
    return told.updated(found.mean, found.std)


def _readers(graph: Graph, name: str) -> list[Op]:
    return [op for op in graph.ops if name in op.inputs]
