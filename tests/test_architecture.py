"""The house keeps its shape: imports go down, start-up is light, pieces stay small."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import cnndsl
from cnndsl.layers import vocabulary
from cnndsl.resources import folder

PACKAGE = Path(cnndsl.__file__).parent

# From top to bottom. A line may import from the lines below it; the parts of a line only from
# themselves. A part is a package or a module of `cnndsl`.
LAYERING = """
__main__
cli notebook
runs deployment
study
run_arguments
api
lsp
diagram highlight report
training web
quantize why
data decompile plot
runtime
backend
weights
lower
lints fmt setting_values
unknown_arguments
passes
frameworks
recipe_checks
learned model_parts
ir
recipe space
finetune precision
tasks
syntax layers losses optim lr_schedules
graph
init fields shapes results metrics
edits
files argument_types
source
limits resources style version
"""

# Who may touch onnx at run time, besides `graph.export`, and what of it.
ONNX = {
    "graph.export": "everything: protobuf is made here",
    "graph.passes.fold_constants": "onnx.reference, to fold constants",
    "backend.check": "onnx.checker",
    "report.stages": "onnx.printer",
    "quantize.graph": "onnx.shape_inference",
    "runtime.foreign": "reads models of others",
    "runtime.opsets": "onnx.version_converter",
    "weights.onnx": "reads their constants",
    "decompile.constants": "onnx.reference, to fold constants",
    "decompile.graph": "reads their operators",
    "decompile.widen": "numbers of 16 bits as float32",
    "decompile.read": "onnx.shape_inference",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> dict[str, Path]:
    """Every module by its name below `cnndsl`; the root is ''."""
    found = dict[str, Path]()
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def executed(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)):
            yield child
            yield from executed(child)


def imported(nodes: Iterator[ast.AST]) -> Iterator[str]:
    """Full names of what nodes import."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"relative import of {node.module}"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(path: Path) -> set[str]:
    """Our modules that a file imports, by their names below `cnndsl`: at its top, inside functions
    and for types alone.
    """
    found = set[str]()
    for name in imported(ast.walk(tree(path))):
        if name == "cnndsl" or name.startswith("cnndsl."):
            below = name.removeprefix("cnndsl").lstrip(".")
            found.add(below if below in MODULES else below.rpartition(".")[0])
    return found


def part(module: str) -> str:
    return module.split(".")[0]


HEIGHT = {
    name: -height
    for height, line in enumerate(LAYERING.strip().splitlines())
    for name in line.split()
}


@pytest.mark.parametrize("module", [m for m in MODULES if m])
def test_imports_go_down(module: str) -> None:
    here = part(module)
    assert here in HEIGHT, f"give `{here}` its place in LAYERING"
    for other in ours(MODULES[module]):
        allowed = part(other) == here or HEIGHT[part(other)] < HEIGHT[here]
        assert allowed, f"{module} imports {other}"


@pytest.mark.parametrize("module", [m for m in MODULES if m])
def test_nothing_imports_the_package_root(module: str) -> None:
    assert "" not in ours(MODULES[module])


def test_there_are_no_cycles() -> None:
    graph = {module: ours(path) - {module} for module, path in MODULES.items()}
    while True:
        leaves = [module for module, others in graph.items() if not others & graph.keys()]
        if not leaves:
            break
        for leaf in leaves:
            del graph[leaf]
    assert not graph


def test_source_imports_nothing_of_ours_but_style() -> None:
    for module, path in MODULES.items():
        if part(module) == "source":
            assert {part(other) for other in ours(path)} <= {"source", "style"}


def test_the_grammar_names_no_layer() -> None:
    grammar = (folder("grammar") / "cnn.lark").read_text(encoding="utf-8")
    rules = "\n".join(line.split("//")[0] for line in grammar.splitlines())
    assert not set(re.findall(r'"(\w+)"', rules)) & vocabulary().keys()


def test_protobuf_is_made_in_one_place() -> None:
    users = {m for m, path in MODULES.items() for name in imported(executed(tree(path)))
             if part(name) == "onnx"}  # fmt: skip
    assert users <= ONNX.keys()
    for module in users - {"graph.export"}:
        names = list(imported(executed(tree(MODULES[module]))))
        assert not any("Proto" in n or "helper" in n for n in names if part(n) == "onnx"), module


