"""The driver: walks a tape of layer operators and writes the lowered one, entry by entry."""

from collections import defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pkgutil import walk_packages
from typing import Literal

from cnndsl.graph.tape import Node, Tape, Value
from cnndsl.lower.layout import Layout, onnx_layout
from cnndsl.lower.packed_image import PackedImage, nchw, nchw_rows, pack, pack_rows, with_bias
from cnndsl.source import UserError

Representation = Value | PackedImage
Entry = Callable[["Lowering", Node], "Representation | list[Representation]"]
Phase = Literal["train", "infer"]
Device = Literal["cpu", "cuda"]
TABLES: dict[Device, dict[str, Entry]] = {"cpu": {}, "cuda": {}}


@dataclass(frozen=True)
class Plan:
    """Free choices of the lowering: for which device, and the CPU's convolution algorithms."""

    conv: str = "auto"
    choices: tuple[tuple[str, str], ...] = ()  # algorithm by path, over `conv`
    device: Device = "cpu"
    ranks: int = 1
    """Over how many ranks batch norm normalises a batch that is shared out among them."""


def lowers(*ops: str, devices: tuple[Device, ...] = ("cpu",)) -> Callable[[Entry], Entry]:
    """Register the lowering of operators; what has none stays as it is, in ONNX's layout."""

    def register(entry: Entry) -> Entry:
        for device in devices:
            TABLES[device].update(dict.fromkeys(ops, entry))
        return entry

    return register


@cache
def load() -> None:
    """Import every file of lowerings."""
    package = import_module("cnndsl.lower")
    for module in walk_packages(package.__path__, "cnndsl.lower."):
        import_module(module.name)


def is_lowered(op: str) -> bool:
    """Whether an operator has an entry of its own."""
    load()
    return op in TABLES["cpu"]


