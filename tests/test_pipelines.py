"""Pipelines can be stopped, printed and verified behind every pass."""

import re
from dataclasses import replace

import golden_files
import numpy as np
import pytest
from test_training_gradients import BODIES, HEAD

from cnndsl.api import parse
from cnndsl.backend.inference import InferenceState, Options
from cnndsl.backend.pipelines import BACKWARD, GRADIENTS, INFERENCE, STEP, UPDATE
from cnndsl.backend.step import StepOptions, StepState, resolved
from cnndsl.cli import main
from cnndsl.graph.pipeline import Pass, State, run, stages, verified
from cnndsl.graph.tape import Node, Tape, Value
from cnndsl.graph.verify import InvalidTape, verify
from cnndsl.lower.driver import Plan
from cnndsl.recipe import Recipe
from cnndsl.report.stages import step_graph
from cnndsl.weights.initial import initial_weights

HOW = {  # the options of the golden files
    "step": ["--conv", "direct"],
    "inference": ["--batch", "1", "--optimize", "cpu", "--conv", "winograd"],
}


def emitted(capsys: pytest.CaptureFixture[str], *options: str, code: int = 0) -> tuple[str, str]:
    """What `cnndsl emit` prints for the golden net: stdout, stderr."""
    with pytest.raises(SystemExit) as left:
        main(["emit", str(golden_files.NET), *options])
    assert (left.value.code or 0) == code
    return capsys.readouterr()


@pytest.mark.parametrize("name", golden_files.texts())
def test_a_stage_is_as_recorded(name: str) -> None:
    """A change that is meant: `python tests/golden_files.py`, and say why in the commit."""
    assert golden_files.texts()[name] == golden_files.recorded().get(name)


def test_nothing_else_is_recorded() -> None:
    assert golden_files.recorded().keys() == golden_files.texts().keys()


