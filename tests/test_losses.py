"""Losses and schedules agree with PyTorch's."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from running import session
from stepping import Array

from cnndsl import losses, lr_schedules
from cnndsl.graph.export import export
from cnndsl.graph.tape import Tape
from cnndsl.graph.vjp import gradients
from cnndsl.lr_schedules import (
    Constant,
    Cosine,
    Exponential,
    MultiStep,
    OneCycle,
    Plateau,
    Polynomial,
    Restarts,
    Schedule,
    Step,
)
from cnndsl.optim import Sgd
from cnndsl.recipe import Recipe, Watch
from cnndsl.source import UserError
from cnndsl.tasks import registry
from cnndsl.training.progress import Progress, learning_rate

torch = pytest.importorskip("torch")
from torch.nn import functional  # noqa: E402
from torch.optim import lr_scheduler  # noqa: E402

EPOCHS, STEPS = 6, 5  # a run of 30 steps


def loss_and_gradient(loss: losses.Loss, x: Array, q: Array) -> tuple[Array, Array]:
    tape = Tape()
    value = tape.input("x", x.shape, "float64")
    target = tape.input("q", q.shape, "float64")
    tape.outputs["loss"] = total = loss.emit(tape, value, target)
    (tape.outputs["grad"],) = gradients(tape, total, [value])
    found = session(export(tape, "loss", 18)).run(["loss", "grad"], {"x": x, "q": q})
    return found[0], found[1]


CE, BCE = losses.CrossEntropy, losses.BinaryCrossEntropy
LOSSES: dict[str, tuple[losses.Loss, Callable[[Any, Any], Any]]] = {
    "cross entropy": (CE(), functional.cross_entropy),
    "smoothed": (
        CE(smooth=0.1), lambda x, q: functional.cross_entropy(x, q, label_smoothing=0.1),
    ),
    "weighted": (
        CE(smooth=0.1, weights="1 2 0.5 0 3"),
        lambda x, q: functional.cross_entropy(
            x, q, torch.tensor([1, 2, 0.5, 0, 3], dtype=x.dtype), label_smoothing=0.1
        ),
    ),
    "mse": (losses.MeanSquaredError(), functional.mse_loss),
    "bce": (BCE(), functional.binary_cross_entropy_with_logits),
    "bce smoothed": (
        BCE(smooth=0.2),
        lambda x, q: functional.binary_cross_entropy_with_logits(x, 0.8 * q + 0.2 / 5),
    ),
    "bce smoothed labels": (
        BCE(smooth=0.2).for_kind("labels"),
        lambda x, q: functional.binary_cross_entropy_with_logits(x, 0.8 * q + 0.2 / 2),
    ),
    "bce positive": (
        BCE(positive="1 2 0.5 0 3"),
        lambda x, q: functional.binary_cross_entropy_with_logits(
            x, q, pos_weight=torch.tensor([1, 2, 0.5, 0, 3], dtype=x.dtype)
        ),
    ),
    "focal": (losses.Focal(), lambda x, q: torch_focal(x, q, 0.25, 2)),
    "focal steep": (losses.Focal(3.5, 0.6), lambda x, q: torch_focal(x, q, 0.6, 3.5)),
    "focal flat": (losses.Focal(0.0, 0.5), lambda x, q: torch_focal(x, q, 0.5, 0)),
    "mae": (losses.MeanAbsoluteError(), functional.l1_loss),
    "huber": (losses.Huber(), functional.huber_loss),
    "huber far": (losses.Huber(12.5), lambda x, q: functional.huber_loss(x, q, delta=12.5)),
}  # fmt: skip


def torch_focal(x: Any, q: Any, alpha: float, gamma: float) -> Any:
    """torchvision's `sigmoid_focal_loss`, which is not installed for the tests."""
    p = torch.sigmoid(x)
    loss = functional.binary_cross_entropy_with_logits(x, q, reduction="none")
    missed = 1 - (p * q + (1 - p) * (1 - q))
    return ((alpha * q + (1 - alpha) * (1 - q)) * loss * missed**gamma).mean()


