"""A CUDA machine in one command, within 8 minutes: what works, whether it is right, how fast it is.

    python benchmarks/cuda.py [NET:BATCH:OPTIMIZER …] [--rounds 3] [--seconds 450]
        [--rivals eager,channels_last,amp,compile]

`doctor`, then for each net inference, ten steps and ten in float16 beside the CPU's in float32,
then steps in both types beside torch's, in turn and in processes of their own; one table.
Without CUDA it says so, and runs the graphs that are written for CUDA on the CPU: right or wrong is
known then, how fast is not.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import replace
from functools import cache
from time import perf_counter

import numpy as np
from train_step import recipe_of
from turns import SPECS, measured, report

CASES = "cifar10:128:adam resnet18_cifar:128:sgd airbench:512:sgd resnet50:32:sgd"
HERE = "cifar10:32:adam resnet18_cifar:16:sgd airbench:16:sgd"  # on the CPU
RIVALS = ("eager", "channels_last", "amp", "compile")
AIRBENCH = """input 3x32x32
conv 24 2x2 valid; silu
block group(c) {
  conv c 3x3 same nobias; pool 2; bn; silu
  conv c 3x3 same nobias; bn; silu
}
group 64; group 256; group 256
pool 3; flatten; dense 10 nobias"""
STEPS = 10
NOISE = {"inference": 1e-2, "steps": 1e-2, "fp16": 5e-2}  # relative: cuDNN may multiply in TF32
OURS = {"ours": {}, "ours fp16": {"precision": "fp16"}}  # programs of ours
GRAPH = {"fp16 graph": {"precision": "fp16", "cuda_graph": True}}  # the same, on CUDA only


@cache
def device():
    """Where all runs: `cuda` if onnxruntime has it, else `cpu`."""
    from cnndsl.runtime.session import CPU, providers

    return "cpu" if providers("auto") == [CPU] else "cuda"


def ours():
    """Our programs by name, with how they make a step."""
    return OURS | (GRAPH if device() == "cuda" else {})


def model_of(name):
    from cnndsl.api import load, parse

    return (parse(AIRBENCH) if name == "airbench" else load(SPECS / f"{name}.cnn")).ir


def stepper_of(case, plan, where, precision=None, cuda_graph=False):
    """A stepper of the case's step, and a feed of its shapes."""
    from cnndsl.backend.pipelines import training_step
    from cnndsl.backend.step import OPSET, StepOptions
    from cnndsl.graph.export import export
    from cnndsl.lower.driver import Plan
    from cnndsl.precision import Precision
    from cnndsl.runtime.steppers.fused import FusedStepper
    from cnndsl.training.compiled import Compiled, sample_feed
    from cnndsl.weights.initial import initial_weights

    name, size, optimizer = case.split(":")
    model = model_of(name)
    options = StepOptions(int(size), plan=Plan(device=plan))
    recipe = replace(recipe_of(optimizer), precision=precision and Precision(precision))
    step = training_step(model, recipe, options)
    state = step.initial_state(initial_weights(model))
    graph = export(step.tape, name, OPSET).SerializeToString()
    stepper = FusedStepper(graph, state, where, cuda_graph=cuda_graph)
    feed = sample_feed(Compiled(step, stepper, options))
    classes = np.arange(options.batch, dtype=feed["y"].dtype) % 10
    return stepper, feed | {"lr": np.array(1e-3, np.float32), "y": classes}


def losses(case, plan, where, precision=None):
    """The losses of ten steps of SGD on one small batch: Adam's first steps amplify rounding."""
    stepper, feed = stepper_of(f"{case.partition(':')[0]}:8:sgd", plan, where, precision)
    found = []
    for _ in range(STEPS):
        stepper.step(feed)
        found.append(stepper.loss)
    return np.array(found)


