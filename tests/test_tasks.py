"""A task is known from spec and data, and everything else follows it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from running import session

import cnndsl
from cnndsl.cli import main
from cnndsl.data.dataset import Dataset, Split, Targets
from cnndsl.data.formats import shapes_multilabel, shapes_regression, shapes_segmentation
from cnndsl.losses import BinaryCrossEntropy, CrossEntropy, Focal, MeanAbsoluteError
from cnndsl.losses import registry as losses
from cnndsl.recipe import Augment, Recipe, Watch
from cnndsl.source import UserError
from cnndsl.tasks import Task, registry, task_for, task_from
from cnndsl.tasks.multilabel import Multilabel
from cnndsl.tasks.regression import Regression
from cnndsl.training.augment import moved, moved_together
from cnndsl.training.callbacks import Callback
from cnndsl.training.folder import _MADE  # pyright: ignore[reportPrivateUsage]
from cnndsl.training.signals import Interrupted
from cnndsl.training.targets import resolved

pytestmark = pytest.mark.usefixtures("no_plots")

NETS = {
    "multilabel": """input 3x48x48
conv 4 3x3 /2 bn relu; pool 4; dropout 0.2
flatten; dense 6
train { data shapes_multilabel; batch 20; epochs 2; optimizer adam lr=0.01; augment flip mixup=0.2 }
""",
    "regression": """input 3x32x32
conv 4 3x3 /2 bn relu; pool 4; dropout 0.2
flatten; dense 3
train { data shapes_regression; batch 20; epochs 2; optimizer adam lr=0.01; ema 0.9 }
""",
    "segmentation": """input 3x64x64
