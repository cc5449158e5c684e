"""What a program in Python says of a network and its training, as statements of ours."""

import ast
import re
from dataclasses import dataclass, field, replace
from itertools import pairwise

from cnndsl.frameworks.arguments import INIT
from cnndsl.frameworks.flow import START, Flow, Line
from cnndsl.frameworks.values import Call, Value
from cnndsl.layers import vocabulary

_BIASED = ("conv", "dwconv", "upconv", "dense")
_BIASES = "biases in front of `bn`, which takes them away, are left out"
_ENDED = {"bias", "nobias", *(word for word, cls in vocabulary().items() if cls.post)}


@dataclass
class Program:
    """What statements say: layers line by line, settings, and what cannot be said here."""

    flow: Flow = field(default_factory=Flow)
    settings: dict[str, str] = field(default_factory=dict[str, str])
    problems: list[tuple[ast.AST, str]] = field(default_factory=list[tuple[ast.AST, str]])
    models: list[Value] = field(default_factory=list[Value])
    """Models that have been made, the last one last."""
    trained: Value = None
    """The model that is compiled or fitted."""
    loose: list[Call] = field(default_factory=list[Call])
    """Layers with a name, that may be meant one behind the other."""
    used: dict[int, Value] = field(default_factory=dict[int, Value])
    """Layers, functions and models that are part of something, by their identity."""
    squashed: bool = False  # whether the loss is of probabilities
    only_layers: bool = True  # whether each statement is a layer, and nothing around them
    found: bool = False  # whether anything here is of a framework

    def set(self, *texts: str) -> None:
        """Take settings, `optimizer adam lr=0.1`."""
        self.settings |= {text.split()[0]: text for text in texts}
        self.found, self.only_layers = True, False

    def augment(self, change: str) -> None:
        """Take a change of pictures, `flip`."""
        self.set(f"{self.settings.get('augment', 'augment')} {change}")

    def refuse(self, node: ast.AST, message: str) -> None:
        """Note what cannot be said here, once a place."""
        self.found = True
        if all(node is not other for other, _ in self.problems):
            self.problems.append((node, message))

    def use(self, value: Value) -> None:
        """Note that something is a part of the network."""
        self.used[id(value)] = value

    @property
    def begun(self) -> bool:
        """Whether layers are written."""
        return len(self.flow.lines) > 1 or self.flow.here != START

    def lines(self) -> list[Line]:
        """The statements, `train { … }` last."""
        shown = _with_default(self._plain_end())
        if not self.settings:
            return shown
        order = ("data", "epochs", "batch", "loss", "optimizer", "schedule")
        known = sorted(self.settings, key=lambda s: order.index(s) if s in order else len(order))
        texts = ["train {", *(f"  {self.settings[name]}" for name in known), "}"]
        return [*shown, *map(Line, texts)]

    def notes(self) -> list[str]:
        """What is said otherwise here, or left out."""
        pairs = pairwise([*self.flow.shown(), Line("")])
        biases = {_BIASES} if any(_loses_bias(*pair) for pair in pairs) else set[str]()
        return sorted(self.flow.notes | biases)

    def _plain_end(self) -> list[Line]:
        """The layers; without a last softmax that the loss contains here."""
        layers = self.flow.shown()
        if not (layers and self.squashed):
            return layers
        last = re.sub(r"(^| )(softmax|sigmoid)\b", "", layers[-1].text)
        return [*layers[:-1], *([replace(layers[-1], text=last)] if last else [])]


def _loses_bias(line: Line, behind: Line) -> bool:
    """Whether a layer has a bias elsewhere, and none here, as a batch norm follows."""
    layer = line.text.rpartition("; ")[2].split()
    biased = behind.word == "bn" and layer[:1] != [] and layer[0] in _BIASED
    return biased and not _ENDED.intersection(layer)


def _with_default(lines: list[Line]) -> list[Line]:
    """A framework's initialiser said once a word, where all of several lines share it."""
    defaults = list[Line]()
    for word in ("conv", "dense"):
        theirs = [line for line in lines if line.word == word]
        inits = {text for line in theirs for text in INIT.findall(line.text)}
        if len(theirs) > 1 and len(inits) == 1 and all(INIT.search(line.text) for line in theirs):
            (text,) = inits
            defaults.append(Line(f"default {word}{text}"))
            lines = [replace(line, text=line.text.replace(text, "")) if line.word == word else line
                     for line in lines]  # fmt: skip
    inputs = 1 if lines and lines[0].word == "input" else 0
    return [*lines[:inputs], *defaults, *lines[inputs:]]