@pytest.mark.parametrize("purpose", ["inference", "step"])
def test_every_pass_is_a_stage_of_the_command(
    purpose: str, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = golden_files.graphs()[purpose]
    how = HOW[purpose]
    for stage, _ in stages(graph.pipeline):
        out, _ = emitted(capsys, "--for", purpose, "--stage", stage, *how)
        assert out == golden_files.texts()[f"{purpose}.{stage.replace(':', '_')}.txt"]
    assert emitted(capsys, "--for", purpose, "--stage", "tape", *how)[0] == out
    assert "cnndsl_source" not in out
    onnx, _ = emitted(capsys, "--for", purpose, "--stage", "onnx", *how)
    assert "Conv" in onnx


def test_the_help_lists_the_stages(capsys: pytest.CaptureFixture[str]) -> None:
    listed = " ".join(emitted(capsys, "--help")[0].split())
    for pipeline in (INFERENCE, STEP):
        assert " ".join(name for name, _ in stages(pipeline)) in listed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--stage", "lower", "--for", "step"], "for step. Did you mean `lowered`? The stages:"),
        (["--stage", "backward"], "no stage `backward` for inference. `--for step` has it."),
        (["--stage", "deploy", "--for", "step"], "`--for inference` has it. The stages: tokens"),
        (["--micro-batch", "1"], "--micro-batch and --device are of the step: add --for step"),
        (["--for", "step", "--optimize", "cpu"], "--optimize is of the inference graph"),
        (["--for", "inference", "--optimize", "cpu"], "needs a fixed batch"),
        (["--for", "inference", "--conv", "direct"], "are for training, or with optimize"),
        (["--for", "step", "--micro-batch", "3"], "the batch of 2 take --micro-batch 2"),
        (["--for", "step", "--conv", "fft"], "no convolution algorithm `fft`"),
    ],
)  # fmt: skip
def test_what_there_is_not_is_an_error(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = emitted(capsys, *options, code=2)
    assert not out
    assert message in " ".join(err.split())


def test_an_emitted_graph_is_verified_on_demand(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = emitted(capsys, "--for", "step", "--stage", "emit", "--verify")
    assert out == golden_files.texts()["step.emit.txt"]
    assert err == f"shapes and types hold behind each of {len(STEP)} passes\n"


def test_a_listing_has_paths_shapes_and_lines(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = emitted(capsys, "--for", "step", "--stage", "lowered", "--conv", "direct")
    assert re.search(r"^conv_1 +net\.cnn:2: conv 2 3x3 same bn relu$", out, re.M)
    assert re.search(r"^  Conv_1 +2x2x4x4 += Conv\(Reshape_1, conv_1\.weight, ", out, re.M)
    assert str(golden_files.NET.parent) not in out


def test_micro_batches_are_seen(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--for", "step", "--batch", "4", "--micro-batch", "2", "--stage"]
    assert emitted(capsys, *options, "emit")[0].count(" BatchNormalization(") == 2
    joined, _ = emitted(capsys, *options, "synchronise_norms")
    assert joined.count(" SyncBatchNormalization(") == 1


def test_a_step_has_what_its_recipe_freezes_as_constants() -> None:
    net = "input 3x8x8\nstem: conv 4 3x3 same bn relu\ngap; flatten; dense 3\n"
    model = parse(f"{net}train {{ freeze stem; batch 8 }}").ir
    blocks = step_graph(model, None, None, Plan()).text("fold_batch_norm").split("\n\n")
    inputs, weights = ([row.split()[0] for row in block.splitlines()] for block in blocks[:2])
    assert inputs == ["inputs", "x", "dense_1.weight", "dense_1.bias"]
    assert {"stem.weight", "stem.bias"} < set(weights)


# Verification


@pytest.mark.parametrize("body", BODIES.values(), ids=list(BODIES))
def test_every_pass_leaves_a_valid_graph(body: str) -> None:
    model = parse(f"input 3x8x8; {body}{HEAD}").ir
    options = StepOptions(4, 2)
    start = StepState(model=model, recipe=resolved(model, Recipe()), options=options)
    run(STEP, start, behind=verified)
    gradients = run(GRADIENTS[len(BACKWARD) :], run(BACKWARD, start), behind=verified)
    run(UPDATE, gradients, behind=verified)
    for way in (Options(), Options(batch=2, optimize="cpu", plan=Plan("winograd"))):
        deployed = InferenceState(model=model, weights=initial_weights(model), options=way)
        run(INFERENCE, deployed, behind=verified)


def two_nodes() -> tuple[Tape, Node, Node]:
    tape = Tape(path="conv_1", line=3)
    x = tape.op("Exp", tape.input("x", (2, 3)))
    tape.outputs["y"] = tape.op("Add", x, tape.const(np.ones(3, np.float32)))
    first, second = tape.nodes
    return tape, first, second


def test_a_valid_tape_passes() -> None:
    verify(two_nodes()[0])


def changed(value: Value, **to: object) -> Value:
    return Value(**{"name": value.name, "shape": value.shape, "dtype": value.dtype} | to)


def test_a_wrong_shape_is_found() -> None:
    tape, first, second = two_nodes()
    wrong = replace(second, outputs=(changed(second.outputs[0], shape=(2, 4)),))
    with pytest.raises(
        InvalidTape, match=r"Add of conv_1, line 3: .*\(2x4 float32\) should be 2x3"
    ):
        verify(tape.replaced([first, wrong]))


def test_a_wrong_type_is_found() -> None:
    tape, first, second = two_nodes()
    wrong = replace(second, outputs=(changed(second.outputs[0], dtype="float16"),))
    with pytest.raises(InvalidTape, match=r"float16\) should be 2x3 float32"):
        verify(tape.replaced([first, wrong]))


def test_inputs_that_do_not_fit_are_found() -> None:
    tape, first, second = two_nodes()
    other = tape.const(np.ones(4, np.float32))
    with pytest.raises(InvalidTape, match=r"the inputs do not fit: dimensions .* do not"):
        verify(tape.replaced([first, replace(second, inputs=(first.outputs[0], other))]))


def test_an_operator_that_is_unknown_is_found() -> None:
    tape, first, second = two_nodes()
    with pytest.raises(InvalidTape, match="Foo has no entry"):
        verify(tape.replaced([first, replace(second, op="Foo")]))


def test_what_is_read_too_early_is_found() -> None:
    tape, first, second = two_nodes()
    with pytest.raises(InvalidTape, match="is read before it is made"):
        verify(tape.replaced([second, first]))


def test_what_is_made_twice_is_found() -> None:
    tape, first, second = two_nodes()
    with pytest.raises(InvalidTape, match="is made twice"):
        verify(tape.replaced([first, first, second]))


def test_an_output_that_nothing_makes_is_found() -> None:
    tape, first, _ = two_nodes()
    with pytest.raises(InvalidTape, match="output y: nothing makes"):
        verify(tape.replaced([first]))


def test_a_constant_that_is_not_what_it_says_is_found() -> None:
    tape, *_ = two_nodes()
    tape.consts = {value: np.ones(2) for value in tape.consts}
    with pytest.raises(InvalidTape, match=r"const \(3 float32\) holds 2 float64"):
        verify(tape)


def test_the_pass_at_fault_is_named() -> None:
    def spoils(state: State) -> State:
        return replace(state, tape=state.tape.replaced(state.tape.nodes[:1]))

    start = State(tape=two_nodes()[0])
    with pytest.raises(InvalidTape, match=r"^behind spoils:2: output y"):
        run((Pass("spoils", lambda s: s), Pass("spoils", spoils)), start, behind=verified)
