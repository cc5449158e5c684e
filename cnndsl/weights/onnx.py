"""The constants of an ONNX file as weights: by module, in the order of its graph."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from numpy.typing import NDArray

from cnndsl.source import UserError
from cnndsl.weights.base import Order, RawWeights, WeightsFormat, first_bytes, one_line
from cnndsl.weights.graph_order import walked
from cnndsl.weights.model_info import info_from_onnx, onnx_entries

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

_ROLES = {
    "Conv": ("weight", "bias"),
    "ConvTranspose": ("weight", "bias"),
    "Gemm": ("weight", "bias"),
    "MatMul": ("weight",),
    "BatchNormalization": ("weight", "bias", "running_mean", "running_var"),
    "LayerNormalization": ("weight", "bias"),
    "GroupNormalization": ("weight", "bias"),
    "InstanceNormalization": ("weight", "bias"),
    "PRelu": ("weight",),
}
"""Operators with weights, and what their inputs behind the first are."""

_KERNELS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_COMMUTING = ("Add", "Mul", "Max", "Min", "Sum", "Mean")
_EXTERNAL = 1  # TensorProto.EXTERNAL
_TAGS = b"\x12\x1a\x22\x28\x32\x3a\x42"  # of the fields of a ModelProto behind its version
_NEWEST = 32  # version of the format that may be met


class Onnx(WeightsFormat):
    """https://onnx.ai/onnx/repo-docs/IR.html: the constants of operators that have weights."""

    extensions = (".onnx",)

    def recognises(self, path: Path) -> bool:
        """A protobuf that begins with a small version; it has no signature."""
        start = first_bytes(path, 9)
        is_version = len(start) > 2 and start[0] == 8 and 0 < start[1] <= _NEWEST
        return is_version and start[2] in _TAGS and start[8:] != b"{"

    def read(self, path: Path) -> RawWeights:
        """Weights by module, in the order of a walk through the graph; UserError for no ONNX."""
        import onnx
        from google.protobuf.message import DecodeError

        try:
            model = cast(Any, onnx).load_model_from_string(path.read_bytes())
            graph = _Graph(model.graph)
            tensors = graph.tensors()
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        except (DecodeError, ValueError, TypeError, IndexError, KeyError) as error:
            raise UserError(
                f"{path}: cannot be read as ONNX: {one_line(error)}\n"
                "  take another copy of the file"
            ) from None
        info = info_from_onnx(onnx_entries(model), str(path))
        return RawWeights(
            tensors, info, order=Order.GRAPH, channels_last=graph.flattens_last, simplified=True,
            eps=graph.eps,
        )  # fmt: skip


