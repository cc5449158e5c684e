"""The driver: walks a tape of layer operators and writes the lowered one, entry by entry."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from cnndsl.graph.tape import Node, Tape, Value
from cnndsl.lower.laid import Laid, lay, plain, settled
from cnndsl.lower.layout import Layout, as_it_is

Form = Value | Laid
Entry = Callable[["Lowering", Node], "Form | list[Form]"]
TABLE: dict[str, Entry] = {}


@dataclass(frozen=True)
class Plan:
    """Free choices of the lowering: convolution algorithms."""

    conv: str = "auto"
    choices: tuple[tuple[str, str], ...] = ()  # algorithm by path, over `conv`


def lowers(*ops: str) -> Callable[[Entry], Entry]:
    """Register the lowering of operators."""

    def register(entry: Entry) -> Entry:
        TABLE.update(dict.fromkeys(ops, entry))
        return entry

    return register


@cache
def load() -> None:
    """Import every file of lowerings."""
    package = import_module("cnndsl.lower")
    for module in iter_modules(package.__path__):
        import_module(f"cnndsl.lower.{module.name}")


@dataclass
class Lowering:
    """The lowered tape and what each value of the old one has become."""

    source: Tape
    plan: Plan
    params: dict[Value, str]
    tape: Tape = field(init=False)
    forms: dict[Value, Form] = field(default_factory=dict[Value, Form])
    layouts: dict[str, Layout] = field(default_factory=dict[str, Layout])
    stored: dict[str, Value] = field(default_factory=dict[str, Value])
    chosen: dict[str, str] = field(default_factory=dict[str, str])
    shared: dict[tuple[Value, bytes], Value] = field(
        default_factory=dict[tuple[Value, bytes], Value]
    )
    """What is computed once of a parameter for all pieces of the batch."""

    def __post_init__(self) -> None:
        self.tape = Tape(_taken=dict(self.source._taken))  # pyright: ignore[reportPrivateUsage]  (its names stay taken)
        self.tape.consts.update(self.source.consts)
        self.tape.inputs = [v for v in self.source.inputs if v not in self.params]
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
            made = TABLE.get(node.op, as_plain)(self, node)
            forms = made if isinstance(made, list) else [made]
            self.forms.update(zip(node.outputs, forms, strict=False))
        for value, name in self.params.items():
            if name not in self.stored:  # of a layer that no output reads: a weight all the same
                self.form(value)

    def form(self, value: Value | None) -> Form:
        """What a value has become."""
        assert value is not None
        if value in self.params:
            return self.param(value, as_it_is(tuple(int(d) for d in value.shape)))
        return self.forms.get(value, value)

    def plain(self, value: Value | None) -> Value:
        """A value in ONNX's own layout."""
        form = self.form(value)
        return plain(self.tape, form) if isinstance(form, Laid) else form

    def laid(self, value: Value | None) -> Laid:
        """An image in [P, B, C], its bias still waiting perhaps."""
        form = self.form(value)
        if isinstance(form, Laid):
            return form
        made = lay(self.tape, form)
        if value is not None:
            self.forms[value] = made
        return made

    def settled(self, value: Value | None) -> Laid:
        """An image in [P, B, C] with its bias added; added once, whoever asks."""
        made = settled(self.tape, self.laid(value))
        assert value is not None
        self.forms[value] = made
        return made

    def is_image(self, value: Value | None) -> bool:
        """Whether a value is an image here."""
        form = self.form(value)
        return isinstance(form, Laid) or len(form.shape) == 4

    def param(self, value: Value, layout: Layout) -> Value:
        """A parameter in the layout that its first reader wants; others turn it."""
        name = self.params[value]
        if name not in self.stored:
            self.layouts[name] = layout
            self.stored[name] = Value(name, layout.stored, value.dtype)  # the old tape's name
            self.tape.inputs.append(self.stored[name])
        found = self.stored[name]
        if self.layouts[name] == layout:
            return found
        plain = self.layouts[name].restored_by(self.tape, found)
        return layout.stored_by(self.tape, plain)

    def once(self, value: Value, by: bytes, make: Callable[[], Value]) -> Value:
        """What `make` writes of a parameter by a matrix, the same for all readers."""
        if (value, by) not in self.shared:
            self.shared[value, by] = make()
        return self.shared[value, by]


def as_plain(lo: Lowering, node: Node) -> "Form | list[Form]":
    """Any other operator: as it is, on ONNX's own layout."""
    inputs = [None if v is None else lo.plain(v) for v in node.inputs]
    return list(lo.tape.ops(node.op, *inputs, results=len(node.outputs), **node.attrs))
