"""The order of a step's operators: where the file puts them, and what onnxruntime makes of it."""

import json
from pathlib import Path

import numpy as np
import onnxruntime

from cnndsl.api import parse
from cnndsl.backend.pipelines import training_step
from cnndsl.backend.step import OPSET, Step, StepOptions
from cnndsl.graph.export import export
from cnndsl.graph.passes.node_order import runtime_order
from cnndsl.recipe import Recipe
from cnndsl.weights.initial import initial_weights

SPEC = "input 3x8x8; conv 4 3x3 same bn relu; conv 4 3x3 same bn relu; conv 4 3x3; gap; dense 3"


def step() -> Step:
    return training_step(parse(SPEC).ir, Recipe(), StepOptions(8))


def test_a_layer_is_done_with_before_the_gradient_of_the_one_in_front() -> None:
    """Weights' gradients are not put off to the optimizer, with all that they need still alive."""
    paths = [node.path for node in runtime_order(step().tape) if node.op == "MatMul"]
    for behind, before in (("conv_3", "conv_2"), ("conv_2", "conv_1")):
        last = max(i for i, path in enumerate(paths) if path == f"{behind}.grad")
        assert last < paths.index(f"{before}.grad"), (behind, before)


def test_onnxruntime_runs_a_step_in_the_order_that_we_expect(tmp_path: Path) -> None:
    made = step()
    graph = export(made.tape, "step", OPSET)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.enable_profiling, options.profile_file_prefix = True, str(tmp_path / "run")
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    state = made.initial_state(initial_weights(parse(SPEC).ir))
    feed = {"x": np.zeros((8, 3, 8, 8), np.uint8), "y": np.zeros(8, np.int64), "lr": np.float32(0)}
    feed = {n: np.asarray(a) for n, a in {**state, **feed}.items()}
    session.run(None, {i.name: feed[i.name] for i in session.get_inputs()})
    events = json.loads(Path(session.end_profiling()).read_text())
    ran = [e["name"] for e in events if e["name"].endswith("_kernel_time")]
    names = {id(n): p.name for n, p in zip(made.tape.nodes, graph.graph.node, strict=True)}
    assert ran == [f"{names[id(node)]}_kernel_time" for node in runtime_order(made.tape)]
