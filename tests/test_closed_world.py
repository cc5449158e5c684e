"""What stands in its folder is found, has its entry and its test; else it fails by name."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from test_layers import example
from test_training_gradients import BODIES

import cnndsl
from cnndsl import losses, lr_schedules, optim, tasks
from cnndsl.graph import ops
from cnndsl.graph.tape import Tape
from cnndsl.layers import vocabulary
from cnndsl.lints.base import lint_codes
from cnndsl.lower.conv.table import algorithms

PACKAGE = Path(cnndsl.__file__).parent
REGISTRIES: dict[str, Mapping[str, Any]] = {
    "layers": vocabulary(),
    "losses": losses.registry,
    "optim": optim.registry,
    "lr_schedules": lr_schedules.registry,
    "tasks": tasks.registry,
}


def declared(package: str) -> Iterator[str]:
    """The words of the classes that the files of a package define: `class X(Y, word="x")`."""
    for path in sorted((PACKAGE / package).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                yield from (ast.literal_eval(k.value) for k in node.keywords if k.arg == "word")


@pytest.mark.parametrize("package", REGISTRIES)
def test_every_word_is_found(package: str) -> None:
    words = list(declared(package))
    assert words
    assert [word for word in words if word not in REGISTRIES[package]] == []
    assert len(set(words)) == len(words)


def test_every_lint_is_found() -> None:
    text = "".join(path.read_text() for path in (PACKAGE / "lints").glob("*.py"))
    registered = {code for code in lint_codes() if f'@lint("{code}")' in text}
    assert text.count('@lint("W') == len(registered)


def test_every_algorithm_of_convolution_is_found() -> None:
    files = (PACKAGE / "lower" / "conv").glob("*.py")
    defining = {path.stem for path in files if "\n@algorithm(" in path.read_text(encoding="utf-8")}
    found = {each.emit.__module__.rpartition(".")[2] for each in algorithms().values()}
    assert defining - found == set()


PASSES_BY = {"input", "id"}  # give their input as it is


@pytest.mark.parametrize("word", sorted(vocabulary().keys() - PASSES_BY))
def test_every_layer_has_a_gradient_case(word: str) -> None:
    models = (cnndsl.parse(f"input 3x8x8\n{body}") for body in BODIES.values())
    assert any(node.layer.word == word for model in models for node in model.ir.nodes)


@pytest.mark.parametrize("word", sorted(vocabulary()))
def test_every_operator_of_a_layer_has_an_entry(word: str) -> None:
    graph = cnndsl.parse(example(vocabulary()[word])).to_onnx(fold=False).graph
    assert [node.op_type for node in graph.node if node.op_type not in ops.registry] == []


def test_an_operator_without_an_entry_is_named() -> None:
    tape = Tape()
    with pytest.raises(Exception, match="NoSuchOperator"):
        tape.op("NoSuchOperator", tape.input("x", (1, 2), "float32"))