@dataclass
class Lowering:
    """The lowered tape, and how each value of the source tape is represented on it.

    Parameters are inputs in training (`params`, with their names; those that are frozen stay the
    constants that they are), and constants at inference, where what is computed of them alone is
    computed here. At inference an operator is lowered only where an image that it reads is packed
    already: what no algorithm packs stays as ONNX has it.
    """

    source: Tape
    plan: Plan
    params: dict[Value, str]
    phase: Phase = "train"
    tape: Tape = field(init=False)
    representations: dict[Value, Representation] = field(
        default_factory=dict[Value, Representation]
    )
    copies: dict[Value, PackedImage] = field(default_factory=dict[Value, PackedImage])
    """At inference: packed images of values that stay as ONNX has them for their other readers."""
    layouts: dict[str, Layout] = field(default_factory=dict[str, Layout])
    packed_params: dict[str, Value] = field(default_factory=dict[str, Value])
    chosen: dict[str, str] = field(default_factory=dict[str, str])
    shared: dict[tuple[Value, Hashable], Value] = field(
        default_factory=dict[tuple[Value, Hashable], Value]
    )
    """What is made once of a parameter for all micro-batches."""

    def __post_init__(self) -> None:
        _refuse_symbolic(self.source)
        self.tape = Tape(_taken=dict(self.source._taken))  # pyright: ignore[reportPrivateUsage]  (its names stay taken)
        self.tape.consts.update(self.source.consts)
        self.tape.inputs = [v for v in self.source.inputs if v not in self.params]
        self.freezes = not self.params.keys().isdisjoint(self.source.consts)
        self.params = {v: n for v, n in self.params.items() if v not in self.source.consts}
        self.rounded = {
            node.outputs[0]: node for node in self.source.nodes if node.op == "FakeQuantizeWeight"
        }
        self.learned: set[Value] = set(self.params)
        self.readers = defaultdict[Value, list[Node]](list)
        for node in self.source.nodes:
            if not self.learned.isdisjoint(node.inputs):
                self.learned.update(node.outputs)
            for value in node.inputs:
                if value is not None:
                    self.readers[value].append(node)

    def run(self) -> None:
        """Lower every node."""
        load()
        for node in self.source.nodes:
            self.tape.path, self.tape.line = node.path, node.line
            if node.outputs[0] in self.rounded:
                continue  # where it is read, in the layout that is wanted
            outputs = self._entry(node)(self, node)
            listed = outputs if isinstance(outputs, list) else [outputs]
            self.representations.update(zip(node.outputs, listed, strict=False))
        for value, name in self.params.items():
            if name not in self.packed_params:  # of a layer that no output reads: a weight still
                self.representation(value)

    def _entry(self, node: Node) -> Entry:
        """How a node is lowered; where nothing learns before it, it stays as it is."""
        if self.freezes and self.learned.isdisjoint(node.outputs):
            return on_nchw
        stays = self.phase == "infer" and node.op != "Conv"
        if stays and not any(self.is_packed(v) for v in node.inputs):
            return on_nchw
        return TABLES[self.plan.device].get(node.op, on_nchw)

    def representation(self, value: Value | None) -> Representation:
        """How a value of the source tape is represented here."""
        assert value is not None
        if value in self.params or value in self.rounded:
            return self.param(value, onnx_layout(tuple(int(d) for d in value.shape)))
        return self.representations.get(value, value)

    def nchw(self, value: Value | None) -> Value:
        """A value in ONNX's own layout."""
        representation = self.representation(value)
        if isinstance(representation, PackedImage):
            change = nchw if self.phase == "train" else nchw_rows
            return change(self.tape, representation)
        return representation

    def packed(self, value: Value | None) -> PackedImage:
        """An image in [P, B, C]; its bias may not be added yet."""
        representation = self.representation(value)
        assert value is not None
        if isinstance(representation, PackedImage):
            return representation
        if self.phase == "train":
            self.representations[value] = image = pack(self.tape, representation)
            return image
        if value not in self.copies:
            self.copies[value] = pack_rows(self.tape, representation)
        return self.copies[value]

    def with_bias(self, value: Value | None) -> PackedImage:
        """An image in [P, B, C] with its bias added, once for all readers."""
        image = with_bias(self.tape, self.packed(value))
        if value is not None and self.is_packed(value):
            self.representations[value] = image
        return image

    def is_packed(self, value: Value | None) -> bool:
        """Whether a value is a packed image here."""
        return value is not None and isinstance(self.representation(value), PackedImage)

    def is_image(self, value: Value | None) -> bool:
        """Whether a value is an image here."""
        representation = self.representation(value)
        return isinstance(representation, PackedImage) or len(representation.shape) == 4

    def param(self, value: Value, layout: Layout) -> Value:
        """A parameter in the layout that its first reader wants; other readers permute it.

        A constant is packed once for each layout; one that is rounded is rounded there.
        """
        if value in self.rounded:
            return self.once(value, layout, lambda: self._rounded(value, layout))
        if value in self.source.consts:
            return self.once(value, layout, lambda: self._packed_constant(value, layout))
        name = self.params[value]
        if name not in self.packed_params:
            self.layouts[name] = layout
            self.packed_params[name] = Value(value.name, layout.packed, value.dtype)
            self.tape.inputs.append(self.packed_params[name])
        packed = self.packed_params[name]
        if self.layouts[name] == layout:
            return packed
        return layout.write_to_packed(
            self.tape, self.layouts[name].write_from_packed(self.tape, packed)
        )

    def _packed_constant(self, value: Value, layout: Layout) -> Value:
        array = self.source.consts[value]
        return self.tape.const(layout.to_packed(array), f"{value.name}.packed")

    def _rounded(self, value: Value, layout: Layout) -> Value:
        """By the largest of each channel: views, whatever the layout."""
        node, tape = self.rounded[value], self.tape
        weight, channels = node.inputs[0], layout.axes_of(node.attrs["axis"])
        assert weight is not None
        view = tape.reshape(self.param(weight, layout), *(layout.split[i] for i in layout.perm))
        axes = tuple(i for i in range(len(view.shape)) if i not in channels)
        return tape.reshape(tape.op("FakeQuantizeWeight", view, axes=axes), *layout.packed)

    def once(self, value: Value, by: Hashable, write: Callable[[], Value]) -> Value:
        """What `write` makes of a parameter, by a matrix or layout: the same for all readers."""
        if (value, by) not in self.shared:
            self.shared[value, by] = write()
        return self.shared[value, by]


def _refuse_symbolic(source: Tape) -> None:
    symbolic = [v for v in source.inputs if any(isinstance(d, str) for d in v.shape)]
    if symbolic:
        shown = "×".join(map(str, symbolic[0].shape))
        raise UserError(f"`{symbolic[0].name}` is {shown}: packed layouts need a fixed batch\n"
                        "  give it one, such as --batch 1")  # fmt: skip


def on_nchw(lowering: Lowering, node: Node) -> "Representation | list[Representation]":
    """Any other operator: as it is, on ONNX's own layout."""
    inputs = [None if v is None else lowering.nchw(v) for v in node.inputs]
    return list(lowering.tape.ops(node.op, *inputs, results=len(node.outputs), **node.attrs))
