"""What a program in Python says of a network and its training, as statements of ours."""

import ast
import re
from dataclasses import dataclass, field

from cnndsl.frameworks.arguments import INIT
from cnndsl.frameworks.flow import Flow
from cnndsl.frameworks.values import Call, Value


@dataclass
class Program:
    """What statements say: layers line by line, settings, and what cannot be said here."""

    flow: Flow = field(default_factory=Flow)
    settings: dict[str, str] = field(default_factory=dict[str, str])
    problems: list[tuple[ast.AST, str]] = field(default_factory=list[tuple[ast.AST, str]])
    made: dict[str, Call] = field(default_factory=dict[str, Call])  # instances of classes
    classes: dict[str, ast.ClassDef] = field(default_factory=dict[str, ast.ClassDef])
    constants: dict[str, Value] = field(default_factory=dict[str, Value])
    squashed: bool = False  # whether the loss is of probabilities
    only_layers: bool = True  # whether each statement is a layer, and nothing around them
    found: bool = False  # whether anything here is of a framework

    def set(self, *texts: str) -> None:
        """Take settings, `optimizer adam lr=0.1`."""
        self.settings |= {text.split()[0]: text for text in texts}
        self.found, self.only_layers = True, False

    def lines(self) -> list[str]:
        """The statements, `train { … }` last."""
        shown = _with_default(self._plain_end())
        if not self.settings:
            return shown
        order = ("data", "epochs", "batch", "loss", "optimizer", "schedule")
        known = sorted(self.settings, key=lambda s: order.index(s) if s in order else len(order))
        return [*shown, "train {", *(f"  {self.settings[name]}" for name in known), "}"]

    def _plain_end(self) -> list[str]:
        """The layers; without a last softmax that the loss contains here."""
        layers = self.flow.shown()
        if not (layers and self.squashed):
            return layers
        last = re.sub(r"(^| )(softmax|sigmoid)\b", "", layers[-1])
        return [*layers[:-1], *([last] if last else [])]


def _with_default(lines: list[str]) -> list[str]:
    """A framework's initialiser said once a word, where all of several lines share it."""
    said = list[str]()
    for word in ("conv", "dense"):
        theirs = [line for line in lines if _word(line) == word]
        inits = {text for line in theirs for text in INIT.findall(line)}
        if len(theirs) > 1 and len(inits) == 1 and all(INIT.search(line) for line in theirs):
            (text,) = inits
            said.append(f"default {word}{text}")
            lines = [line.replace(text, "") if line in theirs else line for line in lines]
    inputs = 1 if lines and lines[0].startswith("input ") else 0
    return [*lines[:inputs], *said, *lines[inputs:]]


def _word(line: str) -> str:
    """The first word of a line, behind its label."""
    return re.sub(r"^\w+: ", "", line).partition(" ")[0]
