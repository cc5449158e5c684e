"""Keras's layers without arithmetic: borders, sizes, shapes and the input."""

from cnndsl.frameworks.arguments import Arguments, NoCounterpart, short
from cnndsl.frameworks.keras_layers import LAYERS
from cnndsl.frameworks.keras_shapes import shape_of
from cnndsl.frameworks.values import Value, parts_of


def _sides(a: Arguments, word: str, name: str) -> str:
    """`zeropad 1`, `crop top=1 left=2 right=2`."""
    axes = parts_of(a.get(name, (1, 1))) or ()
    if len(axes) != 2 or not any(parts_of(axis) for axis in axes):
        return f"{word} {short(a.pair(name, (1, 1)))}"
    named = zip(("top", "bottom", "left", "right"), (*_ends(axes[0]), *_ends(axes[1])), strict=True)
    return word + "".join(f" {side}={count}" for side, count in named if count)


def _ends(axis: Value) -> tuple[Value, Value]:
    """Rows before and after, from one number or two."""
    ends = parts_of(axis) or (axis,)
    return ends[0], ends[-1]


@LAYERS.call("ZeroPadding2D", "padding data_format")
def zero_padding(a: Arguments) -> str:
    """`zeropad 1`."""
    return _sides(a, "zeropad", "padding")


@LAYERS.call("Cropping2D", "cropping data_format")
def cropping(a: Arguments) -> str:
    """`crop 1`."""
    return _sides(a, "crop", "cropping")


@LAYERS.call("UpSampling2D", "size data_format interpolation")
def upsampling(a: Arguments) -> str:
    """`upsample 2 bilinear`."""
    mode = a.word("interpolation", "nearest")
    if mode not in ("nearest", "bilinear"):
        raise NoCounterpart(f"there is no `{mode}` here; the nearest is `upsample 2 bilinear`")
    return f"upsample {short(a.pair('size', (2, 2)))}" + (" bilinear" if mode == "bilinear" else "")


@LAYERS.call("Reshape", "target_shape")
def reshape(a: Arguments) -> str:
    """`reshape 16x8x8`."""
    shape = a.needed("target_shape")
    return "flatten" if shape in ((-1,), -1) else f"reshape {shape_of(shape, a.call)}"


@LAYERS.call("Rescaling", "scale offset")
def rescaling(a: Arguments) -> str:
    """Nothing: images arrive as 0…1."""
    if a.get("scale") != 1 / 255 or a.get("offset", 0) != 0:
        raise NoCounterpart("leave it out: images arrive as 0…1, and training norms them")
    return ""


@LAYERS.call("InputLayer Input", "shape batch_size")
def input_layer(a: Arguments) -> str:
    """`input 3x32x32`."""
    a.skip("batch_size")
    given = a.get("shape")
    return f"input {shape_of(given, a.call)}" if given is not None else ""
