"""Every layer: its page is true, and its numbers are torch's."""

# ruff: noqa: B023  (every reference is called within its turn of the loop)

import inspect
import re
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from running import Arrays, error, random_array, random_input, random_tensors, run, session

import cnndsl
from cnndsl.fields import specs
from cnndsl.graph.emitter import Emitter
from cnndsl.graph.export import export
from cnndsl.graph.tape import Tape, Value
from cnndsl.layers import vocabulary
from cnndsl.layers.base import Layer
from cnndsl.layers.dropout import Dropout, DropPath
from cnndsl.layers.norm import BatchNorm
from cnndsl.passes.receptive import receptive_fields
from cnndsl.shapes import show

torch = pytest.importorskip("torch")
F = torch.nn.functional

LAYERS = sorted(vocabulary().items())
every_layer = pytest.mark.parametrize(("word", "cls"), LAYERS, ids=[word for word, _ in LAYERS])


# The pages


def example(cls: type[Layer]) -> str:
    """The indented lines of a docstring."""
    lines = inspect.cleandoc(cls.__doc__ or "").splitlines()
    return "\n".join(line[4:] for line in lines if line.startswith("    "))


@every_layer
def test_a_page_has_a_summary_and_an_example_that_compiles(word: str, cls: type[Layer]) -> None:
    page = inspect.cleandoc(cls.__doc__ or "")
    assert re.fullmatch(r"\S.*[.:]", page.splitlines()[0])
    model = cnndsl.parse(example(cls))
    assert cls in {type(node.layer) for node in model.ir.nodes}
    assert run(model.to_onnx(), random_input(model))["output"].shape[1:] == model.outputs["output"]


@every_layer
def test_a_page_states_the_shapes(word: str, cls: type[Layer]) -> None:
    assert "→ y" in (cls.__doc__ or "") or word in ("input", "add", "residual", "mul", "concat")


@every_layer
def test_shapes_behind_the_examples_are_true(word: str, cls: type[Layer]) -> None:
    text = example(cls)
    model = cnndsl.parse(text)
    for number, line in enumerate(text.splitlines(), 1):
        stated = re.search(r"#\s*(\d+(?:x\d+)*)", line)
        if stated:
            last = [node for node in model.ir.nodes if node.line == number][-1]
            assert show(last.shape) == stated.group(1), line


@every_layer
def test_every_field_has_a_doc(word: str, cls: type[Layer]) -> None:
    assert all(spec.doc for spec in specs(cls))


def test_the_whole_vocabulary_is_there() -> None:
    assert " ".join(word for word, _ in LAYERS) == (
        "add avgpool bn celu clamp concat conv crop dense dropout droppath dwconv edgepad elu "
        "flatten gap gelu gmp gn hsigmoid hswish id in input leaky ln logsigmoid logsoftmax lrn "
        "mish mul pixelshuffle pool prelu reflectpad relu relu6 reshape residual scale selu "
        "shuffle sigmoid silu slice softmax softplus softsign tanh upconv upsample zeropad"
    )


# The numbers


def agrees(spec: str, reference: Callable[..., Any], tolerance: float = 1e-5) -> None:
    """The spec's output is the reference's, which gets the input and the tensors by name."""
    model = cnndsl.parse(spec)
    tensors, x = random_tensors(model), random_input(model)
    ours = run(model.to_onnx(tensors, fold=False), x)["output"]
    given = {name.split(".")[-1]: torch.from_numpy(array) for name, array in tensors.items()}
    theirs = reference(torch.from_numpy(x), **given).detach().numpy()
    assert model.outputs["output"] == theirs.shape[1:]
    assert error(ours, theirs) <= tolerance, spec