def answers(case, where):
    """The outputs of the inference graph for one small batch."""
    from cnndsl.backend.artifact import inference_model
    from cnndsl.backend.inference import Options
    from cnndsl.runtime.session import open_session
    from cnndsl.weights.initial import initial_weights

    model = model_of(case.partition(":")[0])
    graph = inference_model(model, initial_weights(model), Options())
    session = open_session(graph.SerializeToString(), where)
    (entry,) = session.get_inputs()
    x = np.random.default_rng(0).random((8, *entry.shape[1:]), np.float32)
    return session.run(None, {entry.name: x})[0]


def apart(ours, theirs):
    """The largest difference, relative to the largest value."""
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def parity(case):
    """How far the device is from the CPU's own graphs: outputs, and losses of ten steps."""
    exact = losses(case, "cpu", "cpu")
    found = {"inference": apart(answers(case, device()), answers(case, "cpu"))}
    found |= {"steps": apart(losses(case, "cuda", device()), exact)}
    print(json.dumps(found | {"fp16": apart(losses(case, "cuda", device(), "fp16"), exact)}))


def work(program, case):
    """One process's part: parity, our step, or a rival's."""
    name, batch, optimizer = case.split(":")
    if program == "parity":
        return parity(case)
    if program in ours():
        stepper, feed = stepper_of(case, "cuda", device(), **ours()[program])
        return report(lambda: (stepper.step(feed), stepper.loss))
    from rivals import torch_step

    return report(torch_step(name, int(batch), optimizer, 2, program, device()))


def command(program, case):
    return [sys.executable, __file__, "--work", program, case]


def compare(case, rivals, rounds, end):
    """Milliseconds a step of each program, in turn, until the rounds or the time are up."""
    found = {program: [] for program in (*ours(), *rivals)}
    for _ in range(rounds):
        for program, times in found.items():
            if perf_counter() > end:
                return found
            result = measured(command(program, case))
            times += [result["ms"]] if result else []
    return found


def shown(times):
    return f"{np.median(times):14.2f}" if times else f"{'-':>14}"


def row(case, agreed, found):
    """One line of the table: how far from the CPU, milliseconds, and torch's over ours.

    That is torch's best in float32 over ours, and its amp over our best in float16.
    """
    apart = [f"{agreed[k]:14.1e}" if agreed else f"{'-':>14}" for k in NOISE]
    exact = [times for p, times in found.items() if p not in (*ours(), "amp")]
    halves = [found[p] for p in ours() if p != "ours" and found[p]]
    half = min(halves, key=np.median, default=[])
    ratios = [ratio(exact, found["ours"]), ratio([found.get("amp", [])], half)]
    return f"{case:<24}{''.join(apart)}{''.join(map(shown, found.values()))}{''.join(ratios)}"


def ratio(rivals, ours):
    """The best of the rivals' medians over ours."""
    best = min((np.median(times) for times in rivals if times), default=None)
    return f"{best / np.median(ours):14.2f}" if best and ours else f"{'-':>14}"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=450)
    parser.add_argument("--rivals", default=",".join(RIVALS))
    parser.add_argument("--work", help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    given = arguments()
    if given.work:
        work(given.work, given.cases[0])
        return 0
    subprocess.run([sys.executable, "-m", "cnndsl", "doctor"], check=False)
    if device() == "cpu":
        print("\nCPU only: the graphs for CUDA run on the CPU; the times are not a GPU's")
    end, rivals = perf_counter() + given.seconds, given.rivals.split(",")
    cases = given.cases or (CASES if device() == "cuda" else HERE).split()
    rows, wrong = [], []
    agreements = {case: measured(command("parity", case)) for case in cases}
    for case, agreed in agreements.items():
        rows.append(row(case, agreed, compare(case, rivals, given.rounds, end)))
        print(rows[-1], flush=True)
        wrong += [case] if not agreed or any(agreed[k] > most for k, most in NOISE.items()) else []
    heads = ("inference", "ten steps", "in fp16", *ours(), *rivals, "torch/ours", "amp/fp16")
    print(f"\n{'relative to the CPU; ms a step':<24}\n{'':<24}"
          f"{''.join(f'{head:>14}' for head in heads)}")  # fmt: skip
    print("\n".join(rows))
    print("\n" + (f"not as on the CPU: {', '.join(wrong)}" if wrong else "all as on the CPU"))
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
