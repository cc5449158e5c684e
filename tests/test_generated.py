"""Random nets: what we say of a net is what ONNX and onnxruntime find."""

import os
from math import prod

import onnx
import pytest
from hypothesis import HealthCheck, example, given, settings
from running import largest_error, random_input, random_tensors, run, session
from strategies import PIECES, nets

import cnndsl
from cnndsl.backend.inference import InferenceEmitter, write_layers
from cnndsl.graph.export import export
from cnndsl.graph.tape import Tape

steady = {"derandomize": True, "deadline": None, "database": None}
quick = settings(max_examples=150, **steady)
few = settings(max_examples=60, **steady)
LONG = os.environ.get("CNNDSL_HARDEN") == "long"  # as `make harden` has it
many = settings(
    max_examples=600 if LONG else 200, suppress_health_check=[HealthCheck.too_slow], **steady
)


def inferred_shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """What onnx itself finds, from nothing but the input, the operators and the constants."""
    bare = onnx.ModelProto.FromString(model.SerializeToString())
    for output in bare.graph.output:
        output.type.tensor_type.ClearField("shape")
    found = onnx.shape_inference.infer_shapes(bare, True, True, True)
    values = [*found.graph.value_info, *found.graph.output]
    return {v.name: tuple(d.dim_value for d in v.type.tensor_type.shape.dim[1:]) for v in values}


def layer_by_layer(model: cnndsl.Model) -> onnx.ModelProto:
    """The graph with the tensor behind every layer as an output, by position."""
    tape = Tape()
    x = tape.input("input", ("N", *model.input))
    values = write_layers(model.ir, InferenceEmitter(tape, random_tensors(model)), x)
    tape.outputs = {f"layer{i}": value for i, value in enumerate(values)}
    return export(tape, "layers")


def check_shapes(text: str) -> None:
    model = cnndsl.parse(text)
    stated = {f"layer{i}": node.shape for i, node in enumerate(model.ir.nodes)}
    graph = layer_by_layer(model)
    found = inferred_shapes(graph)
    returned = run(graph, random_input(model))
    assert {name: found[name] for name in stated} == stated
    assert {name: array.shape for name, array in returned.items()} == {
        name: (2, *shape) for name, shape in stated.items()
    }


def check_values_on_the_tape(text: str) -> None:
    model = cnndsl.parse(text)
    tape = Tape()
    x = tape.input("input", ("N", *model.input))
    write_layers(model.ir, InferenceEmitter(tape, random_tensors(model)), x)
    tape.outputs = {"last": tape.nodes[-1].outputs[0]} if tape.nodes else {}
    found = inferred_shapes(export(tape, "values"))
    for node in tape.nodes:
        for value in node.outputs:
            assert found.get(value.name, value.shape[1:]) == value.shape[1:], node.op


def check_counts(text: str) -> None:
    model = cnndsl.parse(text)
    learned = {name for name, tensor in model.ir.tensors().items() if tensor.learned}
    constants = {c.name: prod(c.dims) for c in model.to_onnx(fold=False).graph.initializer}
    assert learned <= set(constants)
    assert sum(constants[name] for name in learned) == model.params


def check_macs(text: str) -> None:
    """As the graph itself has them: every weight is used once at each position it stands over."""
    model = cnndsl.parse(text)
    graph = model.to_onnx(fold=False)
    sizes = {**inferred_shapes(graph), "input": model.input}
    weights = {c.name: prod(c.dims) for c in graph.graph.initializer}
    found = 0
    for node in graph.graph.node:
        if node.op_type in ("Conv", "ConvTranspose", "Gemm"):
            over = node.input[0] if node.op_type == "ConvTranspose" else node.output[0]
            found += weights[node.input[1]] * prod(sizes[over][1:])
    assert found == model.macs


def check_folding(text: str) -> None:
    model = cnndsl.parse(text)
    tensors, x = random_tensors(model), random_input(model)
    plain = run(model.to_onnx(tensors, fold=False), x)
    folded = run(model.to_onnx(tensors, fold=True), x)
    assert largest_error(folded, plain) <= 1e-4


def check_batches(text: str) -> None:
    model = cnndsl.parse(text)
    ready, x = session(model.to_onnx(random_tensors(model))), random_input(model, batch=5)
    together = ready.run(None, {"input": x})
    alone = ready.run(None, {"input": x[2:3]})
    names = [output.name for output in ready.get_outputs()]
    parts = {name: whole[2:3] for name, whole in zip(names, together, strict=True)}
    assert largest_error(dict(zip(names, alone, strict=True)), parts) <= 1e-4


def check_determinism(text: str) -> None:
    first, second = (cnndsl.parse(text).to_onnx() for _ in range(2))
    assert first.SerializeToString() == second.SerializeToString()


@quick
@given(nets())
def test_every_layer_has_the_shape_that_we_state(text: str) -> None:
    check_shapes(text)


@few
@example("input 4x8x7; upconv 6 3x2 stride=2x1; crop top=1 left=2; upsample 2x3; gn 3")
@given(nets())
def test_every_value_on_the_tape_has_its_shape(text: str) -> None:
    check_values_on_the_tape(text)


@few
@given(nets())
def test_parameters_are_the_learned_initialisers(text: str) -> None:
    check_counts(text)


@few
@example("input 4x8x7; conv 8 3x3 groups=2 /2")
@example("input 4x8x7; dwconv 3x3 multiplier=3 same")
@example("input 4x8x7; upconv 6 3x2 same /2")
@example("input 4x1x1; dense 6; dense 3 nobias")
@given(nets())
def test_macs_are_those_of_the_graph(text: str) -> None:
    check_macs(text)


@quick
@given(nets())
def test_folding_batch_norm_changes_no_output(text: str) -> None:
    check_folding(text)


@few
@given(nets())
def test_samples_of_a_batch_do_not_see_each_other(text: str) -> None:
    check_batches(text)


@few
@given(nets())
def test_the_same_text_gives_the_same_bytes(text: str) -> None:
    check_determinism(text)


@few
@given(nets())
def test_the_checker_accepts_the_graph(text: str) -> None:
    onnx.checker.check_model(cnndsl.parse(text).to_onnx(), full_check=True)


@pytest.mark.parametrize("family", PIECES)
def test_a_family_has_the_words_it_is_named_for(family: str) -> None:
    """The strategy itself: its nets are not all trivial."""
    seen = set[str]()

    @settings(max_examples=40, **steady)
    @given(nets(family))
    def collect(text: str) -> None:
        seen.update(text.replace("(", " ").split())

    collect()
    wanted = {
        "plain": {"conv", "upconv", "pool", "bn"},
        "branches": {"add", "concat", "mul"},
        "residual": {"residual", "auto"},
        "labels": {"concat", "from"},
        "blocks": {"block", "if", "else"},
        "all": {"conv", "block", "residual", "|"},
    }
    assert wanted[family] <= seen


@pytest.mark.slow
@pytest.mark.parametrize("family", PIECES)
def test_many_nets(family: str) -> None:
    @many
    @given(nets(family, pieces=14))
    def check(text: str) -> None:
        check_shapes(text)
        check_counts(text)
        check_macs(text)
        check_folding(text)
        check_batches(text)
        check_determinism(text)

    check()