def same(size: int, reach: int, stride: int) -> tuple[int, int]:
    """Keras's `same`: as many zeros as ceil(size / stride) windows need, the odd one at the end."""
    needed = max(0, (-(-size // stride) - 1) * stride + reach - size)
    return needed // 2, needed - needed // 2


def padded(
    x: Any, padding: str, kernel: Any, stride: Any, dilation: int = 1, value: float = 0
) -> Any:
    """The input with its padding made explicit."""
    if padding == "valid":
        return x
    if padding == "same":
        reaches = [(k - 1) * dilation + 1 for k in kernel]
        (top, bottom), (left, right) = map(same, x.shape[2:], reaches, stride)
    else:
        given = re.fullmatch(r"pad(?:=(\d+)(?:x(\d+))?)?", padding)
        assert given
        rows, columns = given.group(1), given.group(2)
        half = [dilation * (k - 1) // 2 if k % 2 else k // 2 for k in kernel]
        top, left = half if rows is None else [int(rows), int(columns or rows)]
        bottom, right = top, left
    return F.pad(x, (left, right, top, bottom), value=value)


PADDINGS = ("valid", "same", "pad", "pad=2", "pad=1x2")
KERNELS = ((1, 1), (3, 3), (2, 2), (5, 3), (4, 1))
SIZES = ("4x9x8", "4x11x10")


@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (3, 1), (3, 3)], ids=show)
@pytest.mark.parametrize("padding", PADDINGS)
def test_conv(padding: str, stride: tuple[int, int]) -> None:
    for kernel, size, (dilation, groups) in product(KERNELS, SIZES, [(1, 1), (1, 2), (2, 4)]):
        if dilation == 2 and kernel[0] % 2 == 0 and padding == "pad":
            continue

        def reference(x: Any, weight: Any, bias: Any) -> Any:
            x = padded(x, padding, kernel, stride, dilation)
            return F.conv2d(x, weight, bias, stride, 0, dilation, groups)

        agrees(
            f"input {size}; conv 8 {show(kernel)} {padding} stride={show(stride)}"
            f" dilation={dilation} groups={groups}",
            reference,
        )


def test_pad_is_torchs_padding() -> None:
    agrees(
        "input 3x11x11; conv 4 7x7 /2 pad", lambda x, weight, bias: F.conv2d(x, weight, bias, 2, 3)
    )
    agrees(
        "input 3x11x11; conv 4 3x3 pad dilation=2 nobias",
        lambda x, weight: F.conv2d(x, weight, None, 1, 2, 2),
    )


def test_pad_of_an_even_dilated_kernel_is_half_of_what_it_spans() -> None:
    agrees(
        "input 3x11x11; conv 4 4x4 pad dilation=2",
        lambda x, weight, bias: F.conv2d(x, weight, bias, 1, 3, 2),
    )


@pytest.mark.parametrize("multiplier", [1, 3])
@pytest.mark.parametrize("padding", PADDINGS)
def test_dwconv(padding: str, multiplier: int) -> None:
    for kernel, stride in product([(3, 3), (5, 2)], [(1, 1), (2, 2)]):

        def reference(x: Any, weight: Any, bias: Any) -> Any:
            x = padded(x, padding, kernel, stride)
            return F.conv2d(x, weight, bias, stride, groups=4)

        agrees(
            f"input 4x9x8; dwconv {show(kernel)} {padding} stride={show(stride)}"
            f" multiplier={multiplier}",
            reference,
        )


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize(("padding", "cut"), [("valid", 0), ("pad", None), ("pad=1", 1)])
def test_upconv(padding: str, cut: int | None, stride: int) -> None:
    for kernel, extra in product([2, 3, 4], range(stride)):
        agrees(
            f"input 4x5x6; upconv 3 {kernel} {padding} /{stride} extra={extra}",
            lambda x, weight, bias: F.conv_transpose2d(
                x,
                weight,
                bias,
                stride,
                kernel // 2 if cut is None else cut,
                extra,
            ),
        )


@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize("dilation", [(1, 1), (2, 3)])
def test_upconv_groups_and_dilation(groups: int, dilation: tuple[int, int]) -> None:
    written = f"stride=2x1 pad=1 extra=1x0 groups={groups} dilation={show(dilation)}"
    agrees(
        f"input 6x5x4; upconv 12 3x2 {written}",
        lambda x, weight, bias: F.conv_transpose2d(
            x, weight, bias, (2, 1), 1, (1, 0), groups, dilation
        ),
    )
    model = cnndsl.parse(f"input 6x5x4; upconv 12 3x2 {written}")
    assert model.params == 12 * 6 // groups * 6 + 12
    assert model.macs == 5 * 4 * 6 * 12 // groups * 6


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])
def test_upconv_same_is_the_gradient_of_conv_same(kernel: int, stride: int) -> None:
    """As Keras and TensorFlow define Conv2DTranspose."""

    def reference(x: Any, weight: Any, bias: Any) -> Any:
        wide = torch.zeros(len(x), 3, 5 * stride, 6 * stride, requires_grad=True)
        around = padded(wide, "same", (kernel, kernel), (stride, stride))
        narrow = F.conv2d(around, weight, None, stride)
        (gradient,) = torch.autograd.grad(narrow, wide, x)
        return gradient + bias.reshape(-1, 1, 1)

    agrees(f"input 4x5x6; upconv 3 {kernel} same /{stride}", reference)


