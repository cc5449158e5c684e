"""`cnndsl search`: candidates are proven before they are trained; a study outlives its workers."""

import json
import re
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from math import inf
from pathlib import Path
from shutil import rmtree
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from optuna.trial import TrialState

import cnndsl
from cnndsl.cli import main
from cnndsl.passes.includes import read
from cnndsl.plot.search import Point, front_figure
from cnndsl.study.as_written import as_written
from cnndsl.study.candidate import Rejected, candidate
from cnndsl.study.costs import activation_bytes, estimated_step
from cnndsl.study.figures import importance
from cnndsl.study.folder import StudyFolder
from cnndsl.study.journal import Journal
from cnndsl.study.locks import FileLock
from cnndsl.study.plan import Plan
from cnndsl.study.quiet_room import QuietRoom
from cnndsl.study.results import Study, study, told
from cnndsl.study.search import Effort, begin, go_on
from cnndsl.study.watching import Pruned, Watcher
from cnndsl.study.worker import Worker
from cnndsl.training.run_config import RunConfig

NET = """let width = 4
let k = 3
input 3x8x8
conv width k same bn relu
conv 8 k valid relu
gap; dense 2
train { data "d.npz"; epochs 2; optimizer adam lr=0.01; batch 16 }
"""
SPACE = "search { width 2 to 8; k 1 3 9; keep params < 600 }"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a spec, and two classes of which one is bright on the right."""
    y = np.arange(80) % 2
    x = np.random.default_rng(0).integers(0, 60, (80, 3, 8, 8), dtype=np.uint8)
    x[y == 1, :, :, 4:] += 120
    np.savez(tmp_path / "d.npz", x_train=x[:64], y_train=y[:64], x_test=x[64:], y_test=y[64:])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def plan(space: str = SPACE, *, epochs: int = 2, **options: Any) -> Plan:
    Path("n.cnn").write_text(NET.replace("epochs 2", f"epochs {epochs}") + space)
    return Plan(read(Path("n.cnn")), RunConfig("n.cnn", options.pop("lets", {})), **options)


def searched(space: str = SPACE, **options: Any) -> Study:
    folder, found = begin(Path("s"), plan(space, **options))
    return go_on(folder, found, Effort())


def cli(*arguments: str, code: int = 0) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == code, err.getvalue()
    return out.getvalue(), err.getvalue()


# Candidates


def rejected(values: dict[str, int | float | bool | str], space: str = SPACE) -> Rejected:
    with pytest.raises(Rejected) as found:
        candidate(plan(space), values)
    return found.value


def test_a_candidate_is_a_model_with_its_recipe():
    space = 'search { width 2 to 8; batch 8 16; optimizer "sgd lr=0.2" adam; optimizer lr 0 to 1 }'
    found = candidate(plan(space), {"width": 6, "optimizer": "sgd lr=0.2", "optimizer.lr": 0.5})
    assert found.run.lets == {"width": 6}
    assert found.recipe.setting("optimizer") == "optimizer sgd lr=0.5"
    assert (found.recipe.batch, found.recipe.epochs) == (16, 2)
    assert found.costs["params"] == found.model.params == cnndsl.load("n.cnn", width=6).params


def test_a_candidate_of_an_invalid_shape_is_rejected_with_its_diagnostic():
    found = rejected({"width": 4, "k": 9})
    assert found.reason == "invalid"
    assert found.text == "E201 n.cnn:5:8: kernel 9x9 does not fit a 8x8 input"


def test_a_candidate_beyond_a_bound_is_rejected_by_how_much():
    found = rejected({"width": 8, "k": 3})
    assert found.reason == "params"
    assert found.excess["params < 600"] == pytest.approx(found.costs["params"] / 600 - 1)


@pytest.mark.parametrize(
    ("keep", "text"),
    [
        ("macs < 1k", "macs 17.30 k, not macs < 1k"),
        ("memory < 1k", "memory 2.1 KiB, not memory < 1k"),
        ("step < 1us", "step 0.0268 ms, not step < 1us"),
        ("params > 1M", "params 430, not params > 1M"),
    ],
)
def test_what_can_be_kept(keep: str, text: str):
    found = rejected({"width": 4, "k": 3}, f"search {{ width 2 to 8; keep {keep} }}")
    assert re.sub(r"[\d.]+ ms", "… ms", found.text) == re.sub(r"[\d.]+ ms", "… ms", text)


def test_memory_is_what_inference_holds_at_once():
    # The input (3·64) and what the first convolution gives (4·64): bn and relu work in place.
    model = cnndsl.parse("input 3x8x8; conv 4 3x3 same bn relu; conv 1 8x8 valid").ir
    assert activation_bytes(model) == 4 * (3 + 4) * 64
    # A branch is held until it is added.
    model = cnndsl.parse("input 4x8x8; conv 4 3 same; residual { conv 4 3 same; conv 4 3 same }").ir
    assert activation_bytes(model) == 4 * 3 * 4 * 64


def test_the_estimate_of_a_step_grows_with_the_net():
    small, large = (cnndsl.load("n.cnn", width=w).ir for w in (4, 64)) if plan() else ()
    recipe = plan().recipe
    assert 0 < estimated_step(small, recipe) < estimated_step(large, recipe)


# Studies


def test_a_search_trains_what_is_feasible_and_nothing_else():
    found = searched(trials=12, sampler="random")
    assert len(found.trials) == 12
    assert {"trained", "rejected"} <= found.counts.keys()
    for trial in found.trials:
        assert (trial.state in ("trained", "repeated", "pruned")) == trial.folder.exists()
        assert trial.state != "trained" or trial.costs["params"] < 600
    assert found.reasons["invalid"] == sum(t.params["k"] == 9 for t in found.trials)


def test_the_best_is_a_run_like_any_other():
    found = searched(trials=4, sampler="random")
    assert found.best is not None
    scores = cnndsl.evaluate(found.best.folder)
    assert scores.columns()["accuracy"] == pytest.approx(found.best.metrics["val_accuracy"])
    cli("compile", str(found.best.folder), "-o", "best.onnx")
    assert Path("best.onnx").exists()


def test_many_infeasible_candidates_take_seconds_and_none_is_trained():
    space = "search { width 2 to 200; k 1 to 20; keep params < 700 }"
    start = time.process_time()
    found = searched(space, trials=200, sampler="random", epochs=1)
    assert time.process_time() - start < 20
    infeasible = [t for t in found.trials if t.state == "rejected"]
    assert len(infeasible) > 180
    assert not any(t.folder.exists() for t in infeasible)


def test_the_sampler_is_told_of_bounds_as_constraints():
    space = "search { width 2 to 800; keep params < 2k }"
    found = searched(space, trials=40, epochs=1)
    states = [t.state == "rejected" for t in found.trials]
    assert sum(states[20:]) < sum(states[:20])


def test_what_is_invalid_is_further_away_than_what_is_far_too_large():
    space = "search { k 1 9; width 80 90; keep params < 9; keep macs < 9 }"
    folder, found = begin(Path("s"), plan(space, sampler="grid"))
    ours = Worker(folder, found, inf, lambda trial: None)
    ours.work()
    far = {sum(t.constraints.values()): t.params["k"] for t in ours.study.trials}
    assert [far[distance] for distance in sorted(far)] == [1, 1, 9]


def test_a_grid_is_searched_once_with_its_conditions():
    space = "search { k 1 3; width 2 3  if k == 1; batch 8 16  if k == 3 }"
    found = searched(space, sampler="grid", epochs=1)
    chosen = {tuple(t.params.items()) for t in found.trials}
    assert chosen == {
        (("k", 1), ("width", 2)), (("k", 1), ("width", 3)),
        (("k", 3), ("batch", 8)), (("k", 3), ("batch", 16)),
    }  # fmt: skip
    assert found.counts == {"trained": 4}


def test_the_same_candidate_is_not_trained_twice():
    found = searched("search { width 2 3 }", trials=6, sampler="random")
    assert found.counts == {"trained": 2, "repeated": 4}


def test_random_candidates_depend_on_seed_and_number_alone():
    first = searched(trials=3, sampler="random", seed=5)
    Path("s").rename("other")
    folder, again = begin(Path("s"), plan(trials=2, sampler="random", seed=5))
    go_on(folder, again, Effort())
    longer = StudyFolder(folder.path), plan(trials=3, sampler="random", seed=5)
    found = go_on(*longer, Effort())
    assert [t.params for t in found.trials] == [t.params for t in first.trials]


def test_two_goals_have_a_front():
    found = searched("search { width 2 to 8; goal val_accuracy macs }", trials=4)
    assert found.optuna.directions[1].name == "MINIMIZE"
    front = [(t.metrics["val_accuracy"], t.costs["macs"]) for t in found.front]
    assert front == sorted(front, reverse=True)
    assert found.front[0] == found.best


def test_a_trial_that_diverges_is_told_and_the_search_goes_on():
    found = searched('search { optimizer "sgd lr=1e38" "sgd lr=0.1" }', sampler="grid")
    assert found.counts == {"failed": 1, "trained": 1}


def test_a_goal_that_the_data_do_not_define_is_told():
    data = dict(np.load("d.npz"))
    data |= {"y_train": data["y_train"] + 0.5, "y_test": np.ones(16, np.float32)}
    model = cnndsl.parse("let w = 2\ninput 3x8x8; conv w 3 relu; gap; dense 1")
    vary = ["w 2 3", "goal val_r2"]
    with pytest.raises(cnndsl.UserError, match="such as: val_r2 is not defined on these data"):
        cnndsl.search(model, data, vary=vary, trials=1, out="s", epochs=1, task="regression")


def test_a_trial_behind_the_median_of_the_others_is_pruned():
    folder, found = begin(Path("s"), plan())
    ours = Worker(folder, found, inf, lambda trial: None).study
    for _ in range(5):
        good = ours.ask()
        good.report(0.9, 2)
        ours.tell(good, 0.9)
    watcher = Watcher(ours.ask(), found, inf, QuietRoom(folder.path))
    run = SimpleNamespace(progress=SimpleNamespace(is_over=lambda recipe: False), recipe=None)
    watcher.on_epoch(run, {"epoch": 2, "val_accuracy": 0.95})
    last = ours.ask()
    watcher = Watcher(last, found, inf, QuietRoom(folder.path))
    with pytest.raises(Pruned):
        watcher.on_epoch(run, {"epoch": 2, "val_accuracy": 0.1})
    ours.tell(last, state=TrialState.PRUNED)
    line = told(study(folder, found, ours).trials[-1], found.goals)
    assert line.startswith("trial 6    pruned at epoch 2 with 0.1000")


def test_the_time_of_a_step_is_measured():
    found = searched("search { width 2 3; keep step < 9s }", trials=1)
    assert 0 < found.trials[0].costs["step"] < 9


def test_who_measures_is_alone(tmp_path: Path):
    room, other = QuietRoom(tmp_path), QuietRoom(tmp_path)
    with room.busy(), other.busy():
        assert not FileLock(tmp_path / "room").acquire(wait=False)
    with room.alone():
        assert not FileLock(tmp_path / "door").acquire(shared=True, wait=False)
    with FileLock(tmp_path / "room") as free:
        assert free


def test_a_search_ends_when_its_time_is_over_and_goes_on_later():
    folder, found = begin(Path("s"), plan("search { width 2 3 }", epochs=3, trials=1))
    first = go_on(folder, found, Effort(timeout=0.01))
    assert not first.trained
    assert go_on(folder, found, Effort()).counts == {"trained": 1}


@pytest.mark.parametrize(
    ("space", "own"),
    [
        ("width 2 to 8 step=2; k 1 3; share 0 to 1", {"width": 4, "k": 3, "share": 1}),
        ("batch 8 16; epochs 2 to 4; lr 1e-3 to 1 log",
         {"batch": 16, "epochs": 2, "optimizer.lr": 0.01}),
        ('optimizer sgd "adam beta1=0.8" adam; lr 0.01 0.1; optimizer momentum 0 to 0.9',
         {"optimizer": "adam", "optimizer.lr": 0.01}),
        ("k 1 3; width 2 to 8  if k > 3", {"k": 3}),
        ("width 2 to 8; k 1 5", {}),  # 3 is none of them
        ("width 2 to 7 step=5", {}),
        ("optimizer sgd adamw", {}),
        ("clip 1 2", {}),
    ],
)  # fmt: skip
def test_what_the_spec_itself_has_of_a_space(space: str, own: dict[str, object]):
    text = "let share = 1\n" * ("share" in space) + f"search {{ {space} }}"
    assert as_written(plan(text)) == own


@pytest.mark.parametrize(("sampler", "is_first"), [("tpe", True), ("random", False)])
def test_a_sampler_that_learns_begins_with_the_spec_as_it_is_written(sampler: str, is_first: bool):
    found = searched("search { width 2 to 90; lr 1e-4 to 1 log }", trials=2, sampler=sampler)
    own = {"width": 4, "optimizer.lr": 0.01}
    assert [t.params == own for t in found.trials] == [is_first, False]


# Going on


def test_a_trial_of_a_dead_worker_is_taken_up_from_its_checkpoint():
    folder, found = begin(Path("s"), plan("search { width 2 3 }", trials=1))
    worker = subprocess.Popen(
        [sys.executable, "-m", "cnndsl", "search", "s", "--resume"], stderr=subprocess.DEVNULL
    )  # fmt: skip
    wait_for(lambda: folder.trial(0).joinpath("checkpoints").exists())
    worker.kill()
    worker.wait(20)
    done = go_on(folder, found, Effort())
    assert done.counts == {"trained": 1}


def wait_for(ready: object) -> None:
    end = time.monotonic() + 60
    while not ready():  # pyright: ignore[reportCallIssue]
        assert time.monotonic() < end
        time.sleep(0.01)


def test_four_workers_on_one_journal_lose_no_trial_and_do_none_twice_though_one_is_killed():
    folder, found = begin(Path("s"), plan("search { width 2 to 400 }", trials=6, sampler="random"))
    call = [sys.executable, "-m", "cnndsl", "search", "s", "--resume", "--threads", "1"]
    workers = [subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
               for _ in range(4)]  # fmt: skip
    wait_for(lambda: folder.path.joinpath("trials").exists())
    workers[0].send_signal(signal.SIGKILL)
    codes = [worker.wait(100) for worker in workers]
    assert codes[1:] == [0, 0, 0]
    done = go_on(folder, found, Effort())  # where the last was killed
    assert [t.number for t in done.trials] == list(range(6))
    assert done.counts.keys() <= {"trained", "repeated", "pruned"}
    for trial in (t for t in done.trials if t.state == "trained"):
        rows = trial.folder.joinpath("results.csv").read_text().splitlines()
        assert [row.split(",")[0] for row in rows] == ["epoch", "1", "2"]


def test_half_a_line_of_a_broken_machine_is_cut_off():
    journal = Journal(Path("study.journal"))
    journal.append_logs([{"a": 1}])
    with Path("study.journal").open("a") as file:
        file.write('{"b":')
    journal.append_logs([{"c": 2}])
    assert list(journal.read_logs(0)) == [{"a": 1}, {"c": 2}]


def test_a_journal_that_is_damaged_or_of_another_space_is_told():
    folder, found = begin(Path("s"), plan("search { width 2 3 }", trials=1))
    study(folder, found)
    lines = folder.journal.read_bytes()
    folder.journal.write_bytes(lines.replace(b"{", b"", 1))
    assert "a line of it cannot be read" in cli("search", "s", "--show", code=2)[1]
    for record in (b'{"op_code":99}', b'{"op_code":4}', b"[]"):
        folder.journal.write_bytes(lines + record + b"\n")
        assert "a line of it cannot be read" in cli("search", "s", "--show", code=2)[1]
    folder.journal.write_bytes(lines)
    Path("s/model.cnn").write_text(NET + "search { width 2 4 }")
    assert "s/study.journal is of another spec" in cli("search", "s", "--resume", code=2)[1]


def test_more_trials_go_on_with_a_study():
    plan()
    cli("search", "n.cnn", "--trials", "2", "--out", "s", "--sampler", "random")
    out, _ = cli("search", "s", "--resume", "--trials", "3")
    assert out.startswith("3 trials: ")
    out, _ = cli("search", "n.cnn", "--resume", "s")  # nothing is left to do
    assert out.startswith("3 trials: ")
    shown, _ = cli("search", "s", "--show", "--json")
    assert len(json.loads(shown)["trials"]) == 3


# Results


def test_a_search_ends_with_a_table_and_pictures():
    plan("search { width 2 to 5; k 1 3  if width > 3 }")
    given = ("--trials", "5", "--sampler", "random", "--out", "s", "--batch", "16")
    out, said = cli("search", "n.cnn", *given)
    assert all(len(line) <= 80 or line.startswith("  cnndsl") for line in out.splitlines())
    advised = re.search(r"cnndsl (compile s/trials/.*)", out)
    assert advised
    assert cli(*advised[1].split())
    assert Path("best.onnx").exists()
    assert re.search(r"cnndsl train n.cnn --set width=\d.* --batch 16\n", out)
    assert said.startswith("study  s\ntrial 0")
    for name in ("pareto", "importance", "parallel"):
        assert Path(f"s/{name}.png").read_bytes().startswith(b"\x89PNG")
        assert ElementTree.parse(f"s/{name}.svg").getroot().tag.endswith("svg")


def test_the_front_tells_millions():
    points = [Point("0", 9e6, 0.5, True), Point("1", 12e6, 0.6, True)]
    figure = front_figure(points, "MACs", "val_accuracy")
    texts = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert "10 M" in texts


def test_tensorboard_has_a_table_of_what_was_chosen():
    found = searched("search { width 3 4 }", trials=1)
    assert found.best is not None
    (events,) = found.best.folder.glob("events.*.hparams")
    assert all(word in events.read_bytes() for word in (b"width", b"val_accuracy", b"hparams"))


def test_importance_is_of_what_decides():
    found = searched('search { optimizer "adam lr=0.03" "sgd lr=1e-9"; seed 0 1 2 }',
                     sampler="grid", pruner="none")  # fmt: skip
    shares = importance(found)
    assert sum(shares.values()) == pytest.approx(1)
    assert next(iter(shares)) == "optimizer"


def test_a_search_in_python():
    plan("")
    model = cnndsl.load("n.cnn", k=3)
    found = cnndsl.search(model, vary=["width 2 3", "k 1 3"], trials=2, out="s", epochs=1)
    assert all(t.params.keys() == {"width"} for t in found.trials)  # `k` is set
    assert found.best is not None
    assert cnndsl.evaluate(found.best.folder).loss > 0
    assert len(found.optuna.trials) == 2
    assert "2 trials" in repr(found)
    more = cnndsl.search(resume="s", trials=4)
    assert len(more.trials) == 4


def test_a_search_of_arrays_in_python():
    data = dict(np.load("d.npz"))
    model = cnndsl.parse("let width = 2\ninput 3x8x8; conv width 3 relu; gap; dense 2")
    found = cnndsl.search(model, data, vary="width 2 3", trials=1, out="s", epochs=1)
    assert found.counts == {"trained": 1}
    with pytest.raises(cnndsl.UserError, match="workers: processes read their data from files"):
        cnndsl.search(model, data, vary="width 2 3", workers=2, out="t")


def test_python_tells_what_it_takes():
    with pytest.raises(TypeError, match="takes a model"):
        cnndsl.search("n.cnn")  # pyright: ignore[reportArgumentType]
    plan()
    with pytest.raises(cnndsl.UserError, match="sampler: 'cma' is none of tpe"):
        cnndsl.search(cnndsl.load("n.cnn"), sampler="cma")


# What is refused


@pytest.mark.parametrize(
    ("space", "options", "message"),
    [
        ("", {}, "nothing is varied"),
        ("search { keep params < 5 }", {}, "nothing is varied"),
        (SPACE, {"lets": {"width": 3, "k": 3}}, "nothing is varied"),
        ("search { width 2 3; goal val_accuracy macs }", {"pruner": "median"},
         "--pruner median: with two goals"),
        ("search { width 2 3 }", {"sampler": "nsga2"}, "is for two goals"),
        ("search { lr 0.1 to 1 }", {"sampler": "grid"}, "`optimizer.lr`: a grid needs values"),
        ("search { width 2 3; goal val_miou }", {}, "has no column `val_miou`"),
    ],
)  # fmt: skip
def test_a_search_that_cannot_be_is_refused(space: str, options: dict[str, object], message: str):
    with pytest.raises(cnndsl.UserError, match=re.escape(message)):
        begin(Path("s"), plan(space, **options))
    assert not Path("s").exists()


@pytest.mark.parametrize("varied", ["lr 1e-3 to 0.03 log", "lr 0.1 to 1"])
def test_a_grid_over_a_range_names_values_that_it_takes(varied: str):
    with pytest.raises(cnndsl.UserError) as found:
        begin(Path("s"), plan(f"search {{ {varied} }}", sampler="grid"))
    advised = re.search("such as `(.*?)`", str(found.value))
    assert advised
    assert plan(f"search {{ {advised[1]} }}", sampler="grid").count == 3


def test_where_nothing_is_feasible_that_is_said():
    with pytest.raises(cnndsl.UserError, match="all 5 candidates are rejected") as found:
        searched("search { width 2 to 8; keep params < 5 }", trials=5)
    assert "params 5; such as: params" in str(found.value)


def test_where_every_candidate_fails_that_is_said():
    with pytest.raises(cnndsl.UserError, match="nothing could be trained: 2 trials: 2 failed") as f:
        searched("search { batch 100 200 }", trials=2)
    assert "64 training pictures can fill no batch of" in str(f.value)


def test_a_device_that_is_not_there_is_told_before_a_study_is_begun():
    plan()
    with pytest.raises(cnndsl.UserError, match="'gpu' is none of auto, cpu, cuda"):
        cnndsl.search(cnndsl.load("n.cnn"), device="gpu", out="s")
    assert not Path("s").exists()


def test_a_study_whose_runs_are_gone_is_shown():
    plan()
    cli("search", "n.cnn", "--trials", "1", "--out", "s", "--epochs", "1")
    rmtree("s/trials")
    out, _ = cli("search", "s", "--show")
    assert "best: trial 0, s/trials/0000\n  its run is not there any more\n" in out


def test_a_study_of_another_spec_is_refused():
    plan()
    cli("search", "n.cnn", "--trials", "1", "--out", "s")
    Path("other.cnn").write_text(Path("n.cnn").read_text().replace("8 k", "9 k"))
    _, said = cli("search", "other.cnn", "--resume", "s", code=2)
    assert "s is a study of another spec than other.cnn" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give a spec to search"),
        (("n.cnn", "--show"), "--show takes the folder of a study"),
        (("nothing", "--resume"), "nothing is not a study"),
        (("n.cnn", "--timeout", "30"), "write 30m, 1h30m or 90s"),
        (("n.cnn", "--vary", "widht 2 3"), "did you mean `width`?"),
        (("n.cnn", "--vary", "width 2 3", "--vary", "width 4 5"), "`width` is varied twice"),
    ],
)
def test_bad_calls_are_one_clear_error(arguments: tuple[str, ...], message: str):
    plan()
    code = 1 if "--vary" in arguments else 2
    assert message in cli("search", *arguments, code=code)[1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"vary": 3}, "vary: a text or several, not 3"),
        ({"vary": ["width 2 3", 4]}, "vary: a text, not 4"),
        ({"workers": 0}, "workers: at least 1, not 0"),
        ({"timeout": -1}, "timeout: at least 0, not -1"),
    ],
)
def test_arguments_of_another_kind_are_one_clear_error(given: dict[str, Any], message: str):
    with pytest.raises(cnndsl.UserError, match=message):
        cnndsl.search(cnndsl.parse(NET), **given)


def test_no_more_workers_than_trials():
    assert Effort(workers=99).for_trials(plan(trials=2).most_trials).workers == 2


def test_without_optuna_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(cnndsl.UserError, match=re.escape("pip install optuna")):
        begin(Path("s"), plan())


def test_the_journal_can_be_read_while_others_work():
    folder, found = begin(Path("s"), plan(trials=2))
    assert study(folder, found).trials == ()