def loaded_after(code: str) -> set[str]:
    """Names of the modules in a fresh interpreter that has run the code."""
    run = f"import sys\ntry:\n    {code}\nexcept SystemExit: pass\nprint('|', *sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", run], capture_output=True, text=True, check=True, timeout=60
    )
    return set(found.stdout.rpartition("|")[2].split())


@pytest.mark.parametrize(
    "code",
    [
        "import cnndsl",
        "from cnndsl.cli import main; main(['--help'])",
        "from cnndsl.cli import main; main(['check', SPEC])",
        "from cnndsl.cli import main; main(['layers', 'conv'])",
        "import cnndsl; cnndsl.parse('input 3x8x8; conv 4 3x3 bn relu').summary()",
    ],
)
def test_start_up_is_light(code: str, tmp_path: Path) -> None:
    spec = tmp_path / "net.cnn"
    spec.write_text("input 3x8x8\nconv 4 3x3 same bn relu\npool 2\ngn 2\nflatten\ndense 10\n")
    loaded = loaded_after(code.replace("SPEC", repr(str(spec))))
    assert "cnndsl" in loaded
    assert not loaded & {"numpy", "onnx", "onnxruntime", "torch", "google.protobuf"}


def test_importing_the_package_loads_nothing_of_it() -> None:
    assert {m for m in loaded_after("import cnndsl") if part(m) == "cnndsl"} == {"cnndsl"}


def test_the_public_names() -> None:
    """A change here is a decision: it needs a line in the changelog."""
    assert cnndsl.__all__ == [
        "Model", "check", "formatted", "from_onnx", "load", "parse",
        "Callback", "evaluate", "predict", "resume", "search", "train",
        "bench", "heat_maps", "to_float16", "to_int8",
        "Diagnostic", "Failed", "Interrupted", "UserError",
    ]  # fmt: skip
    assert all(getattr(cnndsl, name).__doc__ for name in cnndsl.__all__)
    assert {*cnndsl.__all__, "__version__"} <= {*dir(cnndsl)}
    assert cnndsl.__version__
    with pytest.raises(AttributeError, match="no attribute 'laod'"):
        _ = cnndsl.laod


def test_no_module_stands_in_the_place_of_a_public_name() -> None:
    """Importing `cnndsl.x` binds the name `x` of the package: it would hide a function `x`."""
    assert not {part(m) for m in MODULES} & {*cnndsl.__all__}


def functions(path: Path) -> list[Function]:
    return [node for node in ast.walk(tree(path)) if isinstance(node, Function)]


def length(function: Function) -> int:
    """Lines of a function's body without its docstring."""
    first = function.body[0]
    start = first.end_lineno + 1 if ast.get_docstring(function) else first.lineno
    return function.end_lineno - start + 1


every_file = pytest.mark.parametrize("path", MODULES.values(), ids=list(MODULES))


@every_file
def test_no_file_is_over_300_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


@every_file
def test_no_function_is_over_50_lines(path: Path) -> None:
    assert [f.name for f in functions(path) if length(f) > 50] == []


def test_most_functions_are_short() -> None:
    lengths = sorted(length(f) for path in MODULES.values() for f in functions(path))
    assert lengths[len(lengths) // 2] <= 6
    assert lengths[len(lengths) * 9 // 10] <= 25


def public(scope: ast.Module | ast.ClassDef) -> list[Function | ast.ClassDef]:
    """The classes and functions of a scope that others may use."""
    named = [node for node in scope.body if isinstance(node, Function | ast.ClassDef)]
    return [node for node in named if not node.name.startswith("_")]


@every_file
def test_modules_and_public_functions_have_docstrings(path: Path) -> None:
    assert ast.get_docstring(tree(path))
    classes = [node for node in public(tree(path)) if isinstance(node, ast.ClassDef)]
    named = [node for scope in (tree(path), *classes) for node in public(scope)]
    assert [node.name for node in named if not ast.get_docstring(node)] == []
