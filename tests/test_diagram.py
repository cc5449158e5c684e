"""The diagrams: complete, legible, well-formed, the same every time."""

import re
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from strategies import nets

import cnndsl
from cnndsl.diagram import FORMATS, Picture, diagram, render
from cnndsl.diagram.arrange import Layout, arrange
from cnndsl.diagram.geometry import Box, Point, Wire
from cnndsl.diagram.labels import width
from cnndsl.diagram.plan import plan
from cnndsl.diagram.scene import Rect, Text
from cnndsl.diagram.text import dot, mermaid
from cnndsl.diagram.tree import Item, Opening, levels, tree
from cnndsl.ir import Model

SPECS = sorted((Path(__file__).parent.parent / "specs").glob("*.cnn"))
SVG = "{http://www.w3.org/2000/svg}"
NEAR = 0.01
every_spec = pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.stem)
whatever_direction = pytest.mark.parametrize("down", [True, False], ids=["TB", "LR"])


def model_of(text: str | Path) -> Model:
    return (cnndsl.load(text) if isinstance(text, Path) else cnndsl.parse(text)).ir


def spec(name: str) -> Model:
    return model_of(next(path for path in SPECS if path.stem == name))


def trees(model: Model) -> Iterator[Item]:
    yield tree(model)
    yield from (tree(model, Opening(depth)) for depth in range(levels(model) + 1))


def inside(item: Item) -> Iterator[Item]:
    for child in item.children:
        yield child
        yield from inside(child)


def titles(svg: str) -> list[str]:
    return [t.text or "" for t in ElementTree.fromstring(svg).iter(f"{SVG}title")]


# What is there


def untold(model: Model, root: Item, svg: str) -> list[str]:
    """Paths that stand in no title and in no closed block's title."""
    words = set(re.split(r"[,\s]+", " ".join(titles(svg))))
    closed = {path for box in root.boxes if box.block for path in box.paths}
    open_runs = {path for item in inside(root) if item.open for path in item.paths[1:]}
    near = {*words, *((closed | open_runs) & words)}
    return [
        node.path
        for node in model.nodes
        if not any(node.path == p or node.path.startswith(f"{p}.") for p in near)
    ]


@every_spec
def test_every_layer_is_told_at_every_depth(spec: Path):
    model = model_of(spec)
    for depth in [None, *range(levels(model) + 1)]:
        picture = Picture(model, depth)
        assert untold(model, picture.root(), diagram(model, depth)) == []


