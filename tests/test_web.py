"""`cnndsl compile --web`: what the page is made of, and what it does in a browser."""

import json
import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import running
from browser import Launch, chromium, node_package, served
from PIL import Image
from running import random_array, session
from safetensors.numpy import load_file

import cnndsl
from cnndsl.backend.artifact import step_model
from cnndsl.backend.step import StepOptions
from cnndsl.cli import main
from cnndsl.files import CannotWrite
from cnndsl.graph.ops import operators
from cnndsl.losses import CrossEntropy
from cnndsl.recipe import Recipe
from cnndsl.runtime.predict import open_predictor
from cnndsl.tasks.binary import Binary
from cnndsl.tasks.multilabel import Multilabel
from cnndsl.tasks.regression import Regression
from cnndsl.tasks.segmentation import Segmentation
from cnndsl.web import page as web_page
from cnndsl.weights.initial import initial_weights
from cnndsl.weights.model_info import ModelInfo
from cnndsl.weights.safetensors import pack_weights

SPEC = "input 3x24x32\nconv 8 3x3 same relu; pool 2\nconv 8 3x3 relu; gap; dense 4\n"
LOOK = ("--mean", "0.5,0.4,0.3", "--std", "0.2,0.3,0.25", "--classes", "oak,elm,ash,<yew>")
CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(a) for a in arguments])
    assert isinstance(left.value.code, int)
    return left.value.code


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.cnn").write_text(SPEC)


# The folder


