"""The layers of a Keras model, as its configuration tells them: models in models are opened.

Source: keras.io/guides/serialization_and_saving; the configurations of Keras 2 and 3.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, cast

_DEEPEST = 16  # models in models
_MOST = 20_000  # layers
_FUNCTIONAL = ("Functional", "Model")
_SILENT = ("mask", "training")  # keywords of a call that say nothing here

Config = Mapping[str, Any]


class NoGraph(Exception):  # noqa: N818  (read as: it is not a graph of layers)
    """What of a configuration is not a graph of layers; the reader adds the file."""


@dataclass(frozen=True)
class KerasLayer:
    """A layer in its place; `inputs` are positions before it.

    `path` is where `.weights.h5` has its variables. `constants` are what it is called with besides
    tensors.
    """

    name: str
    kind: str
    config: Config
    path: str
    inputs: tuple[int, ...] = ()
    constants: tuple[Any, ...] = ()


@dataclass
class KerasGraph:
    """The layers of a model behind each other, and which of them are its outputs."""

    layers: list[KerasLayer] = field(default_factory=list[KerasLayer])
    outputs: tuple[int, ...] = ()

    def add(self, layer: KerasLayer) -> tuple[int, ...]:
        """One more layer; its position."""
        if len(self.layers) >= _MOST:
            raise NoGraph(f"it has more than {_MOST:,} layers")
        self.layers.append(layer)
        return (len(self.layers) - 1,)

    def rank(self, i: int) -> int:
        """Dimensions of what a layer makes, with the batch: 2 for vectors, 4 for images."""
        while self.layers[i].inputs:
            layer = self.layers[i]
            if layer.kind == "Flatten" or layer.kind.startswith("Global"):
                return 4 if layer.config.get("keepdims") else 2
            if layer.kind == "Reshape":
                return 1 + len(_list(layer.config.get("target_shape")))
            i = layer.inputs[0]
        config = self.layers[i].config
        return len(_list(config.get("batch_shape") or config.get("batch_input_shape")))


def graph_of(root: Any) -> KerasGraph:
    """The graph of a whole model; NoGraph for one that is written as a program."""
    graph = KerasGraph()
    if not _is_model(root):
        raise NoGraph(f"`{_kind(root)}` is not a Sequential or functional model: a program, unread")
    graph.outputs = _opened(graph, root, "", None, _DEEPEST)
    return graph


def _kind(entry: Any) -> str:
    return str(_object(entry).get("class_name", ""))[:80]


def _object(value: Any) -> Config:
    if not isinstance(value, dict):
        raise NoGraph("its configuration is not an object where one belongs")
    return cast(Config, value)


def _is_model(entry: Any) -> bool:
    config = _object(entry).get("config")
    return isinstance(config, list) or (isinstance(config, dict) and "layers" in config)


def _entries(model: Config) -> list[Config]:
    config: Any = model["config"]
    entries = _list(config) or _list(_config(model).get("layers"))
    if not entries:
        raise NoGraph("it has no layers")
    return [_object(entry) for entry in entries]


def _opened(
    graph: KerasGraph, model: Config, path: str, given: tuple[int, ...] | None, depth: int
) -> tuple[int, ...]:
    """The outputs of a model on the tensors `given`; its own inputs stand for None."""
    if not depth:
        raise NoGraph(f"it has models in models, deeper than {_DEEPEST}")
    paths = _paths(_entries(model), path)
    if _kind(model) in _FUNCTIONAL or "input_layers" in _config(model):
        return _functional(graph, model, paths, given, depth)
    return _sequential(graph, model, paths, given, depth)


def _paths(entries: Sequence[Config], path: str) -> list[tuple[Config, str]]:
    """Each layer with its path: its class in snake case, counted."""
    counts, found = Counter[str](), list[tuple[Config, str]]()
    for entry in entries:
        name = snake_case(_kind(entry))
        count = counts[name]
        counts[name] += 1
        found.append((entry, f"{path}layers/{name}{f'_{count}' if count else ''}"))
    return found


def snake_case(name: str) -> str:
    """`SeparableConv2D` as `separable_conv2d`, `PReLU` as `p_re_lu`."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _sequential(
    graph: KerasGraph, model: Config, paths: Sequence[tuple[Config, str]],
    given: tuple[int, ...] | None, depth: int,
) -> tuple[int, ...]:  # fmt: skip
    here = given
    if here is None and _kind(paths[0][0]) != "InputLayer":
        first = paths[0][0]
        shape = _config(first).get("batch_input_shape") or _config(model).get("build_input_shape")
        if shape is not None or not _is_model(first):
            here = graph.add(KerasLayer("input", "InputLayer", {"batch_shape": shape}, ""))
    for entry, path in paths:
        if _kind(entry) != "InputLayer" or here is None:
            here = _layer(graph, entry, path, here, (), depth)
    return here or ()


