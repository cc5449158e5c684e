"""The estimate of a training step's memory, and that nothing oversized is ever started."""

import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from budget import LONG
from processes import ROOT, run

from cnndsl.api import parse
from cnndsl.backend.pipelines import training_step
from cnndsl.backend.step import StepOptions
from cnndsl.training import memory
from cnndsl.weights.initial import initial_weights

# The published nets, with the largest batch that is quick; micro-batches where they are allowed.
SPECS = {
    "lenet5": (128, 1), "cifar10": (256, 4), "mnist": (128, 1), "resnet8": (128, 1),
    "resnet20": (64, 1), "resnet18_cifar": (32, 1), "vgg11_bn_cifar": (32, 1),
    "mobilenet_v1": (4, 1), "mobilenet_v2": (4, 1), "mobilenet_v3_small": (8, 1),
    "resnet18": (8, 1), "resnet34": (4, 1), "alexnet": (16, 1), "squeezenet1_1": (8, 1),
    "googlenet": (4, 1), "efficientnet_b0": (2, 1), "densenet121": (2, 1), "vgg16": (2, 1),
}  # fmt: skip
GENERATED = 12
SHORT = ["lenet5", "generated 4"]


def generated(seed: int) -> tuple[str, int, int]:
    """A plain net with random widths, kernels and ends; its batch; its micro-batches."""
    draw = random.Random(seed)
    side, width = draw.choice([28, 32, 48, 64]), draw.choice([8, 16, 32, 64])
    norm = draw.choice([" bn", ""])
    lines = [f"input {draw.choice([1, 3])}x{side}x{side}"]
    for _ in range(draw.randint(2, 3)):
        for _ in range(draw.randint(1, 3)):
            kernel, act = draw.choice(["3x3", "3x3", "5x5", "1x1"]), draw.choice(["relu", "gelu"])
            lines.append(f"conv {width} {kernel} same{norm} {act}")
        lines.append(draw.choice(["pool 2", "avgpool 2", f"conv {width} 3x3 /2 same relu"]))
        width *= draw.choice([1, 2])
    lines.append(draw.choice(["gap; flatten", "flatten; dense 256 relu"]))
    return "\n".join([*lines, "dense 10"]), 32 * draw.randint(1, 3), 1 if norm else 2


def jobs() -> list[tuple[str, str, int, int]]:
    made = [(f"generated {seed}", *generated(seed)) for seed in range(GENERATED)]
    kept = [
        (name, (ROOT / "specs" / f"{name}.cnn").read_text(), *how) for name, how in SPECS.items()
    ]
    return [job for job in kept + made if LONG or job[0] in SHORT]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_estimate_is_within_a_fifth(tmp_path: Path, figure: Any) -> None:
    """Beyond an empty process, in a fresh process for each net."""
    ratios = dict[str, float]()
    for name, text, batch, count in jobs():
        spec = tmp_path / "net.cnn"
        spec.write_text(text)
        program = str(Path(__file__).with_name("footprint.py"))
        ended = run([sys.executable, program, str(spec), str(batch), str(count)])
        assert ended.code == 0, f"{name}: {ended.err}"
        estimate, measured = map(float, ended.out.split())
        ratios[name] = estimate / measured
        print(f"{name} x{batch}: {estimate:.0f} of {measured:.0f} MB, {ratios[name]:.2f}")
    values = sorted(ratios.values())
    figure(
        f"memory: estimate over measured peak of {len(values)} nets "
        f"{values[0]:.2f} … {values[len(values) // 2]:.2f} … {values[-1]:.2f}"
    )
    assert {name: ratio for name, ratio in ratios.items() if not 0.8 <= ratio <= 1.2} == {}


UNET = """input 3x256x256
block double(c) { conv c 3x3 same bn relu *2 }
e1: double 16; pool 2; e2: double 32; pool 2; e3: double 64; pool 2; double 128
concat { from e3 | upconv 64 2x2 /2 }; double 64
concat { from e2 | upconv 32 2x2 /2 }; double 32
concat { from e1 | upconv 16 2x2 /2 }; double 16
conv 5 1x1
train { task segmentation; optimizer sgd lr=0.01 momentum=0.9; batch 8 }
"""


def test_the_step_of_a_unet_takes_at_most_half_as_much_again_as_torch() -> None:
    """torch peaks at 1.17 GiB, eager, process and all; see `benchmarks/unet.py`."""
    model = parse(UNET).ir
    assert model.recipe
    recipe = model.recipe.resolved(model.output_shapes()[model.main_output])
    step = training_step(model, recipe, StepOptions(8))
    process = 160 << 20
    assert memory.step_bytes(step, initial_weights(model)) + process < 1.5 * 1.17 * 2**30


# Pictures a step, from a hundred times too many on; the first ones are the most moderate.
OVERSIZED = {
    "resnet18_cifar": 100_000, "vgg11_bn_cifar": 300_000, "cifar10": 2_000_000,
    "resnet8": 500_000, "resnet20": 300_000, "wrn28_10": 50_000, "mnist": 10_000_000,
    "lenet5": 40_000_000, "resnet18_cifar ": 100_000_000, "cifar10 ": 2_000_000_000,
}  # fmt: skip


def test_oversized_jobs_are_refused(figure: Any) -> None:
    """With the estimate and a way out, by a process that takes less than 3 GB itself."""
    for name, batch in list(OVERSIZED.items())[-1 if not LONG else 0 :]:
        spec = ROOT / "specs" / f"{name.strip()}.cnn"
        command = [sys.executable, "-m", "cnndsl", "bench", str(spec), "--batch", str(batch)]
        ended = run(["bash", "-c", 'ulimit -v 12000000; exec "$@"', "-", *command])
        assert ended.code == 2, (name, ended.code, ended.err)
        assert "GiB of memory; " in ended.err, (name, ended.err)
        assert "GiB are free\n  try a smaller batch" in ended.err, (name, ended.err)
        assert ended.peak < 3000, name
    figure(f"oversized jobs: {len(OVERSIZED) if LONG else 1}, all refused with the estimate")


def test_a_run_that_would_not_fit_is_refused(tmp_path: Path) -> None:
    """By `train`, with pictures enough for its batch."""
    count = 20_000
    x, y = np.zeros((count, 3, 32, 32), np.uint8), np.arange(count) % 10
    np.savez(tmp_path / "many.npz", x=x, y=y, x_test=x[:10], y_test=y[:10])
    ended = run([
        sys.executable, "-m", "cnndsl", "train", str(ROOT / "specs" / "resnet18_cifar.cnn"),
        "--data", str(tmp_path / "many.npz"), "--out", str(tmp_path / "run"),
        "--batch", str(count),
    ])  # fmt: skip
    assert ended.code == 2, ended.err
    assert "GiB of memory; " in ended.err, ended.err
    assert "GiB are free\n  try a smaller batch" in ended.err, ended.err
    assert ended.peak < 3000


def test_weights_that_cannot_fit_are_refused_before_they_are_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wide = parse("input 3x32x32\nflatten; dense 10000; dense 10000; dense 10").ir
    monkeypatch.setattr(memory, "free_bytes", lambda: 2**30)
    with pytest.raises(memory.TooLarge, match=r"130,8\d\d,\d+ weights .* GiB.*\n  try a smaller"):
        memory.check_weights(wide)
    monkeypatch.setattr(memory, "free_bytes", lambda: 2**40)
    memory.check_weights(wide)