def test_dense() -> None:
    agrees("input 7; dense 5", F.linear)
    agrees("input 7; dense 5 nobias", F.linear)
    agrees("input 7x1x1; dense 5", lambda x, weight, bias: F.linear(x.flatten(1), weight, bias))


def test_flatten_is_channel_major() -> None:
    agrees("input 2x3x4; flatten; id", lambda x: x.flatten(1))
    agrees("input 7; flatten; relu", F.relu)


POOLS = tuple(product([(2, 2), (3, 3), (3, 2)], [(1, 1), (2, 2), (3, 3), (2, 3)]))
POOL_SIZES = tuple(f"2x{height}x{width}" for height, width in [(4, 9), (5, 8), (6, 7), (10, 11)])


@pytest.mark.parametrize("rounding", ["floor", "ceil"])
@pytest.mark.parametrize("padding", ["valid", "pad"])
def test_pools_are_torchs(padding: str, rounding: str) -> None:
    for (kernel, stride), size in product(POOLS, POOL_SIZES):
        pads = tuple(k // 2 for k in kernel) if padding == "pad" else (0, 0)
        written = f"{show(kernel)} {padding} {rounding} stride={show(stride)}"
        ceil = rounding == "ceil"
        agrees(
            f"input {size}; pool {written}",
            lambda x: F.max_pool2d(x, kernel, stride, pads, ceil_mode=ceil),
        )
        for counting in ("count", "nocount"):
            agrees(
                f"input {size}; avgpool {written} {counting}",
                lambda x: F.avg_pool2d(x, kernel, stride, pads, ceil, counting == "count"),
            )


@pytest.mark.parametrize("padding", ["same", "pad=1", "pad=0x1"])
def test_pools_over_explicit_padding(padding: str) -> None:
    for (kernel, stride), size in product(POOLS, POOL_SIZES):
        written = f"{show(kernel)} {padding} stride={show(stride)}"

        def summed(x: Any) -> Any:
            x = padded(x, padding, kernel, stride)
            return F.avg_pool2d(x, kernel, stride, divisor_override=1)

        agrees(
            f"input {size}; pool {written}",
            lambda x: F.max_pool2d(
                padded(x, padding, kernel, stride, value=-torch.inf),
                kernel,
                stride,
            ),
        )
        agrees(
            f"input {size}; avgpool {written}",
            lambda x: summed(x) / (kernel[0] * kernel[1]),
        )
        agrees(
            f"input {size}; avgpool {written} nocount",
            lambda x: summed(x) / summed(torch.ones_like(x)),
        )


def test_a_pool_may_pad_more_than_half_its_window() -> None:
    agrees(
        "input 2x7x7; pool 3 /1 pad=2",
        lambda x: F.max_pool2d(F.pad(x, (2, 2, 2, 2), value=-torch.inf), 3, 1),
    )


@pytest.mark.parametrize("rounding", ["floor", "ceil"])
@pytest.mark.parametrize(("written", "pads"), [("", 0), ("pad=1", 1), ("pad", 2)])
def test_a_dilated_pool(written: str, pads: int, rounding: str) -> None:
    for stride in (1, 2, 3):
        agrees(
            f"input 2x11x9; pool 3x2 /{stride} {written} dilation=2x3 {rounding}",
            lambda x: F.max_pool2d(
                F.pad(x, (pads,) * 4, value=-torch.inf),
                (3, 2),
                stride,
                dilation=(2, 3),
                ceil_mode=rounding == "ceil",
            ),
        )
    agrees("input 2x9x9; pool 2 /1 same dilation=3", lambda x: F.max_pool2d(
        F.pad(x, (1, 2, 1, 2), value=-torch.inf), 2, 1, dilation=3))  # fmt: skip


def test_the_stride_of_a_pool_is_its_window() -> None:
    agrees("input 2x7x7; pool 3", lambda x: F.max_pool2d(x, 3))
    agrees("input 2x7x7; avgpool 3x2", lambda x: F.avg_pool2d(x, (3, 2)))


def test_gap_and_gmp() -> None:
    agrees("input 3x5x4; gap", lambda x: x.mean((2, 3), keepdim=True))
    agrees("input 3x5x4; gmp", lambda x: x.amax((2, 3), keepdim=True))


@pytest.mark.parametrize("size", ["6x5x4", "6"])
def test_bn(size: str) -> None:
    def reference(x: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any) -> Any:
        return F.batch_norm(x, running_mean, running_var, weight, bias, eps=1e-3)

    agrees(f"input {size}; bn eps=1e-3", reference)


def test_a_norm_need_not_learn_a_factor_or_an_offset() -> None:
    agrees("input 6x5x4; bn noscale", lambda x, bias, running_mean, running_var: F.batch_norm(
        x, running_mean, running_var, bias=bias))  # fmt: skip
    agrees("input 6x5x4; gn 2 noshift", lambda x, weight: F.group_norm(x, 2, weight))
    agrees("input 6x5x4; in noscale noshift", F.instance_norm)
    agrees("input 6; ln noscale noshift", lambda x: F.layer_norm(x, (6,)))


def test_ln_is_over_the_channels() -> None:
    def reference(x: Any, weight: Any, bias: Any) -> Any:
        last = F.layer_norm(x.movedim(1, -1), (6,), weight, bias, 1e-6)
        return last.movedim(-1, 1)

    agrees("input 6x5x4; ln eps=1e-6", reference)
    agrees("input 6; ln eps=1e-6", reference)


@pytest.mark.parametrize("groups", [1, 2, 6])
def test_gn(groups: int) -> None:
    agrees(
        f"input 6x5x4; gn {groups} eps=1e-3",
        lambda x, weight, bias: F.group_norm(x, groups, weight, bias, 1e-3),
    )


def test_in() -> None:
    agrees(
        "input 6x5x4; in eps=1e-3",
        lambda x, weight, bias: F.instance_norm(x, weight=weight, bias=bias, eps=1e-3),
    )


@pytest.mark.parametrize("size", [1, 3, 5])
def test_lrn(size: int) -> None:
    agrees(
        f"input 6x5x4; lrn {size} alpha=0.3 beta=0.6 k=2",
        lambda x: F.local_response_norm(x, size, 0.3, 0.6, 2.0),
    )


def by_channel(weight: Any, x: Any) -> Any:
    return weight.reshape(-1, *(1 for _ in x.shape[2:]))


ACTIVATIONS: dict[str, Callable[..., Any]] = {
    "relu": F.relu,
    "relu6": lambda x: F.relu6(3 * x / 3),
    "leaky": lambda x: F.leaky_relu(x, 0.01),
    "leaky alpha=0.2": lambda x: F.leaky_relu(x, 0.2),
    "prelu": lambda x, weight: F.prelu(x, weight.reshape(-1)),
    "elu": F.elu,
    "elu alpha=0.5": lambda x: F.elu(x, 0.5),
    "celu": F.celu,
    "celu alpha=0.3": lambda x: F.celu(x, 0.3),
    "logsigmoid": F.logsigmoid,
    "softsign": F.softsign,
    "clamp": F.hardtanh,
    "clamp low=-0.3 high=0.5": lambda x: x.clamp(-0.3, 0.5),
    "selu": F.selu,
    "gelu": F.gelu,
    "silu": F.silu,
    "hsigmoid": F.hardsigmoid,
    "hswish": F.hardswish,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softmax": lambda x: torch.softmax(x, 1),
    "logsoftmax": lambda x: torch.log_softmax(x, 1),
    "softplus": F.softplus,
    "mish": F.mish,
    "scale": lambda x, weight: x * by_channel(weight, x),
    "scale 1/8 fixed": lambda x: x / 8,
}


@pytest.mark.parametrize("size", ["6x5x4", "6"])
@pytest.mark.parametrize("text", ACTIVATIONS)
def test_activations(text: str, size: str) -> None:
    agrees(f"input {size}; {text}", ACTIVATIONS[text])


@pytest.mark.parametrize(
    "word",
    [
        "relu6",
        "hsigmoid",
        "hswish",
        "softplus",
        "mish",
        "gelu",
        "selu",
        "celu",
        "logsigmoid",
        "softsign",
        "clamp",
    ],
)
def test_activations_far_from_zero(word: str) -> None:
    model = cnndsl.parse(f"input 41; {word}")
    x = np.linspace(-40, 40, 41, dtype=np.float32)[None]
    theirs = ACTIVATIONS[word](torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(run(model.to_onnx(), x)["output"], theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("word", "start"), [("scale 1e-6", 1e-6), ("scale", 1), ("prelu", 0.25)])
def test_learned_factors_start_as_stated(word: str, start: float) -> None:
    (weight,) = cnndsl.parse(f"input 3x2x2; {word}").initial_weights().values()
    assert weight.shape == (3, 1, 1)
    np.testing.assert_array_equal(weight, np.float32(start))


@pytest.mark.parametrize("size", ["2x5x4", "2x1x3"])
@pytest.mark.parametrize("factor", [(1, 1), (2, 2), (3, 2), (5, 5)], ids=show)
def test_upsample(factor: tuple[int, int], size: str) -> None:
    agrees(
        f"input {size}; upsample {show(factor)}", lambda x: F.interpolate(x, scale_factor=factor)
    )
    agrees(
        f"input {size}; upsample {show(factor)} bilinear",
        lambda x: F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False),
    )
    agrees(
        f"input {size}; upsample {show(factor)} bilinear align",
        lambda x: F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=True),
    )


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_shuffle(groups: int) -> None:
    agrees(f"input 6x4x3; shuffle {groups}", lambda x: F.channel_shuffle(x, groups))