def _config(entry: Config) -> Config:
    return _part(entry, "config")


def _part(entry: Config, key: str) -> Config:
    """An object in an entry, or an empty one."""
    found = entry.get(key)
    return cast(Config, found) if isinstance(found, dict) else {}


def _layer(
    graph: KerasGraph, entry: Config, path: str, given: tuple[int, ...] | None,
    constants: tuple[Any, ...], depth: int,
) -> tuple[int, ...]:  # fmt: skip
    if _is_model(entry):
        return _opened(graph, entry, f"{path}/", given, depth - 1)
    config = _config(entry)
    name = str(entry.get("name") or config.get("name") or _kind(entry))[:200]
    return graph.add(KerasLayer(name, _kind(entry), config, path, given or (), constants))


@dataclass(frozen=True)
class _Tensor:
    """A tensor by the layer that makes it, and in which of its calls."""

    layer: str
    call: int


def _functional(
    graph: KerasGraph, model: Config, paths: Sequence[tuple[Config, str]],
    given: tuple[int, ...] | None, depth: int,
) -> tuple[int, ...]:  # fmt: skip
    config = _config(model)
    known = dict[_Tensor, tuple[int, ...]]()
    starts = list(_tensors(config.get("input_layers")))
    if given is not None:
        if len(given) != len(starts):
            raise NoGraph(f"`{config.get('name')}` takes {len(starts)} tensors, not {len(given)}")
        known |= {start: (tensor,) for start, tensor in zip(starts, given, strict=True)}
    waiting = list(paths)
    while waiting:
        count = len(known)
        waiting = [pair for pair in waiting if not _called(graph, *pair, known, depth)]
        if waiting and len(known) == count:
            _refuse(waiting[0][0], "takes a tensor that no layer makes")
    ends = list(_tensors(config.get("output_layers")))
    return tuple(_found(known, end)[0] for end in ends)


def _called(
    graph: KerasGraph, entry: Config, path: str, known: dict[_Tensor, tuple[int, ...]], depth: int
) -> bool:
    """Whether all calls of a layer have been added; each is, once all that it takes is known."""
    name = str(entry.get("name") or _config(entry).get("name"))
    calls: Any = entry.get("inbound_nodes") or []
    if not calls:
        if _Tensor(name, 0) not in known:
            known[_Tensor(name, 0)] = _layer(graph, entry, path, None, (), depth)
        return True
    made = [_Tensor(name, i) for i in range(len(calls))]
    for call, tensor in zip(calls, made, strict=True):
        needed = list(_tensors(call))
        if tensor not in known and all(each in known for each in needed):
            before = tuple(_found(known, each)[0] for each in needed)
            known[tensor] = _layer(graph, entry, path, before, _constants(call), depth)
    return all(tensor in known for tensor in made)


def _found(known: Mapping[_Tensor, tuple[int, ...]], tensor: _Tensor) -> tuple[int, ...]:
    if not known.get(tensor):
        raise NoGraph(f"`{tensor.layer[:80]}` makes no tensor")
    return known[tensor]


def _tensors(value: Any) -> Iterator[_Tensor]:
    """The tensors that a call names, in order: as in Keras 3, or as in Keras 2."""
    if isinstance(value, dict):
        entry = cast("dict[str, Any]", value)
        if entry.get("class_name") == "__keras_tensor__":
            yield from _tensors(_config(entry).get("keras_history"))
            return
        for part in entry.values():
            yield from _tensors(part)
    elif isinstance(value, list):
        parts = cast("list[Any]", value)
        if len(parts) >= 3 and isinstance(parts[0], str) and type(parts[1]) is int:
            yield _Tensor(parts[0], parts[1])
            return
        for part in parts:
            yield from _tensors(part)


def _constants(call: Any) -> tuple[Any, ...]:
    """What a call is given besides tensors: `2` in `x * 2`."""
    if isinstance(call, dict):
        entry = cast("dict[str, Any]", call)
        named = _object(entry.get("kwargs") or {})
        given = [*_list(entry.get("args")), *(v for k, v in named.items() if k not in _SILENT)]
    else:
        keywords = (_object(_list(part)[3]) for part in _list(call) if len(_list(part)) > 3)
        given = [v for each in keywords for k, v in each.items() if k not in _SILENT]
    return tuple(v for v in given if v is not None and not [*_tensors(v)])


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _refuse(entry: Config, why: str) -> NoReturn:
    raise NoGraph(f"`{str(entry.get('name'))[:80]}` ({_kind(entry)}) {why}")
