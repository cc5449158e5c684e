"""What a file does to uint8 images before its first layer, as preprocessing beside the spec."""

from dataclasses import replace

import numpy as np

from cnndsl.decompile.graph import Graph, Op
from cnndsl.weights.model_info import ModelInfo

_WHITE = 255


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
    std = 1 / (_WHITE * weight)
    graph.notes.append("the scaling of uint8 images is preprocessing: --weights keeps it")
    return told.updated(_plain(-bias * std), _plain(std))


def _readers(graph: Graph, name: str) -> list[Op]:
    return [op for op in graph.ops if name in op.inputs]


def _plain(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> list[float]:
    """One number where all are the same, as short as float32 needs it."""
    short = [float(str(np.float32(v))) + 0.0 for v in values]
    return short[:1] if len(set(short)) == 1 else short
