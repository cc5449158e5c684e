"""The memory of a training step in a process of its own: `python footprint.py SPEC BATCH PIECES`.

Prints the estimate and the measured peak in MB, each beyond the process before the step was built.
"""

import gc
import re
import sys
from pathlib import Path

from cnndsl.api import parse
from cnndsl.backend.step import StepOptions
from cnndsl.recipe import Recipe
from cnndsl.training.compiled import Compiled, compile_step, sample_feed
from cnndsl.training.memory import step_bytes
from cnndsl.training.settings import Settings
from cnndsl.weights.initial import initial_weights


def resident(key: str) -> float:
    found = re.search(rf"{key}:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) / 1024


def compiled(text: str, batch: int, micro_batches: int) -> tuple[Compiled, float]:
    """The step, and its estimate, for which it is built twice: that takes memory of its own."""
    model = parse(text).ir
    recipe, weights = model.recipe or Recipe(), initial_weights(model)
    options = StepOptions(batch, micro_batches, soft=bool(recipe.augment.mixup))
    done = compile_step(model, recipe, options, weights, Settings(Path(), threads=2))
    return done, step_bytes(done.step, weights) / 2**20


def main() -> None:
    text, batch, micro_batches = Path(sys.argv[1]).read_text(), int(sys.argv[2]), int(sys.argv[3])
    compiled("input 1x4x4\nflatten; dense 2", 1, 1)  # the runtime itself
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    ready, estimate = compiled(text, batch, micro_batches)
    feed = sample_feed(ready)
    for _ in range(4):
        ready.stepper.step(feed)
    print(f"{estimate:.1f} {resident('VmHWM') - before:.1f}")


if __name__ == "__main__":
    main()