@pytest.mark.parametrize("hard", [True, False], ids=["classes", "mixed"])
@pytest.mark.parametrize("name", LOSSES)
def test_losses_and_their_gradients(name: str, hard: bool) -> None:
    loss, reference = LOSSES[name]
    rng = np.random.default_rng(3)
    x = rng.normal(0, 30, (6, 5))  # large: stability counts
    q = np.eye(5)[rng.integers(0, 5, 6)] if hard else rng.dirichlet(np.ones(5), 6)
    input_ = torch.from_numpy(x).requires_grad_()
    wanted = reference(input_, torch.from_numpy(q))
    wanted.backward()
    value, gradient = loss_and_gradient(loss, x, q)
    assert value == pytest.approx(wanted.item(), rel=1e-12)
    np.testing.assert_allclose(gradient, input_.grad.numpy(), atol=1e-13)
    tested = (*LOSSES.values(), *MASK_LOSSES.values())
    assert {type(mine) for mine, _ in tested} == set(losses.registry.values())


def torch_dice(x: Any, y: Any, eps: float = 1.0) -> Any:
    """By its formula, an image and a class at a time."""
    known = y != losses.VOID
    found = list[Any]()
    for p, truth, counts in zip(x.softmax(1), y, known, strict=True):
        for c, chances in enumerate(p):
            chance, here = chances[counts], (truth == c)[counts].to(x.dtype)
            both, sizes = (chance * here).sum(), (chance + here).sum()
            found.append(1 - (2 * both + eps) / (sizes + eps))
    return torch.stack(found).mean()


def torch_ce(x: Any, y: Any, **how: Any) -> Any:
    if "weight" in how:
        how["weight"] = torch.tensor(how["weight"], dtype=x.dtype)
    return functional.cross_entropy(x, y, ignore_index=losses.VOID, **how)


MASK_LOSSES: dict[str, tuple[losses.Loss, Callable[[Any, Any], Any]]] = {
    "cross entropy": (CE(), torch_ce),
    "smoothed": (CE(smooth=0.1), lambda x, y: torch_ce(x, y, label_smoothing=0.1)),
    "weighted": (
        CE(smooth=0.1, weights="1 0 0.3"),
        lambda x, y: torch_ce(x, y, label_smoothing=0.1, weight=[1, 0, 0.3]),
    ),
    "dice": (losses.Dice(), torch_dice),
    "dice of few pixels": (losses.Dice(eps=0.01), lambda x, y: torch_dice(x, y, 0.01)),
    "sum": (
        losses.DiceCrossEntropy(smooth=0.2, weights="2 1 1", eps=3),
        lambda x, y: torch_ce(x, y, label_smoothing=0.2, weight=[2, 1, 1]) + torch_dice(x, y, 3),
    ),
}  # fmt: skip


