"""`cnndsl compile --web`: what the page is made of, and what it does in a browser."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Launch, chromium, node_package, served
from PIL import Image

from cnndsl.cli import main
from cnndsl.runtime.predict import open_predictor

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


def test_a_page_is_three_files_a_model_and_its_settings() -> None:
    assert run("compile", "net.cnn", *LOOK, "--web", "-o", "page") == 0
    found = {path.name for path in Path("page").iterdir()}
    assert found == {"index.html", "app.js", "style.css", "model.json", "model.onnx"}
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
        (("--web", "-o", "full"), "full: holds other files, and is no page of cnndsl"),
        (("--web", "-o", "net.cnn"), "net.cnn: is used by this command besides"),
        (("--web", "-o", "full/notes.txt"), "full/notes.txt: is a file; a page is a folder"),
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


@pytest.mark.parametrize(
    "spec", ["input 12; dense 4", "input 2x8x8; gap; dense 4", "input 3x8x8; conv 4 3x3 same"]
)
def test_a_page_shows_images_to_a_task_that_it_knows(spec: str) -> None:
    Path("other.cnn").write_text(spec)
    is_known = "conv" in spec  # a map is a segmentation
    assert run("compile", "other.cnn", "--web", "-o", "page") == (0 if is_known else 2)
    assert Path("page").exists() == is_known


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


@pytest.fixture
def opened(browser: Any, site: tuple[Path, str]) -> Generator[Any]:
    """The page at the width of a phone; what it says to the console is no error."""
    page, errors = browser.new_page(viewport={"width": 390, "height": 800}), list[str]()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    page.goto(site[1])
    page.wait_for_selector("main:not([hidden])")
    yield page
    page.close()
    assert errors == []


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


def test_a_file_that_is_no_picture_is_told_and_the_next_one_is_answered(opened: Any) -> None:
    Path("notes.png").write_text("no picture")
    opened.set_input_files("#classify input", "notes.png")
    opened.wait_for_selector(".problem:not([hidden])")
    assert "notes.png is no picture" in opened.inner_text("#classify .problem")
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