@every_spec
def test_boxes_share_out_all_parameters_and_macs(spec: Path):
    model = model_of(spec)
    for root in trees(model):
        runs = sum((len(i.paths) - 1) * i.params // len(i.paths) for i in inside(root) if i.open)
        assert sum(box.params for box in root.boxes) + runs == model.params
    closed = tree(model, Opening())
    assert sum(box.macs for box in closed.boxes) == model.macs


@every_spec
def test_the_shape_of_each_link_stands_in_the_picture(spec: Path):
    model = model_of(spec)
    texts = {t.text for t in ElementTree.fromstring(diagram(model)).iter(f"{SVG}text")}
    for shape in (link.shape for link in tree(model).links):
        assert "×".join(map(str, shape)) in texts


def test_words_that_follow_stand_in_the_box_of_their_layer():
    boxes = tree(model_of("input 3x9x9\nconv 4 3x3 /2 bn relu; bn relu; gap")).boxes
    told = [(box.caption, box.note, box.family) for box in boxes]
    assert told == [
        ("input", "", "other"), ("conv 4 3×3 /2", "bn · relu", "conv"), ("bn", "relu", "norm"),
        ("gap", "", "pool"), ("output", "", "other"),
    ]  # fmt: skip


def test_words_behind_a_labelled_layer_or_block_too():
    net = "input 3x9x9\ns: conv 4 3x3 bn relu\nt: two relu\nblock two { relu; conv 5 1x1 }"
    boxes = tree(model_of(net)).boxes
    assert [(box.caption, box.note) for box in boxes if box.nodes and not box.block][1:] == [
        ("s: conv 4 3×3", "bn · relu"), ("relu", ""), ("conv 5 1×1", ""), ("relu", "")
    ]  # fmt: skip


def test_runs_of_equal_blocks_are_stacked():
    assert [b.caption for b in tree(spec("resnet50"), Opening()).boxes if b.block] == [
        "bottleneck 64", "bottleneck 64 × 2", "bottleneck 128 /2", "bottleneck 128 × 3",
        "bottleneck 256 /2", "bottleneck 256 × 5", "bottleneck 512 /2", "bottleneck 512 × 2",
    ]  # fmt: skip


def test_open_runs_are_stacked_only_if_all_sizes_are_equal():
    model = spec("densenet121")
    assert "layer × 6" in [c.caption for c in tree(model, Opening(0)).children]
    assert {c.caption for c in tree(model, Opening(1)).children if "layer" in c.caption} == {
        "layer"
    }
    alone = tree(model, Opening(0, frozenset({"layer_1"}))).children
    assert [c.caption for c in alone if c.open] == ["layer"]
    assert "layer × 5" in [c.caption for c in alone]


def test_labels_and_skips_that_are_not_there():
    model = model_of(
        "input 4x8x8\nstem: conv 8 3x3 same\nresidual auto { conv 4 1x1 bn }\nadd { id | relu }"
    )
    root = tree(model)
    assert [box.caption for box in root.boxes] == [
        "input", "stem: conv 8 3×3", "conv 4 1×1", "relu", "add", "output"
    ]  # fmt: skip
    assert [link.via for link in root.links if link.via] == [("id_1",)]


@pytest.mark.parametrize("name", ["resnet50", "unet", "inception_v3", "efficientnet_b0"])
def test_the_depth_that_nobody_chose_is_readable(name: str):
    assert len(tree(spec(name)).boxes) <= 32


# Where it stands


def apart(a: Box, b: Box) -> bool:
    return (
        a.x + a.w + a.behind <= b.x + NEAR or b.x + b.w + b.behind <= a.x + NEAR
        or a.y + a.h + a.behind <= b.y + NEAR or b.y + b.h + b.behind <= a.y + NEAR
    )  # fmt: skip


def within(a: Box, b: Box) -> bool:
    across = b.x < a.x and a.x + a.w + a.behind <= b.x + b.w
    return across and b.y < a.y and a.y + a.h + a.behind <= b.y + b.h


def on_border(p: Point, box: Box) -> bool:
    """Whether a point lies on the border of a box, or on that of the sheets behind it."""
    far = box.behind + NEAR
    left, right = abs(p[0] - box.x) < NEAR, -NEAR < p[0] - box.x - box.w < far
    top, bottom = abs(p[1] - box.y) < NEAR, -NEAR < p[1] - box.y - box.h < far
    along = box.x - NEAR <= p[0] <= box.x + box.w + far, box.y - NEAR <= p[1] <= box.y + box.h + far
    return ((left or right) and along[1]) or ((top or bottom) and along[0])


def crosses(wire: Wire, box: Box) -> bool:
    """Whether a wire runs through the inside of a box."""
    return any(
        max(a[0], b[0]) > box.x + 1 and min(a[0], b[0]) < box.x + box.w - 1
        and max(a[1], b[1]) > box.y + 1 and min(a[1], b[1]) < box.y + box.h - 1
        for a, b in pairwise(wire.points)
    )  # fmt: skip


def faults(layout: Layout) -> list[str]:
    boxes, wires = layout.piece.boxes, layout.piece.wires
    closed = [box for box in boxes if not box.item.open]
    found = [
        f"{a.item.paths} on {b.item.paths}"
        for a, b in combinations(boxes, 2)
        if not (apart(a, b) or (b.item.open and within(a, b)) or (a.item.open and within(b, a)))
    ]
    for wire in wires:
        for end in (wire.points[0], wire.points[-1]):
            if not any(on_border(end, box) for box in boxes):
                found.append(f"a wire ends at {end}")
        for a, b in pairwise(wire.points):
            if a[0] != b[0] and a[1] != b[1]:
                found.append(f"a wire leans from {a} to {b}")
        if not wire.aside:
            found += [f"a wire through {b.item.paths}" for b in closed if crosses(wire, b)]
    return found


def links(root: Item) -> int:
    return len(root.links) + sum(len(item.links) for item in inside(root))


@every_spec
@whatever_direction
def test_nothing_stands_on_anything_else(spec: Path, down: bool):
    for root in trees(model_of(spec)):
        layout = arrange(root, down)
        assert faults(layout) == []
        assert len(layout.piece.boxes) == len(list(inside(root)))
        assert len(layout.piece.wires) == links(root)


@every_spec
@whatever_direction
def test_shapes_stand_beside_boxes(spec: Path, down: bool):
    model = model_of(spec)
    for depth in range(levels(model) + 1):
        marks = [m for g in Picture(model, depth, down).scene().groups for m in g.marks]
        boxes = [m for m in marks if isinstance(m, Rect) and m.kind.endswith(" box")]
        for text in (m for m in marks if isinstance(m, Text) and m.kind == "shape"):
            long = width(text.text, text.size)
            left = text.x - (long / 2 if text.anchor == "middle" else 0)
            for box in boxes:
                beside = left >= box.x + box.w or left + long <= box.x
                assert beside or text.y - 8 >= box.y + box.h or text.y + 1 <= box.y


@settings(max_examples=60, deadline=None)
@given(nets())
def test_random_nets_have_no_faults_either(text: str):
    model = model_of(text)
    for root in trees(model):
        for down in (True, False):
            assert faults(arrange(root, down)) == []
        ElementTree.fromstring(diagram(model))


def test_branches_stand_side_by_side():
    net = "input 4x8x8\nconcat { conv 2 1x1 | conv 3 1x1; relu | avgpool 3 /1 pad; conv 5 1x1 | }"
    boxes = {b.item.caption: b for b in arrange(tree(model_of(net))).piece.boxes}
    first = [boxes[c] for c in ("conv 2 1×1", "conv 3 1×1", "avgpool 3 /1")]
    assert len({box.y for box in first}) == 1
    assert first[0].x < first[1].x < first[2].x


def test_the_u_net_is_a_u():
    layout = arrange(tree(spec("unet"), Opening()))
    boxes = {b.item.paths[0]: b for b in layout.piece.boxes}
    for down, up in (
        ("e1", "concat_4"),
        ("e2", "concat_3"),
        ("e3", "concat_2"),
        ("e4", "concat_1"),
    ):
        a, b = boxes[down], boxes[up]
        assert a.middle[1] == b.middle[1]
        straight = ((a.x + a.w, a.middle[1]), (b.x, b.middle[1]))
        assert straight in [wire.points for wire in layout.piece.wires]
    deepest = max(boxes.values(), key=lambda box: box.y)
    assert deepest.item.paths == ("double_1",)


def test_a_deep_network_is_wrapped_into_columns():
    piece = arrange(tree(spec("vgg16"))).piece
    assert piece.h < 1.5 * piece.w


def test_links_that_fit_no_order_run_along_the_edge():
    net = "input 4x8x8\na: conv 4 1x1\nb: conv 4 1x1\nc: conv 4 1x1\nadd a\nd: relu\nadd b"
    layout = arrange(tree(model_of(net)))
    assert faults(layout) == []
    assert [wire.aside for wire in layout.piece.wires].count(True) == 1


def test_however_deep_a_net_it_can_be_drawn():
    labels = "".join(f"e{i}: conv 2 1x1\n" for i in range(120))
    skips = "".join(f"add e{i}\n" for i in reversed(range(119)))
    layout = arrange(tree(model_of(f"input 2x4x4\n{labels}{skips}")))
    assert len(layout.piece.wires) == len(layout.root.links)
    assert faults(layout) == []


def test_a_page_of_hundreds_of_blocks_stays_small():
    block = "block b { residual { conv 4 3x3 same; conv 4 3x3 same } }\n"
    net = model_of(f"input 4x8x8\n{block}" + "b; relu\n" * 200)
    assert len(render(Picture(net), Path("g.html"))) < 10_000_000


def test_every_link_is_placed_or_set_aside():
    assert plan(3, [(-1, 0), (0, 1), (1, 2), (0, 2)]).aside == ()
    assert plan(4, [(0, 1), (1, 2), (2, 3), (0, 2), (1, 3)]).aside == ((1, 3),)


# The files


@pytest.mark.parametrize("ending", FORMATS)
def test_bytes_are_the_same_every_time(ending: str):
    picture, file = Picture(spec("resnet8")), Path(f"g{ending}")
    assert render(picture, file) == render(picture, file)


@every_spec
def test_svg_is_well_formed_and_brings_all_it_needs(spec: Path):
    for direction in (True, False):
        svg = diagram(model_of(spec), down=direction)
        root = ElementTree.fromstring(svg)
        assert root.tag == f"{SVG}svg"
        assert not re.findall(r"(?:href|src|url)\s*[=(]", svg)
        size = [float(root.attrib[side]) for side in ("width", "height")]
        for text in root.iter(f"{SVG}text"):
            assert 0 <= float(text.attrib["x"]) <= size[0]
            assert 0 <= float(text.attrib["y"]) <= size[1]


def test_special_characters_are_escaped(tmp_path: Path):
    file = tmp_path / 'a<b>&"c.cnn'
    file.write_text("input 3x8x8\nconv 4 3x3\n")
    picture = Picture(model_of(file))
    for ending in (".svg", ".html"):
        text = render(picture, Path(f"g{ending}")).decode()
        assert "a&lt;b&gt;&amp;" in text
        assert "<b>" not in text
    assert 'digraph "a<b>&\\"c" {' in render(picture, Path("g.dot")).decode()


@every_spec
def test_dot_declares_what_it_joins(spec: Path):
    for root in trees(model_of(spec)):
        text = dot(root)
        plain = re.sub(r'"(?:\\.|[^"\\])*"', "", text)
        assert plain.count("{") == plain.count("}") == text.count("subgraph") + 1
        declared = re.findall(r"^ *(n\d+) \[", text, re.MULTILINE)
        joined = set(re.findall(r"^ *(n\d+) -> (n\d+) ", text, re.MULTILINE))
        assert len(declared) == len(set(declared)) == len(root.boxes)
        assert {name for pair in joined for name in pair} == set(declared)


@every_spec
def test_mermaid_declares_what_it_joins(spec: Path):
    for root in trees(model_of(spec)):
        lines = mermaid(root).splitlines()
        assert lines[0] == "flowchart TB"
        opened = sum(line.strip().startswith("subgraph ") for line in lines)
        assert opened == sum(line.strip() == "end" for line in lines)
        declared = re.findall(r'^ *(n\d+)\["[^"]*"\]:::', "\n".join(lines), re.MULTILINE)
        joined = re.findall(r"^ *(n\d+) -->\|[^|]+\| (n\d+)$", "\n".join(lines), re.MULTILINE)
        assert len(declared) == len(root.boxes)
        assert {name for pair in joined for name in pair} == set(declared)


def test_the_page_holds_every_level_and_every_block():
    page = render(Picture(spec("efficientnet_b0")), Path("g.html")).decode()
    states = re.findall(r'<template data-state="([^"]+)">', page)
    assert states[:4] == ["depth 0", "depth 1", "depth 2", "depth 3"]
    assert {"stage_1", "stage_2.mbconv_1", "stage_2.mbconv_1.squeeze_1"} <= set(states)
    assert len(states) == len(set(states))
    assert '<main data-start="depth 1">' in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")


def test_png_and_pdf():
    picture = Picture(spec("cifar10"))
    png = render(picture, Path("g.png"))
    scene = picture.scene()
    assert png.startswith(b"\x89PNG")
    assert struct.unpack(">II", png[16:24]) == (int(2 * scene.w), int(2 * scene.h))
    assert render(picture, Path("g.pdf")).startswith(b"%PDF")


# The command


def graph(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cnndsl", "graph", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_the_command_writes_by_the_ending(tmp_path: Path):
    out = tmp_path / "g.svg"
    start = time.perf_counter()
    done = graph(str(next(p for p in SPECS if p.stem == "resnet50")), "-o", str(out))
    seconds = time.perf_counter() - start
    assert done.returncode == 0
    assert done.stdout == ""
    assert out.read_text() == diagram(spec("resnet50"))
    assert seconds < 5  # a second on an idle machine


def test_without_a_file_mermaid_is_printed(tmp_path: Path):
    file = tmp_path / "m.cnn"
    file.write_text("let k = 4\ninput 3x8x8\nconv k 3x3\n")
    done = graph(str(file), "--set", "k=7", "--direction", "LR")
    assert done.stdout == mermaid(
        tree(model_of(file.read_text().replace("= 4", "= 7"))), down=False
    )


def test_an_unknown_ending_names_the_known_ones(tmp_path: Path):
    done = graph(str(SPECS[0]), "-o", str(tmp_path / "g.jpg"))
    assert done.returncode == 2
    assert "a diagram ends in .svg, .html, .png, .pdf, .dot, .mmd" in done.stderr
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_the_command_to_install_it_is_told(monkeypatch: pytest.MonkeyPatch):
    for module in ("matplotlib", "matplotlib.figure", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(cnndsl.UserError, match=r"pip install matplotlib"):
        render(Picture(spec("cifar10")), Path("g.png"))


def test_drawing_loads_neither_numpy_nor_onnx():
    code = (
        "import sys, cnndsl; from cnndsl.diagram import diagram; "
        "diagram(cnndsl.parse('input 3x8x8; conv 4 3x3 bn relu').ir); "
        "assert not {'numpy', 'onnx', 'matplotlib', 'rich'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