def mask_loss_and_gradient(
    loss: losses.Loss, x: Array, y: Array, pieces: int = 1
) -> tuple[Array, Array]:
    """As the training step has them, in micro-batches."""
    task, tape = registry["segmentation"](), Tape()
    value = tape.input("x", x.shape, "float64")
    whole = task.targets(tape, len(y), x.shape[1:], False, "float64")
    sizes = tape.ints([len(y) // pieces] * pieces)
    parts = (tape.ops("Split", v, sizes, axis=0, results=pieces) for v in (value, whole))
    each = [
        task.loss(tape, loss, task.output(tape, part), q, whole)
        for part, q in zip(*parts, strict=True)
    ]
    share = tape.scalar(1 / pieces, "float64")
    tape.outputs["loss"] = total = tape.op("Mul", tape.sum(each), share)
    (tape.outputs["grad"],) = gradients(tape, total, [value])
    found = session(export(tape, "loss", 18)).run(["loss", "grad"], {"x": x, "y": y})
    return found[0], found[1]


def masks(case: str) -> Array:
    """Of four images; pixels of 255 are ignored."""
    y = np.random.default_rng(4).integers(0, 3, (4, 5, 6)).astype(np.uint8)
    if case == "ignored":
        y[np.random.default_rng(5).random(y.shape) < 0.3] = losses.VOID
        y[3] = losses.VOID
    elif case == "one pixel":
        y[:] = losses.VOID
        y[2, 1, 3] = 2
    return y


@pytest.mark.parametrize("pieces", [1, 2])
@pytest.mark.parametrize("case", ["all", "ignored", "one pixel"])
@pytest.mark.parametrize("name", MASK_LOSSES)
def test_losses_of_masks_and_their_gradients(name: str, case: str, pieces: int) -> None:
    """Micro-batches have the mean over the pixels of the whole batch."""
    loss, reference = MASK_LOSSES[name]
    x, y = np.random.default_rng(3).normal(0, 5, (4, 3, 5, 6)), masks(case)
    input_ = torch.from_numpy(x).requires_grad_()
    wanted = reference(input_, torch.from_numpy(y.astype(np.int64)))
    wanted.backward()
    value, gradient = mask_loss_and_gradient(loss, x, y, pieces)
    assert value == pytest.approx(wanted.item(), rel=1e-12)
    np.testing.assert_allclose(gradient, input_.grad.numpy(), atol=1e-13)


@pytest.mark.parametrize("name", MASK_LOSSES)
def test_masks_that_are_ignored_as_a_whole_teach_nothing(name: str) -> None:
    x = np.random.default_rng(3).normal(0, 5, (4, 3, 5, 6))
    value, gradient = mask_loss_and_gradient(
        MASK_LOSSES[name][0], x, np.full((4, 5, 6), losses.VOID, np.uint8)
    )
    assert value == pytest.approx(0, abs=1e-15)
    assert not gradient.any()


def test_only_masks_have_pixels_to_ignore() -> None:
    assert CE(ignore=3).for_kind("masks") == CE(ignore=3)
    with pytest.raises(UserError, match="leaves out pixels of masks"):
        CE(ignore=3).for_kind("classes")


def test_a_flat_focal_loss_has_a_gradient_where_outputs_are_sure() -> None:
    """Its slope is infinite at an output that cannot be more right; training would break."""
    x, q = np.array([[0.3, -2.0], [200.0, -200.0]]), np.array([[1.0, 0.0], [1.0, 0.0]])
    value, gradient = loss_and_gradient(losses.Focal(0.5, 0.5), x, q)
    input_ = torch.from_numpy(x[:1]).requires_grad_()
    wanted = torch_focal(input_, torch.from_numpy(q[:1]), 0.5, 0.5)
    wanted.backward()
    assert value == pytest.approx(wanted.item() / 2, rel=1e-5)
    np.testing.assert_allclose(gradient[:1], input_.grad.numpy() / 2, rtol=1e-5)
    assert not gradient[1].any()


def test_balanced_positive_weights_are_those_of_pytorch() -> None:
    """How many images have not the label, for one that has."""
    assert BCE(positive="balanced").fitted([25, 10, 0], 100) == BCE(positive="3 9 1")


def test_balanced_weights_give_every_class_the_same_say() -> None:
    fitted = CE(weights="balanced").fitted([30, 10, 0], 40)
    assert fitted == CE(weights="0.666667 2 0")
    assert CE(weights="1 2").fitted([3, 1], 4) == CE(weights="1 2")


@pytest.mark.parametrize("weights", ["1 2", "1 2 x", "1 2 -3", "balanced"])
def test_weights_that_fit_no_class_are_refused(weights: str) -> None:
    tape = Tape()
    x, q = tape.input("x", (4, 3)), tape.input("q", (4, 3))
    with pytest.raises(UserError, match="write 3 numbers"):
        CE(weights=weights).emit(tape, x, q)


def rates(schedule: Schedule, epochs: int = EPOCHS, steps: int = STEPS) -> list[float]:
    """The learning rate of every step of a run whose rate is 2."""
    recipe = Recipe(optimizer=Sgd(lr=2.0), schedule=schedule, epochs=epochs)
    return [
        learning_rate(recipe, Progress(epoch=epoch), step, steps)
        for epoch in range(epochs)
        for step in range(steps)
    ]


def torch_rates(make: Callable[[Any], Any], count: int = EPOCHS * STEPS) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
    scheduler, found = make(optimizer), list[float]()
    for _ in range(count):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


TOTAL = EPOCHS * STEPS
SCHEDULES: dict[str, tuple[Schedule, Callable[[Any], Any]]] = {
    "constant": (Constant(), lambda o: lr_scheduler.ConstantLR(o, factor=1.0)),
    "step": (Step(every=2, gamma=0.3), lambda o: lr_scheduler.StepLR(o, 2 * STEPS, 0.3)),
    "cosine": (Cosine(), lambda o: lr_scheduler.CosineAnnealingLR(o, TOTAL)),
    "cosine floor": (
        Cosine(floor=0.1), lambda o: lr_scheduler.CosineAnnealingLR(o, TOTAL, eta_min=0.2),
    ),
    "multistep": (
        MultiStep((1.0, 3.0), gamma=0.5),
        lambda o: lr_scheduler.MultiStepLR(o, [STEPS, 3 * STEPS], 0.5),
    ),
    "exponential": (
        Exponential(0.8), lambda o: lr_scheduler.ExponentialLR(o, 0.8 ** (1 / STEPS)),
    ),
    "restarts": (
        Restarts(1.0, growth=2, floor=0.1),
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, STEPS, 2, eta_min=0.2),
    ),
    "polynomial": (Polynomial(2.0), lambda o: lr_scheduler.PolynomialLR(o, TOTAL, 2.0)),
    "line": (Polynomial(), lambda o: lr_scheduler.LinearLR(o, 1.0, 0.0, TOTAL)),
}  # fmt: skip


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name: str) -> None:
    ours, make = SCHEDULES[name]
    assert rates(ours) == pytest.approx(torch_rates(make), rel=1e-9)