conv 4 3x3 /2 pad bn relu; dropout 0.2
conv 5 1x1; upsample 2 bilinear
train { data shapes_segmentation; batch 20; epochs 2; optimizer adam lr=0.01; augment flip crop=4 }
""",
}
COLUMNS = {
    "multilabel": ["loss", "binary_accuracy", "val_loss", "val_map", "val_f1_micro",
                   "val_f1_macro"],
    "regression": ["loss", "mae", "val_loss", "val_mae", "val_rmse", "val_r2"],
    "segmentation": ["loss", "pixel_accuracy", "val_loss", "val_miou", "val_dice",
                     "val_pixel_accuracy"],
}  # fmt: skip
ROWS = {"multilabel": 6, "regression": 3, "segmentation": 5}
PLAIN: dict[str, Any] = {"threads": 1, "progress": "none"}
each_task = pytest.mark.parametrize("word", NETS)


@pytest.fixture(autouse=True)
def few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """200 + 50 images."""
    for module in (shapes_multilabel, shapes_regression, shapes_segmentation):
        monkeypatch.setattr(module, "_COUNTS", {"train": (200, 1), "test": (50, 2)})
    monkeypatch.chdir(tmp_path)


def train(word: str, out: str, **more: Any) -> Any:
    return cnndsl.train(cnndsl.parse(NETS[word]), out=out, **PLAIN | more)


def command(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a command prints that succeeds."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        main([str(a) for a in arguments])
    found = capsys.readouterr()
    assert left.value.code == 0, found.err
    return found.out


# A closed world


@pytest.mark.parametrize("word", registry)
def test_a_task_is_whole(word: str) -> None:
    task = registry[word]()
    assert task.kind in losses[task.default_loss].fits
    assert task.rises(task.best) == (task.best.removeprefix("val_") in task.rising)
    assert not task.rises("val_loss")
    assert {*task.files} <= {*_MADE}
    assert task_from(json.loads(json.dumps(task.facts()))) == task


def test_each_loss_fits_a_task_and_one_task_is_the_usual_one() -> None:
    kinds = {cls.kind for cls in registry.values()}
    assert all(cls.fits and cls.fits <= kinds for cls in losses.values())
    assert [cls.word for cls in registry.values() if cls.usual] == ["classification"]


# Which task it is

UNSAID = Recipe()
WHOLE, PARTS = np.array([3.0, 18.0, 40.0]), np.array([0.5, 1.25, 7.0])
CLASSES, LABELS = np.array([0, 1, 2]), np.array([[0, 1, 1], [1, 0, 0], [0, 0, 0]], np.uint8)


def data(y: Targets, names: int | None = None, task: str | None = None) -> Dataset:
    """Three images with their targets, the same for the test."""
    y = y.astype(np.float32) if y.dtype.kind == "f" else y
    count = names or (y.shape[1] if y.ndim == 2 else 1 if y.dtype.kind == "f" else 3)
    split = Split(np.zeros((len(y), 3, 8, 8), np.uint8), y)
    return Dataset("some", split, split, tuple(map(str, range(count))), task)


def learned(y: Targets, outputs: int, recipe: Recipe = UNSAID, **more: Any) -> Recipe:
    model = cnndsl.parse(f"input 3x8x8; gap; dense {outputs}").ir
    return resolved(model, recipe, data(y, **more))[0]


@pytest.mark.parametrize(
    ("y", "outputs", "word", "loss"),
    [
        (CLASSES, 3, "classification", "cross_entropy"),
        (LABELS, 3, "multilabel", "bce"),
        (LABELS.astype(float), 3, "multilabel", "bce"),
        (PARTS, 1, "regression", "mse"),
        (np.stack([PARTS, WHOLE], 1), 2, "regression", "mse"),
    ],
)
def test_targets_tell_the_task(y: Targets, outputs: int, word: str, loss: str) -> None:
    found = learned(y, outputs)
    assert found.task
    assert found.loss
    assert (found.task.word, found.loss.word) == (word, loss)


def test_a_format_and_a_loss_may_tell_the_task() -> None:
    assert isinstance(learned(WHOLE, 1, task="regression").task, Regression)
    assert isinstance(learned(WHOLE, 1, Recipe(loss=MeanAbsoluteError())).task, Regression)
    assert isinstance(learned(CLASSES, 1, Recipe(task=Regression())).task, Regression)


def test_losses_on_class_numbers_keep_their_meaning() -> None:
    for loss in (losses["mse"](), BinaryCrossEntropy()):
        found = learned(CLASSES, 3, Recipe(loss=loss))
        assert found.task == registry["classification"]()
        assert found.loss == loss


@pytest.mark.parametrize(
    ("y", "outputs", "recipe", "told"),
    [
        (WHOLE, 1, Recipe(), "`task classification` or `task regression`"),
        (np.array([[1.0], [0.0]]), 1, Recipe(), "may be classes or labels or numbers"),
        (np.arange(3) * 20, 1, Recipe(), "may be classes or numbers"),
        (CLASSES, 3, Recipe(task=Multilabel()), r"3 classes\n  write `task classification`"),
        (LABELS, 3, Recipe(task=Regression()), "a regression needs numbers; its targets are 3"),
        (PARTS, 1, Recipe(task=registry["classification"]()), "needs one class number"),
        (LABELS, 4, Recipe(), "some has 3 labels, the model 4 outputs\n  end the spec with"),
        (LABELS * 0, 3, Recipe(), "no training image has a label: there is nothing to learn"),
        (LABELS, 3, Recipe(loss=CrossEntropy()), "`cross_entropy` does not learn 3 labels"),
        (LABELS, 3, Recipe(task=Multilabel(), loss=CrossEntropy()), "is not a loss of `task multi"),
        (PARTS, 1, Recipe(loss=Focal()), "`focal` does not learn numbers"),
        (PARTS, 1, Recipe(watch=Watch("val_accuracy")), "no column `val_accuracy` to watch"),
    ],
)
def test_what_does_not_fit_is_told_with_the_way_out(
    y: Targets, outputs: int, recipe: Recipe, told: str
) -> None:
    with pytest.raises(UserError, match=told):
        learned(y, outputs, recipe, names=41 if y.dtype.kind == "i" and y.max() == 40 else None)


def test_a_slip_among_labels_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    y = np.zeros((10, 3), np.float32)
    y[4, 1] = 2
    learned(y, 3, Recipe(task=Regression()))
    assert "0 or 1, but 1 of training image 4 is 2: they are not" in capsys.readouterr().err


def test_a_number_that_is_always_the_same_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    y = np.stack([np.arange(10) / 4, np.full(10, 2.5)], 1).astype(np.float32)
    learned(y, 2, Recipe())
    assert "1 is 2.5 of every training image" in capsys.readouterr().err


def test_a_label_that_no_image_has_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    y = np.eye(10, 3, dtype=np.uint8)
    y[3:, 0], y[:, 1] = 1, 0
    learned(y, 3, Recipe(task=Multilabel()))
    assert "no training image has 1\n" in capsys.readouterr().err


def test_an_output_of_another_rank_is_told_at_its_place() -> None:
    model = cnndsl.parse("input 3x8x8\nconv 4 3x3\n").ir
    with pytest.raises(UserError, match=r"one vector a picture.*\n  .*:2: conv 4 3x3\n"):
        resolved(model, Recipe(task=Multilabel()), data(LABELS))


def test_a_spec_alone_tells_its_task_where_it_can() -> None:
    assert task_for((10,)).word == "classification"
    assert task_for((10,), Focal()).word == "classification"
    assert task_for((10,), MeanAbsoluteError()).word == "regression"


# From data to the deployed file


@each_task
def test_a_run_resumes_evaluates_and_answers(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    whole = train(word, "whole")
    with pytest.raises(Interrupted):
        train(word, "cut", callbacks=[LeaveAt(14)])
    again = cnndsl.resume("cut", progress="none")
    assert [row["val_loss"] for row in again] == [row["val_loss"] for row in whole]
    for name in ("last.safetensors", "best.safetensors"):
        assert Path("cut/weights", name).read_bytes() == Path("whole/weights", name).read_bytes()
    assert [*whole[0]][1:7] == COLUMNS[word]
    measure = registry[word].best
    sign = -1 if registry[word]().rises(measure) else 1
    best = min(whole, key=lambda row: (sign * row[measure], row["val_loss"]))
    scores = json.loads(command(capsys, "eval", "whole", "--json", "--threads", 1))
    for name in COLUMNS[word]:
        if name.startswith("val_"):
            assert scores[name[4:]] == pytest.approx(best[name], abs=2e-5)
    assert str(cnndsl.evaluate("whole")).count("\n") == ROWS[word] + 1


class LeaveAt(Callback):
    def __init__(self, step: int) -> None:
        self.left = step

    def on_step(self, run: Any, loss: float) -> None:
        self.left -= 1
        if not self.left:
            raise Interrupted(130, "")


def answers(model: str, images: Any) -> Any:
    return session(onnx.load(model)).run(None, {"input": images})[0]


def test_a_regression_answers_in_its_units(capsys: pytest.CaptureFixture[str]) -> None:
    train("regression", "run", epochs=6)
    best = "run/weights/best"
    command(capsys, "compile", "run/model.cnn", "--weights", f"{best}.safetensors", "--uint8",
            "-o", "again.onnx")  # fmt: skip
    test = shapes_regression.ShapesRegression().load(Any).splits["test"]()  # pyright: ignore
    images = np.ascontiguousarray(test.x.transpose(0, 2, 3, 1))
    found = answers(f"{best}.onnx", images)
    assert np.array_equal(answers("again.onnx", images), found)
    assert np.abs(found - test.y).mean() < 4
    scores = cnndsl.evaluate("run").as_dict()
    assert np.abs(found - test.y).mean() == pytest.approx(scores["mae"], rel=1e-4)
    worst = cnndsl.evaluate("run", why=True).mistakes[0]
    told = cnndsl.predict(f"{best}.onnx", images[worst.number : worst.number + 1])[0]
    assert worst.said.startswith(f"dots {told['dots']:.4g}  x ")
    assert Path(worst.file).exists()
    (first,) = cnndsl.predict(f"{best}.onnx", images[:1])
    assert dict(first) == pytest.approx(dict(zip(("dots", "x", "y"), found[0], strict=True)))
    np.save("one.npy", images[0])
    said = command(capsys, "run", f"{best}.onnx", "one.npy")
    dots, x, y = found[0]
    assert said == f"one.npy: dots {dots:.4g}  x {x:.4g} px  y {y:.4g} px\n"


def test_labels_above_the_thresholds_of_validation_are_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    train("multilabel", "run")
    (facts,) = [p.value for p in onnx.load("run/weights/best.onnx").metadata_props
                if p.key == "cnndsl_task"]  # fmt: skip
    thresholds = json.loads(facts)["thresholds"]
    scores = cnndsl.evaluate("run").as_dict()
    assert [row["threshold"] for row in scores["per_label"].values()] == thresholds
    test = shapes_multilabel.ShapesMultilabel().load(Any).splits["test"]()  # pyright: ignore
    images = np.ascontiguousarray(test.x[:8].transpose(0, 2, 3, 1))
    chances = 1 / (1 + np.exp(-answers("run/weights/best.onnx", images)))
    np.save("some.npy", images)
    lines = command(capsys, "run", "run/weights/best.onnx", "some.npy", "--json").splitlines()
    for line, row in zip(lines, chances, strict=True):
        told = [label["name"] for label in json.loads(line)["labels"]]
        wanted = [shapes_multilabel.NAMES[i] for i in np.argsort(-row) if row[i] >= thresholds[i]]
        assert told == wanted


def test_other_data_are_measured_by_the_thresholds_of_the_run() -> None:
    """And their labels may come in another order."""
    train("multilabel", "run")
    task = cnndsl.evaluate("run")
    meter = Multilabel((0.9, 0.1)).meter((2,), ("a", "b"))
    meter.add(np.array([[0.0, 0.0]], np.float32), np.array([[1, 1]], np.uint8))
    assert meter.scores(0.0).as_dict()["per_label"]["a"]["recall"] == 0
    moved = Multilabel().reordered(LABELS, [2, 0, 1])
    assert np.array_equal(moved[:, [2, 0, 1]], LABELS)
    assert task.columns().keys() == {"loss", "map", "f1_micro", "f1_macro"}


@pytest.mark.parametrize(
    "facts",
    ["{", "[]", '{"task": "detection"}', '{"task": "multilabel", "thresholds": ["x"]}',
     '{"task": "regression", "std": [NaN]}', '{"task": "multilabel", "thresholds": 3}'],
)  # fmt: skip
def test_metadata_of_no_task_are_told(facts: str) -> None:
    from cnndsl.weights.model_info import info_from_onnx

    with pytest.raises(UserError, match=r"m\.onnx: its metadata cannot be read"):
        info_from_onnx({"cnndsl_task": facts}, "m.onnx")


def test_metadata_for_other_outputs_are_told() -> None:
    model = cnndsl.parse("input 3x8x8; gap; dense 4")
    Path("m.onnx").write_bytes(model.to_onnx(uint8=True).SerializeToString())
    changed = onnx.load("m.onnx")
    changed.metadata_props.add(
        key="cnndsl_task", value='{"task": "multilabel", "thresholds": [0.5]}'
    )
    onnx.save(changed, "m.onnx")
    with pytest.raises(UserError, match="tell of 1 labels, but gives 4 outputs"):
        cnndsl.predict("m.onnx", np.zeros((1, 8, 8, 3), np.uint8))


def test_the_command_takes_the_task_and_a_run_remembers_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("net.cnn").write_text(NETS["regression"])
    options = ("--task", "regression", "--out", "run", "--progress", "none", "--threads", 1)
    said = command(capsys, "train", "net.cnn", *options)
    assert "val_r2" in said
    assert '"task": {"word": "regression"' in Path("run/args.yaml").read_text()
    history = cnndsl.resume("run", epochs=3, force=True, progress="none")
    assert len(history) == 3


def test_a_constant_number_is_learned_as_it_is() -> None:
    y = np.stack([PARTS, np.full(3, 5.0)], 1)
    task = learned(y, 2).task
    assert isinstance(task, Regression)
    assert (task.mean[1], task.std[1]) == (5, 1)


def test_masks_move_with_their_images() -> None:
    """A marked pixel stays on its mark."""
    masks = np.random.default_rng(0).integers(0, 3, (40, 8, 8)).astype(np.uint8)
    images = np.repeat(masks[:, None] * 50, 3, 1)
    mirrored, rng = np.arange(40) % 2 == 0, np.random.default_rng(1)
    x, y = moved_together(images, masks, Augment(True, 3), mirrored, rng)
    assert (x.dtype, y.dtype, y.shape) == (images.dtype, masks.dtype, masks.shape)
    assert np.array_equal(x[:, 1], y * 50)
    assert not np.array_equal(y, masks)
    assert np.array_equal(x, moved(images, Augment(True, 3), mirrored, np.random.default_rng(1)))


def test_a_task_is_one_word_of_the_language(capsys: pytest.CaptureFixture[str]) -> None:
    Path("net.cnn").write_text("input 3x8x8\ngap; dense 3\ntrain { task multi_label }\n")
    with pytest.raises(SystemExit):
        main(["check", "net.cnn"])
    told = capsys.readouterr()
    assert "unknown task `multi_label`" in told.out + told.err
    assert "multilabel" in told.out + told.err


def test_every_task_says_what_it_is() -> None:
    assert all(isinstance(cls(), Task) and cls.__doc__ for cls in registry.values())