def test_a_page_is_html_style_and_scripts_a_model_and_its_settings() -> None:
    assert run("compile", "net.cnn", *LOOK, "--web", "-o", "page") == 0
    found = {path.name for path in Path("page").iterdir()}
    assert found == {"index.html", "scripts", "style.css", "model.json", "model.onnx"}
    assert "app.js" in {path.name for path in Path("page/scripts").iterdir()}
    told = json.loads(Path("page/model.json").read_text())
    assert told["runtime"].startswith("https://")
    assert told["input"] == [3, 24, 32]
    assert told["mean"] == [0.5, 0.4, 0.3]
    assert told["model"]["classes"] == ["oak", "elm", "ash", "<yew>"]
    assert run("compile", "net.cnn", "--web", "-o", "page", "--runtime", "https://a.example/o") == 0
    assert json.loads(Path("page/model.json").read_text())["runtime"] == "https://a.example/o/"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--web", "-o", "full"), "full holds other files, and is not a page of cnndsl"),
        (("--web", "-o", "net.cnn"), "net.cnn is used by this command besides"),
        (("--web", "-o", "full/notes.txt"), "full/notes.txt is a file; a page is a folder"),
        (("--web", "-o", "p", "--runtime", "full"), "npm install onnxruntime-web"),
        (("--web", "-o", "p", "--uint8"), "--uint8 says nothing to a page"),
        (("--web", "-o", "p", "--optimize", "cpu"), "--optimize says nothing to a page"),
        (("-o", "p.onnx", "--runtime", "full"), "--runtime is where a page of --web finds"),
        (("--web", "-o", "p", "--classes", "a,b"), "2 names for 4 outputs"),
    ],
)
def test_what_makes_no_page(
    given: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("full").mkdir()
    Path("full/notes.txt").write_text("mine")
    assert run("compile", "net.cnn", *given) == 2
    assert told in capsys.readouterr().err
    assert sorted(p.name for p in Path().rglob("*")) == ["full", "net.cnn", "notes.txt"]


def test_a_folder_is_whole_or_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        raise CannotWrite(path, OSError(28, "No space left on device"))

    monkeypatch.setattr(web_page, "write_whole", full)
    assert run("compile", "net.cnn", "--web", "-o", "deep/page") == 2
    assert [path.name for path in Path("deep").iterdir()] == []


@pytest.mark.parametrize(
    "spec", ["input 12; dense 4", "input 2x8x8; gap; dense 4", "input 3x8x8; conv 4 3x3 same"]
)
def test_a_page_shows_images_to_a_task_that_it_knows(spec: str) -> None:
    Path("other.cnn").write_text(spec)
    is_known = "conv" in spec  # a map is a segmentation
    assert run("compile", "other.cnn", "--web", "-o", "page") == (0 if is_known else 2)
    assert Path("page").exists() == is_known


# Training in the page: what Python writes


NETS = {
    "whole": "input 1x16x16\nconv 8 3x3 same bn relu; pool 2\nconv 8 3x3 relu; gap; dropout 0.1\n"
    "dense 4\ntrain { optimizer adam lr=0.01 }\n",
    "head": "input 1x16x16\nconv 4 3x3 relu; gap; dense 4\n",
}
EDGES = np.array([[1, 2, 1], [0, 0, 0], [-1, -2, -1]], np.float32)


def page_that_learns(kind: str, folder: Path, *options: object) -> dict[str, Any]:
    """The settings of a page that trains; of a head, the body has weights."""
    spec = folder / f"{kind}.cnn"
    spec.write_text(NETS[kind])
    weights = folder / "body.safetensors"
    drawn = initial_weights(cnndsl.load(spec).ir)
    if kind == "head":
        drawn["conv_1.weight"] = np.stack([EDGES, -EDGES, EDGES.T, -EDGES.T])[:, None]
    weights.write_bytes(pack_weights(drawn))
    given = ("--weights", weights) if kind == "head" else ()
    assert run("compile", spec, *given, "--web", "--train", "-o", folder / "page", *options) == 0
    return json.loads((folder / "page" / "model.json").read_text())


def graphs(folder: Path) -> dict[str, Any]:
    return {path.stem: onnx.load(path) for path in (folder / "page").glob("*.onnx")}


@pytest.mark.parametrize("kind", NETS)
def test_a_page_that_learns_has_a_step_for_each_number_of_classes(
    kind: str, tmp_path: Path
) -> None:
    told = page_that_learns(kind, tmp_path)
    found, learn = graphs(tmp_path), told["learn"]
    assert set(learn["lessons"]) == {str(n) for n in range(2, 11)}
    for count, lesson in learn["lessons"].items():
        assert cnndsl.parse(lesson["spec"]).ir.output_shapes() == {"output": (int(count),)}
        fed = {i.name for i in found[f"step-{count}"].graph.input}
        state = {
            name
            for tensor, kept in lesson["state"].items()
            for name in (tensor, *(f"{tensor}.{slot}" for slot in kept["slots"]))
        }
        assert fed == {"x", "y", "lr", "step", *lesson["randoms"], *state}
    assert ("body" in found) == ("model" in found) == ("model" in told) == (kind == "head")
    first = found["step-2"].graph.input[0]
    assert (first.name, first.type.tensor_type.elem_type) == ("x", onnx.TensorProto.FLOAT)


def test_a_head_on_the_features_of_its_body_is_the_net(tmp_path: Path) -> None:
    page_that_learns("head", tmp_path)
    found, x = graphs(tmp_path), random_array(3, 1, 16, 16)
    features = running.run(found["body"], x)["features"]
    tensors = load_file(tmp_path / "body.safetensors")
    ready = session(found["answer"])
    ten = {"dense_1.weight": np.zeros((10, 4), "f4"), "dense_1.bias": np.zeros(10, "f4")}
    for name, whole in ten.items():
        whole[:4] = tensors[name]
    (out,) = ready.run(None, {"input": features, **ten})
    assert out[:, :4] == pytest.approx(running.run(found["model"], x)["output"], abs=1e-5)


def test_a_step_of_floats_is_the_step_of_their_pixels() -> None:
    model, recipe = cnndsl.parse(NETS["whole"]).ir, Recipe(loss=CrossEntropy())
    weights = initial_weights(model)
    pixels = np.random.default_rng(3).integers(0, 256, (5, 1, 16, 16), np.uint8)
    rest = {"y": np.arange(5) % 4, "lr": np.array(0.1, "f4")}
    options = StepOptions(5, mean=(0.4,), std=(0.3,))
    bytes_, floats = (step_model(model, recipe, o, weights)
                      for o in (options, replace(options, floats=True)))  # fmt: skip
    random = {i.name: tuple(d.dim_value for d in i.type.tensor_type.shape.dim)
              for i in floats.graph.input if i.name.startswith("random")}  # fmt: skip
    rest |= {name: random_array(*shape) % 1 for name, shape in random.items()}
    x = ((pixels / 255 - 0.4) / 0.3).astype(np.float32)
    told = [session(m).run(["loss"], {"x": given, **rest})
            for m, given in ((bytes_, pixels), (floats, x))]  # fmt: skip
    assert told[0][0] == pytest.approx(told[1][0], rel=1e-5)


@pytest.mark.parametrize(
    ("spec", "options", "told"),
    [
        ("input 3x8x8; conv 4 3x3 same", (), "not `task segmentation`"),
        ("input 3x8x8; gap; dense 2\ntrain { task multilabel }", (), "not `task multilabel`"),
        ("input 12; dense 4", (), "a page shows images of 1 or 3 channels"),
        (
            "input 3x8x8; conv 4 3x3 groups=1; gap",
            ("--train=split",),
            "a page trains by whole steps",
        ),
        ("input 3x8x8; gap", (), "the last layer does not take"),
        (SPEC, ("--batch", "0"), "--batch"),
    ],
)
def test_what_a_page_cannot_learn(
    spec: str, options: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("other.cnn").write_text(spec)
    assert run("compile", "other.cnn", "--web", "--train", *options, "-o", "page") == 2
    assert told in capsys.readouterr().err
    assert not Path("page").exists()


# In a browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Path, str]]:
    """A page with its own runtime, its folder and its address."""
    runtime, folder = node_package("onnxruntime-web"), tmp_path_factory.mktemp("site")
    (folder / "net.cnn").write_text(SPEC)
    page = ("--web", "-o", folder / "page", "--runtime", runtime)
    assert run("compile", folder / "net.cnn", *LOOK, *page) == 0
    with served(folder / "page") as address:
        yield folder / "page", address


@pytest.fixture(scope="module")
def launch() -> Generator[Launch]:
    with chromium() as start:
        yield start


@pytest.fixture(scope="module")
def browser(launch: Launch) -> Generator[Any]:
    found = launch(*CAMERA)
    yield found
    found.close()


@contextmanager
def watched(browser: Any) -> Generator[Any]:
    """A tab of a phone's width; what it says to the console is not an error."""
    page, errors = browser.new_page(viewport={"width": 390, "height": 800}), list[str]()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    yield page
    page.close()
    assert errors == []


@pytest.fixture
def opened(browser: Any, site: tuple[Path, str]) -> Generator[Any]:
    """The page that answers."""
    with watched(browser) as page:
        page.goto(site[1])
        page.wait_for_selector("main:not([hidden])")
        yield page


def test_the_page_knows_what_webgpu_lacks() -> None:
    table = (node_package("onnxruntime-web") / "docs" / "webgpu-operators.md").read_text()
    ours = {name for name in operators() if onnx.defs.has(name)}
    lacking = ours - set(re.findall(r"^\| (\w+) \|", table, re.MULTILINE))
    runtime = Path(web_page.__file__).parent / "static" / "scripts" / "runtime.js"
    script = runtime.read_text(encoding="utf-8")
    (listed,) = re.findall(r'ON_CPU = new Set\(\s*"([^"]*)"', script)
    assert set(listed.split()) == lacking


def files() -> list[Path]:
    """Pictures with colours and gray, larger and smaller than the net's, turned, transparent."""
    pixels = np.random.default_rng(0).integers(0, 256, (61, 97, 4), np.uint8)
    smooth = Image.fromarray(pixels[:12, :18, :3]).resize((333, 217), 3)
    turned = Image.Exif()
    turned[0x0112] = 6
    smooth.save("wide.jpg", quality=92, exif=turned)
    smooth.convert("L").save("gray.png")
    Image.fromarray(pixels[..., :3]).save("noise.png")
    Image.fromarray(pixels[:24, :32, :3]).save("same.png")
    Image.fromarray(pixels[:5, :9, :3]).save("small.png")
    pixels[..., 3] = np.where(pixels[..., 3] > 128, 255, 0)
    Image.fromarray(pixels).save("clear.png")
    return sorted(p for p in Path().iterdir() if p.suffix in (".png", ".jpg"))


def answers(page: Any) -> dict[str, float]:
    rows = page.query_selector_all("#classify .answers li")
    return {row.query_selector(".name").inner_text(): float(row.get_attribute("data-value"))
            for row in rows}  # fmt: skip


def test_it_answers_as_run_does(opened: Any, site: tuple[Path, str]) -> None:
    predictor = open_predictor(site[0] / "model.onnx")
    for file in files():
        opened.set_input_files("#classify input", file)
        (expected,) = predictor.answers(predictor.picture(file), 4)
        first = expected.record["top"][0]
        opened.wait_for_function(
            "v => Math.abs(document.querySelector('.answers li')?.dataset.value - v) < 1e-4",
            arg=first["probability"],
            timeout=10_000,
        )
        wanted = {row["name"]: row["probability"] for row in expected.record["top"]}
        assert answers(opened) == pytest.approx(wanted, abs=1e-4), file


TASKS = {
    "binary": ("gap; dense 1", Binary(0.3)),
    "multilabel": ("gap; dense 3", Multilabel((0.2, 0.5, 0.9))),
    "regression": ("gap; dense 3", Regression((1.0, 20.0, -3.0), (0.5, 4.0, 1.0), ("cm", "", "°"))),
    "segmentation": ("conv 3 3x3 same", Segmentation()),
}


@pytest.mark.parametrize("word", TASKS)
def test_it_answers_for_every_task_as_run_does(word: str, browser: Any, tmp_path: Path) -> None:
    end, task = TASKS[word]
    Path("task.cnn").write_text(f"input 1x16x16; conv 6 3x3 same relu; {end}")
    info = ModelInfo((0.2,), (0.1,), ("a", "b", "c")[: 2 if word == "binary" else 3], task)
    drawn = initial_weights(cnndsl.load("task.cnn").ir, 3)
    Path("w.safetensors").write_bytes(pack_weights(drawn, info))
    runtime = ("--runtime", node_package("onnxruntime-web"))
    given = ("--weights", "w.safetensors", "--web", "-o", "page", *runtime)
    assert run("compile", "task.cnn", *given) == 0
    predictor, (picture,) = open_predictor(Path("page/model.onnx")), drawings(0, 1)
    (expected,) = predictor.answers(predictor.picture(picture), 3)
    with served(tmp_path / "page") as address, watched(browser) as page:
        page.goto(address)
        page.wait_for_selector("main:not([hidden])")
        page.set_input_files("#classify input", picture)
        page.wait_for_selector("#classify .answers li")
        shown = answers(page)
    for row in next(rows for rows in expected.record.values() if isinstance(rows, list)):
        key = next(k for k in ("probability", "value", "share") if k in row)
        assert shown[row["name"]] == pytest.approx(row[key], abs=1e-4)
    if word == "binary":  # the one that is taken comes first
        assert next(iter(shown)) == expected.record["top"][0]["name"]


def test_webgpu_gives_the_same_answer(launch: Launch, site: tuple[Path, str]) -> None:
    gpu = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan")
    browser = launch(*gpu)
    page = browser.new_page()
    page.goto(f"{site[1]}?provider=webgpu")
    if not page.evaluate("navigator.gpu?.requestAdapter().then(Boolean)"):
        browser.close()
        pytest.skip("this Chromium has no WebGPU")
    predictor, (picture,) = open_predictor(site[0] / "model.onnx"), drawings(1, 1)
    page.wait_for_selector("main:not([hidden])")
    page.set_input_files("#classify input", picture)
    page.wait_for_selector("#classify .answers li")
    (expected,) = predictor.answers(predictor.picture(picture), 4)
    wanted = {row["name"]: row["probability"] for row in expected.record["top"]}
    assert answers(page) == pytest.approx(wanted, abs=1e-4)
    assert "by WebGPU" in page.inner_text("#runs")
    browser.close()


def test_a_file_that_is_no_picture_is_told_and_the_next_one_is_answered(opened: Any) -> None:
    Path("notes.png").write_text("no picture")
    opened.set_input_files("#classify input", "notes.png")
    opened.wait_for_selector(".problem:not([hidden])")
    assert "notes.png is not a picture" in opened.inner_text("#classify .problem")
    opened.set_input_files("#classify input", files()[0])
    opened.wait_for_selector(".answers li")
    assert not opened.is_visible("#classify .problem")


def test_the_camera_is_answered_until_it_is_stopped(opened: Any) -> None:
    opened.click("text=Use the camera")
    opened.wait_for_selector(".answers li")
    opened.click("text=Stop the camera")
    assert opened.is_visible("text=Use the camera")


def test_it_fits_a_phone(opened: Any) -> None:
    opened.set_input_files("#classify input", files()[0])
    opened.wait_for_selector(".answers li")
    assert opened.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize(
    ("script", "click", "told"),
    [
        ("delete globalThis.WebAssembly", None, "WebAssembly is switched off in this browser"),
        ("", "text=Use the camera", "No camera was found"),
        ("delete Navigator.prototype.mediaDevices", "text=Use the camera", "https:// and http://"),
    ],
)
def test_what_a_browser_lacks_is_told(
    script: str, click: str | None, told: str, site: tuple[Path, str], launch: Launch
) -> None:
    browser = launch()
    page = browser.new_context(permissions=["camera"]).new_page()
    page.add_init_script(script)
    page.goto(site[1])
    if click:
        page.click(click)
    page.wait_for_selector(f"text={told}", timeout=10_000)
    browser.close()


# Training in a browser


def drawings(kind: int, count: int) -> list[Path]:
    """Gray drawings of a kind: lines across, lines down, dots; none is like another."""
    rng, made = np.random.default_rng(kind), list[Path]()
    for i in range(count):
        phase, gap = rng.integers(0, 5), 4
        lines = (np.arange(40) + phase) % gap < 2
        across, down = np.tile(lines[:, None], (1, 40)), np.tile(lines, (40, 1))
        shape = (across, down, across & down)[kind]
        pixels = np.where(shape, rng.integers(150, 255), rng.integers(0, 90)) + rng.integers(
            0, 20, (40, 40)
        )
        made.append(Path(f"drawing-{kind}-{i}.png"))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(made[-1])
    return made


@pytest.fixture(params=[("whole", 3, 17), ("head", 2, 12)], ids=lambda param: param[0])
def taught(
    request: pytest.FixtureRequest, browser: Any, tmp_path: Path
) -> Generator[tuple[Any, int]]:
    """A page after its training, and the number of its classes."""
    kind, classes, pictures = request.param
    page_that_learns(kind, tmp_path, "--runtime", node_package("onnxruntime-web"))
    with served(tmp_path / "page") as address, watched(browser) as page:
        page.goto(address)
        page.wait_for_selector("#learn:not([hidden])")
        for i in range(classes):
            if i > 1:
                page.click("text=Add a class")
            box = page.locator(".box").nth(i)
            box.locator("input[type=text]").fill(f"kind {i}")
            box.locator("input[type=file]").set_input_files(drawings(i, pictures))
            page.wait_for_function(
                "n => document.querySelectorAll('.thumbs canvas').length == n",
                arg=(i + 1) * pictures,
            )
        page.click("#learn .train")
        page.wait_for_selector(".downloads:not([hidden])", timeout=60_000)
        yield page, classes


def test_a_page_learns_drawings_and_its_weights_are_a_net_for_python(
    taught: tuple[Any, int], tmp_path: Path
) -> None:
    page, classes = taught
    curve = page.locator("#learn .curve")
    assert float(curve.get_attribute("data-last")) < float(curve.get_attribute("data-first")) / 2
    assert float(curve.get_attribute("data-right")) > 0.9
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for name in ("weights", "spec"):
        with page.expect_download() as download:
            page.click(f".downloads .{name}")
        download.value.save_as(download.value.suggested_filename)
    assert run(*page.inner_text(".downloads code").split()[1:]) == 0
    predictor = open_predictor(Path("trained.onnx"))
    assert predictor.classes == tuple(f"kind {i}" for i in range(classes))
    (picture,) = drawings(1, 1)
    (expected,) = predictor.answers(predictor.picture(picture), classes)
    page.set_input_files("#classify input", picture)
    page.wait_for_selector("#classify .answers li")
    wanted = {row["name"]: row["probability"] for row in expected.record["top"]}
    assert answers(page) == pytest.approx(wanted, abs=1e-4)


def test_what_is_too_little_to_learn_from_is_told(browser: Any, tmp_path: Path) -> None:
    page_that_learns("head", tmp_path, "--runtime", node_package("onnxruntime-web"))
    Path("notes.png").write_text("no picture")
    with served(tmp_path / "page") as address, watched(browser) as page:
        page.goto(address)
        page.wait_for_selector("#learn:not([hidden])")
        page.click("#learn .train")
        page.wait_for_selector("text=“Class 1” has too few pictures: give it at least 3.")
        page.set_input_files(".box >> nth=0 >> input[type=file]", [*drawings(0, 2), "notes.png"])
        page.wait_for_selector("text=notes.png is not a picture")
        page.wait_for_selector("text=2 pictures")
        page.click(".box >> nth=1 >> text=Camera")
        page.wait_for_selector(".box >> nth=1 >> .thumbs canvas >> nth=2")
        page.click("text=Stop")
        page.click(".box >> nth=0 >> .thumbs button >> nth=0")
        page.wait_for_selector("text=1 picture")
        page.locator(".box input[type=text]").nth(1).fill("Class 1")
        page.click("#learn .train")
        page.wait_for_selector("text=Two classes have the same name")