def test_slice() -> None:
    agrees("input 6x4x3; slice 1 4", lambda x: x[:, 1:4])
    agrees("input 6x4x3; slice 2", lambda x: x[:, 2:])
    agrees("input 6; slice 0 2; slice 1 end=2", lambda x: x[:, 1:2])


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_pixelshuffle(factor: int) -> None:
    def tensorflows(x: Any) -> Any:
        """`depth_to_space`: the channels are a square's place, then c."""
        n, channels, h, w = x.shape
        table = x.reshape(n, factor, factor, channels // factor**2, h, w)
        return table.permute(0, 3, 4, 1, 5, 2).reshape(n, -1, h * factor, w * factor)

    agrees(f"input 36x3x2; pixelshuffle {factor}", lambda x: F.pixel_shuffle(x, factor))
    agrees(f"input 36x3x2; pixelshuffle {factor} dcr", tensorflows)


def test_reshape() -> None:
    agrees("input 24; reshape 2x3x4", lambda x: x.reshape(-1, 2, 3, 4))
    agrees("input 2x3x4; reshape 24", lambda x: x.reshape(-1, 24))
    agrees("input 2x3x4; reshape 4x2x3", lambda x: x.reshape(-1, 4, 2, 3))


def test_zeropad_and_crop() -> None:
    agrees("input 2x5x6; zeropad 1x2", lambda x: F.pad(x, (2, 2, 1, 1)))
    agrees("input 2x5x6; zeropad 1 top=0 right=3", lambda x: F.pad(x, (1, 3, 0, 1)))
    agrees("input 2x5x6; crop 1x2", lambda x: x[:, :, 1:-1, 2:-2])
    agrees("input 2x5x6; crop bottom=2 left=1", lambda x: x[:, :, :-2, 1:])
    agrees("input 2x5x6; crop 0", lambda x: x)


@pytest.mark.parametrize(("word", "mode"), [("reflectpad", "reflect"), ("edgepad", "replicate")])
def test_borders_that_repeat_the_image(word: str, mode: str) -> None:
    agrees(f"input 2x5x6; {word} 3x2", lambda x: F.pad(x, (2, 2, 3, 3), mode=mode))
    agrees(f"input 2x5x6; {word} 1 top=0 right=4", lambda x: F.pad(x, (1, 4, 0, 1), mode=mode))
    agrees(f"input 2x5x6; {word} 0", lambda x: x)


def test_merges() -> None:
    agrees("input 2x3x4; add { relu | tanh | id }", lambda x: x.relu() + x.tanh() + x)
    agrees("input 2x3x4; a: relu; tanh; add a", lambda x: x.relu().tanh() + x.relu())
    agrees("input 2x3x4; concat { relu | tanh | }", lambda x: torch.cat((x.relu(), x.tanh(), x), 1))
    agrees(
        "input 2x3x4; a: relu; tanh; concat a", lambda x: torch.cat((x.relu().tanh(), x.relu()), 1)
    )
    agrees("input 2x3x4; mul { id | gap; sigmoid }", lambda x: x * x.mean((2, 3), True).sigmoid())
    agrees("input 2x3x4; mul { gap; sigmoid | id }", lambda x: x * x.mean((2, 3), True).sigmoid())
    agrees("input 2x3x4; residual { tanh } relu", lambda x: (x.tanh() + x).relu())
    agrees("input 2x4x4; residual auto { pool 2 }", lambda x: F.max_pool2d(x, 2))
    agrees("input 2x4x4; residual auto { tanh }", lambda x: x.tanh() + x)
    agrees("input 5; add { relu | tanh }", lambda x: x.relu() + x.tanh())
    agrees("input 5; concat { relu | tanh }", lambda x: torch.cat((x.relu(), x.tanh()), 1))
    agrees("input 5; mul { relu | tanh }", lambda x: x.relu() * x.tanh())


# What a layer sees


def rows_seen(model: cnndsl.Model) -> int:
    """From the first to the last row of the input that one row of the output depends on."""
    tensors, height = random_tensors(model), model.input[1]
    x = np.repeat(random_input(model, batch=1), height + 1, axis=0)
    for row in range(height):
        x[row + 1, :, row] += 1
    y = run(model.to_onnx(tensors), x)["output"]
    changed = (y[1:] != y[:1]).any((1, 3))
    seen = [np.flatnonzero(column) for column in changed.T]
    return max(int(rows[-1] - rows[0]) + 1 for rows in seen if len(rows))


@pytest.mark.parametrize(
    "text",
    [
        "id",
        "conv 2 3x1",
        "conv 2 5x1 same dilation=2",
        "conv 2 3x1 /2; conv 2 3x1 /2; conv 2 3x1",
        "avgpool 2; conv 2 3x1; avgpool 3x1 /2; dwconv 2x1",
        "upsample 2; conv 2 3x1",
        "upsample 2 bilinear",
        "pool 3x1 /1 dilation=2; conv 2 3x1",
        "upconv 2 3x1 /2 dilation=2",
        "conv 4 3x1; pixelshuffle 2; conv 2 2x1",
        "slice 1; conv 2 3x1 same",
        "conv 2 3x1 /2; upsample 2 bilinear; conv 2 3x1",
        "upsample 1 bilinear; conv 2 3x1",
        "upconv 2 3x1 /2",
        "upconv 2 2x1 /2; conv 2 3x1",
        "avgpool 8x1; upsample 8x1; conv 2 3x1 same",
        "avgpool 8x1; upsample 8x1 bilinear; conv 2 3x1 same",
        "avgpool 8x1; upconv 2 8x1 /8; conv 2 3x1 same",
        "conv 2 3x1 same; avgpool 8x1; upsample 8x1; conv 2 3x1 same; conv 2 3x1 same",
        "avgpool 4x1; conv 2 3x1 same; upsample 2; conv 2 3x1 same; upsample 2; conv 2 3x1 same",
        "avgpool 2x1; upsample 2; conv 2 2x1",
        "zeropad 3; conv 2 3x1; crop 2",
        "add { conv 2 5x1 same | conv 2 3x1 same }",
        "conv 2 3x1; gap",
    ],
)
def test_windows_are_what_an_output_sees(text: str) -> None:
    model = cnndsl.parse(f"input 2x40x3\n{text}")
    assert receptive_fields(model.ir)[-1][0] == rows_seen(model)


# What a layer does in training


class Training(Emitter):
    """A model of one layer on a training tape; random numbers and new statistics are visible."""

    def __init__(self, tensors: Arrays) -> None:
        super().__init__(Tape(), training=True)
        self.tensors = tensors

    def param(self, name: str) -> Value:
        return self.tape.const(self.tensors[name], name)

    def update(self, name: str, value: Value) -> None:
        self.tape.outputs["new_" + name] = value

    def uniform(self, *shape: int | str) -> Value:
        return self.tape.input("uniform", shape)


def trained(layer: Layer, feeds: Arrays, tensors: Arrays) -> Arrays:
    """Outputs of a layer in training, and what it updates."""
    emitter = Training(tensors)
    x = emitter.tape.input("input", ("N", *feeds["input"].shape[1:]))
    emitter.tape.outputs["y"] = layer.emit(emitter, x)
    ready = session(export(emitter.tape, "layer"))
    names = [output.name for output in ready.get_outputs()]
    return dict(zip(names, ready.run(names, feeds), strict=True))


def test_bn_in_training_uses_the_batch_and_updates_the_running_statistics() -> None:
    x, rng = random_array(8, 3, 5, 4), np.random.default_rng(2)
    names = ("weight", "bias", "running_mean", "running_var")
    tensors = {name: rng.uniform(0.5, 2, 3).astype(np.float32) for name in names}
    found = trained(BatchNorm(momentum=0.3), {"input": x}, tensors)
    mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3))
    theirs = F.batch_norm(
        torch.from_numpy(x), None, None, *(torch.from_numpy(tensors[n]) for n in names[:2]), True
    )
    assert error(found["y"], theirs.numpy()) <= 1e-5
    assert error(found["new_running_mean"], 0.7 * tensors["running_mean"] + 0.3 * mean) <= 1e-5
    assert error(found["new_running_var"], 0.7 * tensors["running_var"] + 0.3 * var) <= 1e-5