class _Graph:
    """The operators of a graph with their constants."""

    def __init__(self, graph: "GraphProto") -> None:
        self.nodes = list(graph.node)
        self.makers = {name: i for i, n in enumerate(self.nodes) for name in n.output if name}
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        self.constants |= {
            n.output[0]: n.attribute[0].t
            for n in self.nodes
            if n.op_type == "Constant" and n.attribute[0].name == "value"
        }
        for node in self.nodes:  # constants that several operators share, under other names
            if node.op_type == "Identity" and node.input[0] in self.constants:
                self.constants[node.output[0]] = self.constants[node.input[0]]
        self.outputs = [self.makers[o.name] for o in graph.output if o.name in self.makers]
        self.taken = set[str]()
        self.eps = dict[str, float]()

    @property
    def flattens_last(self) -> bool:
        """Whether an image is flattened with its channels last: behind a transposition."""
        return any(
            tuple(before.attribute[0].ints) == (0, 2, 3, 1)
            for node in self.nodes
            if node.op_type in ("Reshape", "Flatten")
            for before in self._before(node)[:1]
            if before.op_type == "Transpose" and before.attribute
        )

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Weights in our layouts: by their names where these are those of modules, else by node."""
        found = dict[str, NDArray[Any]]()
        for i in self._order():
            node = self.nodes[i]
            named = self._weights(node) if node.op_type in _ROLES else self._factor(node)
            found |= named
        return found

    def _order(self) -> list[int]:
        inputs = [[self.makers[name] for name in node.input if self.makers.get(name, i) < i]
                  for i, node in enumerate(self.nodes)]  # fmt: skip
        kernels = {i: int(node.op_type in _KERNELS) for i, node in enumerate(self.nodes)}
        commuting = {i for i, node in enumerate(self.nodes) if node.op_type in _COMMUTING}
        return walked(inputs, self.outputs, kernels, commuting)

    def _before(self, node: "NodeProto") -> "list[NodeProto]":
        return [self.nodes[self.makers[name]] for name in node.input if name in self.makers]

    def _weights(self, node: "NodeProto") -> dict[str, NDArray[Any]]:
        """The constants of an operator by their roles."""
        given = dict(zip(_ROLES[node.op_type], node.input[1:], strict=False))
        given = {role: name for role, name in given.items() if name in self.constants}
        if node.op_type == "MatMul" and given:
            given |= self._bias_behind(node)
        module = self._module(node, given) if given else ""
        for attribute in node.attribute:
            if attribute.name == "epsilon":
                self.eps[module] = attribute.f
        arrays = {role: _turned(node, role, self._array(name)) for role, name in given.items()}
        return {
            f"{module}.{role}": a for role, a in arrays.items() if not _is_neutral(node, role, a)
        }

    def _bias_behind(self, node: "NodeProto") -> dict[str, str]:
        """The vector that the only reader of a product adds."""
        readers = [n for n in self.nodes if node.output[0] in n.input]
        if len(readers) != 1 or readers[0].op_type != "Add":
            return {}
        vectors = [n for n in readers[0].input if n in self.constants
                   and len(self.constants[n].dims) == 1]  # fmt: skip
        return {"bias": vectors[0]} if vectors else {}

    def _factor(self, node: "NodeProto") -> dict[str, NDArray[Any]]:
        """A learned factor for each channel, which has the name of a module's tensor."""
        names = [name for name in node.input if name in self.constants and "." in name]
        if node.op_type != "Mul" or len(names) != 1:
            return {}
        role = names[0].rpartition(".")[2]
        return {f"{self._module(node, {role: names[0]})}.{role}": self._array(names[0])}

    def _module(self, node: "NodeProto", given: Mapping[str, str]) -> str:
        """The common module of the constants' names, else a name of the operator's own."""
        modules = {name.removesuffix(f".{role}") for role, name in given.items()}
        is_named = len(modules) == 1 and all(n.endswith(f".{role}") for role, n in given.items())
        name = node.name or node.output[0]
        name = modules.pop() if is_named else "".join(c if c.isalnum() else "_" for c in name)
        while name in self.taken:  # constants of equal values are often one
            name += "_"
        self.taken.add(name)
        return name

    def _array(self, name: str) -> NDArray[Any]:
        """The numbers of a constant; UserError for one that stands in another file."""
        import onnx

        tensor = self.constants[name]
        if tensor.data_location == _EXTERNAL:
            raise UserError(f"`{name[:80]}` stands in another file, which is not read")
        return cast(Any, onnx).numpy_helper.to_array(tensor)


def _is_neutral(node: "NodeProto", role: str, array: NDArray[Any]) -> bool:
    """Whether a norm's factor or offset changes nothing: exporters write what a layer lacks."""
    is_norm = node.op_type.endswith("Normalization") and role in ("weight", "bias")
    return is_norm and bool((array == (role == "weight")).all())


def _turned(node: "NodeProto", role: str, array: NDArray[Any]) -> NDArray[Any]:
    """Kernels of products as outputs × inputs."""
    transposed = any(a.name == "transB" and a.i for a in node.attribute)
    if role == "weight" and node.op_type in ("Gemm", "MatMul") and not transposed:
        return array.T if array.ndim == 2 else array
    return array
