"""Tensors of others find their place in a model by name, or by order; never by chance."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

import cnndsl
from cnndsl.source import UserError
from cnndsl.weights.base import Order, RawWeights
from cnndsl.weights.fit import read_weights
from cnndsl.weights.initial import initial_weights
from cnndsl.weights.match import arranged, match
from cnndsl.weights.safetensors import pack_weights

NET = cnndsl.parse(
    "input 3x8x8; conv 4 3x3 pad bn relu; residual { conv 4 3x3 pad bn }; flatten; dense 10"
).ir
NAMES = {
    "stem.0.weight": (4, 3, 3, 3),
    **{f"stem.1.{n}": (4,) for n in ("weight", "bias", "running_mean", "running_var")},
    "stem.1.num_batches_tracked": (),
    "body.conv.weight": (4, 4, 3, 3),
    **{f"body.bn.{n}": (4,) for n in ("weight", "bias", "running_mean", "running_var")},
    "fc.weight": (10, 256),
    "fc.bias": (10,),
}


def raw(shapes: Mapping[str, tuple[int, ...]], order: Order = Order.MODULES) -> RawWeights:
    random = np.random.default_rng(0)
    tensors = {name: random.normal(size=shape) for name, shape in shapes.items()}
    return RawWeights(tensors, order=order)


def test_by_our_own_names() -> None:
    own = raw({name: p.shape for name, p in NET.tensors().items()})
    found = match(own, NET, "file")
    assert found.how == "by name"
    assert found.notes == ()
    assert all(a == b for a, b in found.names.items())


def test_by_the_order_of_whole_modules() -> None:
    found = match(raw(NAMES), NET, "file").names
    assert found["conv_1.weight"] == "stem.0.weight"
    assert found["bn_2.running_var"] == "body.bn.running_var"
    assert found["dense_1.bias"] == "fc.bias"
    assert found.keys() == NET.tensors().keys()


def test_the_roles_inside_a_module_are_found_by_name() -> None:
    """Mean and variance of equal shape are told apart, wherever they stand."""
    names = dict(reversed(NAMES.items()))
    forward = {n: names[n] for n in sorted(names, key=lambda n: list(NAMES).index(n.rpartition(".")[0] + ".weight"))}  # fmt: skip  # noqa: E501
    found = match(raw(forward), NET, "file").names
    assert found["bn_1.running_mean"] == "stem.1.running_mean"


@pytest.mark.parametrize(
    ("spec", "shapes"),
    [
        ("input 3x1x1; conv 5 1x1", {"fc.weight": (5, 3), "fc.bias": (5,)}),
        ("input 3x1x1; flatten; dense 5", {"conv.weight": (5, 3, 1, 1), "conv.bias": (5,)}),
        ("input 3x2x2; flatten; dense 5", {"conv.weight": (5, 3, 2, 2), "conv.bias": (5,)}),
        ("input 3x2x2; prelu", {"act.weight": (3,)}),
        ("input 3x2x2; scale 1", {"block.layer_scale": (3, 1, 1)}),
        ("input 3x2x2; scale 1", {"block.gamma": (3,)}),
    ],
)
def test_shapes_that_say_the_same(spec: str, shapes: dict[str, tuple[int, ...]]) -> None:
    model, file = cnndsl.parse(spec).ir, raw(shapes)
    tensors = arranged(file, match(file, model, "file"), model)
    assert {n: t.shape for n, t in tensors.items()} == {
        n: p.shape for n, p in model.tensors().items()
    }


def test_a_containers_own_tensors_come_behind_its_children() -> None:
    model = cnndsl.parse("input 4x2x2; conv 4 1x1; scale 1; conv 4 1x1").ir
    shapes = {
        "block.gamma": (4,), "block.fc.weight": (4, 4), "block.fc.bias": (4,),
        "head.weight": (4, 4, 1, 1), "head.bias": (4,),
    }  # fmt: skip
    assert match(raw(shapes), model, "file").names["scale_1.weight"] == "block.gamma"


def inserted(before: str, extra: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    at = list(NAMES).index(before)
    items = list(NAMES.items())
    return dict([*items[:at], *extra.items(), *items[at:]])


def test_an_auxiliary_head_is_left_out() -> None:
    file = raw(inserted("fc.weight", {"aux.weight": (10, 256), "aux.bias": (10,)}))
    found = match(file, NET, "file")
    assert found.left_out == ("aux",)
    assert found.notes == ("12 tensors found by order", "left out: `aux`")
    assert found.names["dense_1.weight"] == "fc.weight"


@pytest.mark.parametrize(
    ("shapes", "problem"),
    [
        (inserted("fc.weight", {"more.weight": (4, 4, 3, 3)}), r"> more.weight 4x4x3x3 +dense_1"),
        (inserted("body.conv.weight", {"b.weight": (4, 4, 3, 3)}), "does not fit the model"),
        ({n: s for n, s in NAMES.items() if not n.startswith("fc")}, r"> - +dense_1.weight"),
        ({**NAMES, "fc.weight": (20, 256), "fc.bias": (20,)}, r"> fc.weight 20x256 +dense_1"),
        ({}, "does not fit the model: 0 modules, .*\n  it holds no weights: take another file"),
    ],
)
def test_what_does_not_fit_is_shown_beside_its_neighbours(shapes, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        match(raw(shapes), NET, "file")


def test_two_ways_are_an_error_that_lists_them() -> None:
    head = {"0.weight": (8, 4, 1, 1), "2.weight": (10, 8, 1, 1)}
    shapes = {"body.weight": (4, 3, 3, 3)}
    for name in ("one", "two"):
        shapes |= {f"{name}.{part}": shape for part, shape in head.items()}
    model = cnndsl.parse("input 3x8x8; conv 4 3x3 nobias; conv 8 1x1 nobias; conv 10 1x1 nobias")
    with pytest.raises(UserError, match="more than one way:\n  without `two`\n  without `one`"):
        match(raw(shapes), model.ir, "file")


RESNET = {
    "conv1.weight": (4, 3, 3, 3), "bn1.weight": (4,), "layer1.0.conv1.weight": (4, 4, 3, 3),
    "layer1.0.bn1.weight": (4,), "layer1.0.conv2.weight": (4, 4, 3, 3),
    "layer1.0.bn2.weight": (4,), "layer1.0.downsample.0.weight": (4, 4, 1, 1),
    "layer1.10.conv1.weight": (4, 4, 3, 3), "fc.weight": (10, 4),
}  # fmt: skip


def test_an_order_that_is_lost_is_restored_by_the_names_of_a_family() -> None:
    from cnndsl.weights.families import restored

    assert list(restored(dict(sorted(RESNET.items()))) or ()) == list(RESNET)
    assert restored({"apple.weight": (1,), "pear.weight": (1,)}) is None


def test_without_order_and_family_a_shape_must_be_the_only_one() -> None:
    model = cnndsl.parse("input 3x8x8; conv 4 3x3; conv 8 3x3; conv 8 3x3").ir
    shapes = {
        "pear.weight": (8, 8, 3, 3), "pear.bias": (8,), "fig.weight": (8, 4, 3, 3),
        "fig.bias": (8,), "plum.weight": (4, 3, 3, 3), "plum.bias": (4,),
    }  # fmt: skip
    found = match(raw(shapes, Order.NAMES), model, "file")
    assert found.names["conv_1.weight"] == "plum.weight"
    model = cnndsl.parse("input 4x8x8; conv 4 3x3 pad; conv 4 3x3 pad").ir
    shapes = {f"{n}.{p}": s for n in ("pear", "fig")
              for p, s in (("weight", (4, 4, 3, 3)), ("bias", (4,)))}  # fmt: skip
    with pytest.raises(UserError, match="`conv_1` may be pear, fig"):
        match(raw(shapes, Order.NAMES), model, "file")


def test_a_checkpoint_of_pytorch_computes_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch = pytest.importorskip("torch")
    ort = pytest.importorskip("onnxruntime")
    nn = torch.nn
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(),
        nn.Linear(8 * 36, 5),
    ).eval()  # fmt: skip
    net[1].running_mean.normal_()
    plain, ema = net.state_dict(), {name: t * 2 for name, t in net.state_dict().items()}
    torch.save({"state_dict": plain, "state_dict_ema": ema}, tmp_path / "w.pth")
    model = cnndsl.parse("input 3x6x6; conv 8 3x3 pad bn relu; flatten; dense 5")
    graph = model.to_onnx(tmp_path / "w.pth").SerializeToString()
    assert capsys.readouterr().err.splitlines() == [
        f"{tmp_path}/w.pth: holds several sets of tensors: `state_dict` is taken, not "
        "`state_dict_ema` (8)",
        f"{tmp_path}/w.pth: 7 tensors found by order",
    ]
    x = np.random.default_rng(0).normal(size=(2, 3, 6, 6)).astype(np.float32)
    (ours,) = ort.InferenceSession(graph).run(None, {"input": x})
    with torch.no_grad():
        assert np.abs(ours - net(torch.from_numpy(x)).numpy()).max() < 1e-5


def test_of_a_file_of_ours_what_does_not_fit_is_told_by_its_names(tmp_path: Path) -> None:
    before = cnndsl.parse("input 3x8x8\nconv 4 3x3 bn relu; gap; dense 5")
    after = cnndsl.parse("input 3x8x8\nstem: conv 4 3x3 bn relu; gap; dense 6; dense 2")
    path = tmp_path / "w.safetensors"
    path.write_bytes(pack_weights(initial_weights(before.ir)))
    with pytest.raises(UserError) as found:
        read_weights(path, after.ir)
    told = str(found.value)
    for part in (
        "missing: stem.weight",
        "dense_1.bias is 5, the model has 6",
        "cnndsl weights match",
    ):
        assert part in told
    assert "torch.save" not in told