def test_dropout_drops_values_and_droppath_samples() -> None:
    x = random_array(4, 3, 5, 4)
    for layer, shape in ((Dropout(0.25), x.shape), (DropPath(0.25), (4, 1, 1, 1))):
        u = np.random.default_rng(3).uniform(size=shape).astype(np.float32)
        found = trained(layer, {"input": x, "uniform": u}, {})["y"]
        np.testing.assert_allclose(found, x * (u >= 0.25) / 0.75, rtol=1e-6)


def test_dropout_0_is_nothing() -> None:
    x = random_array(4, 3)
    np.testing.assert_array_equal(trained(Dropout(0.0), {"input": x}, {})["y"], x)


@pytest.mark.parametrize("word", ["dropout 0.5", "droppath 0.5", "id"])
def test_nothing_is_dropped_at_inference(word: str) -> None:
    agrees(f"input 2x3x4; {word}", lambda x: x)
    assert not cnndsl.parse(f"input 2x3x4; {word}; relu").to_onnx().graph.node[1:]


# What a layer refuses


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("conv 4 3x3 same pad=1", "E108", "`same` and `pad=1x1` are two paddings"),
        ("dwconv 3x3 pad pad=2", "E108", "`pad` and `pad=2x2` are two paddings"),
        ("pool 2 same pad=1", "E108", "two paddings"),
        ("upconv 4 2x2 same pad=1 /2", "E108", "two paddings"),
        ("upconv 4 3x3 same /2 extra=1", "E108", "`same` and `extra`"),
        ("upconv 4 3x3 /2 extra=2", "E107", "smaller than the stride"),
        ("upconv 4 2x2 pad=9", "E201", "leaves nothing"),
        ("conv 4 9x9", "E201", "kernel 9x9 does not fit a 8x8 input"),
        ("conv 4 5x5 dilation=2", "E201", "kernel 5x5 with dilation 2x2 does not fit"),
        ("pool 3 dilation=4", "E201", "window 9x9 does not fit a 8x8 input"),
        ("pool 3 dilation=2 pad=5", "E201", "a window would see only padding"),
        ("slice 0 4; crop 3; pool 2 /1 pad=1 dilation=3", "E201", "would see only padding"),
        ("upconv 4 2x2 groups=3", "E205", "3 groups do not divide 4 channels"),
        ("upconv 3 2x2 groups=2", "E205", "2 groups do not divide 3 filters"),
        ("upsample 2 align", "E108", "`align` is for `bilinear`"),
        ("slice 2 2", "E205", "channels 2 to 2 are not in an input of 4"),
        ("slice 0 5", "E205", "channels 0 to 5 are not in an input of 4"),
        ("slice 4", "E205", "channels 4 to 4 are not in an input of 4"),
        ("conv 5 1x1; pixelshuffle 2", "E205", "5 channels are no multiple of 2² = 4"),
        ("reflectpad 8", "E201", "at most 7x7 rows and columns"),
        ("pool 9", "E201", "window 9x9 does not fit a 8x8 input"),
        ("pool 2 pad=2", "E201", "a window would see only padding"),
        ("conv 4 3x3 groups=3", "E205", "3 groups do not divide 4 input channels"),
        ("conv 6 3x3 groups=4", "E205", "4 groups do not divide 6 filters"),
        ("gn 3", "E205", "3 groups do not divide 4 channels"),
        ("shuffle 3", "E205", "3 groups do not divide 4 channels"),
        ("lrn 4", "E107", "odd size"),
        ("crop 4", "E201", "leaves nothing"),
        ("reshape 3x8x8", "E206", "holds 192 values"),
        ("dense 4", "E202", "the image 4x8x8"),
        ("flatten; conv 4 3x3", "E202", "`conv` needs an image"),
        ("add { id | pool 2 }", "E203", "equal shapes"),
        ("mul { id | conv 3 1x1 }", "E203", "equal shapes"),
        ("concat { id | pool 2 }", "E204", "equal heights and widths"),
    ],
)
def test_refusals(text: str, code: str, said: str) -> None:
    (found,) = cnndsl.check(f"input 4x8x8\n{text}\nrelu")
    assert (found.code, found.span.line) == (code, 2)
    assert said in found.message
    assert found.help