@pytest.mark.parametrize(("rise", "start", "final"), [(0.3, 25.0, 1e4), (0.25, 10.0, 100.0)])
def test_one_cycle_is_that_of_pytorch_at_the_same_share_of_its_halves(
    rise: float, start: float, final: float
) -> None:
    """PyTorch ends each half one step earlier, so that its last step has the smallest rate."""
    count = 40
    wanted = torch_rates(
        lambda o: lr_scheduler.OneCycleLR(
            o, 2.0, count, pct_start=rise, div_factor=start, final_div_factor=final
        ),
        count,
    )
    top = rise * count - 1
    ups = [rise * i / top for i in range(count) if i <= top]
    downs = [rise + (1 - rise) * (i - top) / (count - 1 - top) for i in range(len(ups), count)]
    ours = OneCycle(rise, start, final)
    assert [2 * ours.factor(t, 0) for t in ups + downs] == pytest.approx(wanted, rel=1e-9)


def test_every_schedule_is_here() -> None:
    tried = {type(ours) for ours, _ in SCHEDULES.values()} | {OneCycle, Plateau}
    assert tried == set(lr_schedules.registry.values())


def test_one_cycle_rises_and_falls_within_the_run() -> None:
    found = rates(OneCycle(), 10, 10)
    assert found[0] == pytest.approx(2 / 25)
    assert max(found) == found[30] == pytest.approx(2)
    assert found[:31] == sorted(found[:31])
    assert found[30:] == sorted(found[30:], reverse=True)
    assert found[-1] < 0.002


@pytest.mark.parametrize("warmup", [0.5, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("steps", [1, 3, 4])
def test_warm_up_is_a_line_to_the_full_rate(warmup: float, steps: int) -> None:
    found = rates(Constant(warmup), 4, steps)
    wanted = [2 * min(1.0, (i + 1) / (warmup * steps)) for i in range(4 * steps)]
    assert found == pytest.approx(wanted)


def test_warm_up_multiplies_the_schedule() -> None:
    plain, warm = rates(Cosine()), rates(Cosine(warmup=2))
    assert warm[9:] == plain[9:]
    assert warm[4] == pytest.approx(plain[4] / 2)


def test_steps_of_less_than_an_epoch_drop_on_time() -> None:
    found = rates(Step(every=0.1, gamma=0.5), 1, 10)
    assert found == pytest.approx([2 * 0.5**i for i in range(10)])


def row(val_loss: float) -> dict[str, float]:
    return {"val_loss": val_loss, "val_accuracy": 0.5}


def test_a_plateau_multiplies_the_rate_each_time_its_patience_ends() -> None:
    recipe = Recipe(optimizer=Sgd(lr=2.0), schedule=Plateau(gamma=0.1, patience=2))
    progress, found = Progress(), list[float]()
    for val_loss in (1.0, 0.9, 0.95, 0.9, 0.91, 0.92, 0.5, 0.6, 0.6):
        progress.note_epoch(row(val_loss), recipe)
        found.append(learning_rate(recipe, progress, 0, 10))
    assert found == pytest.approx([2, 2, 2, 0.2, 0.2, 0.02, 0.02, 0.02, 0.002])


def test_stopping_early_waits_for_its_patience() -> None:
    recipe, progress, found = Recipe(stop=2), Progress(), list[bool]()
    for val_loss in (1.0, 1.1, 0.9, 0.9, float("nan")):
        progress.note_epoch(row(val_loss), recipe)
        found.append(progress.should_stop(recipe))
    assert found == [False, False, False, False, True]


def better(recipe: Recipe, *rows: tuple[float, float]) -> list[bool]:
    """Whether each epoch, of this loss and accuracy, is the best so far."""
    progress = Progress()
    return [
        progress.note_epoch({"val_loss": loss, "val_accuracy": accuracy}, recipe)
        for loss, accuracy in rows
    ]


def test_the_best_epoch_is_the_first_of_the_highest_accuracy() -> None:
    rows = [(1.0, accuracy) for accuracy in (0.2, 0.5, 0.5, 0.4, 0.6)]
    assert better(Recipe(), *rows) == [True, True, False, False, True]


def test_of_equal_epochs_the_one_with_the_lower_loss_is_the_best() -> None:
    rows = [(1.0, 0.5), (0.9, 0.5), (0.95, 0.5), (0.8, 0.4), (0.85, 0.5)]
    assert better(Recipe(), *rows) == [True, True, False, False, True]


def test_the_best_epoch_is_that_of_the_watched_column() -> None:
    rows = [(1.0, 0.5), (1.1, 0.9), (0.9, 0.1), (float("nan"), 1.0)]
    assert better(Recipe(watch=Watch("val_loss")), *rows) == [True, False, True, False]
    assert better(Recipe(watch=Watch("val_accuracy")), *rows) == [True, True, False, True]
    assert better(Recipe(), (float("nan"), float("nan")), (1.0, 0.1)) == [True, True]


def test_stopping_and_plateaus_wait_for_the_watched_column() -> None:
    """An improvement of no more than `min_delta` is none."""
    recipe = Recipe(
        stop=2, watch=Watch("val_accuracy", 0.05),
        optimizer=Sgd(lr=2.0), schedule=Plateau(gamma=0.1, patience=1),
    )  # fmt: skip
    progress = Progress()
    for accuracy in (0.5, 0.6, 0.64):
        progress.note_epoch({"val_loss": 1.0, "val_accuracy": accuracy}, recipe)
    assert (progress.factor, progress.should_stop(recipe)) == (0.1, False)
    progress.note_epoch({"val_loss": 0.1, "val_accuracy": 0.645}, recipe)
    assert progress.should_stop(recipe)


def test_progress_of_earlier_versions_is_read() -> None:
    rows = [{"val_loss": 1.0, "val_accuracy": 0.5}, {"val_loss": 1.1, "val_accuracy": 0.4}]
    old = {"epoch": 2, "step": 3, "loss": 4.0, "right": 5.0, "seconds": 6.0, "rows": rows,
           "best": 0.5, "waited": 1, "lowest": 1.0, "factor": 0.5}  # fmt: skip
    progress = Progress.from_manifest(old)
    assert progress == Progress(2, 3, 4.0, 5.0, 6.0, rows, 0.5)
    assert progress.waited(Recipe()) == 1
    assert Progress.from_manifest(progress.as_dict()) == progress
