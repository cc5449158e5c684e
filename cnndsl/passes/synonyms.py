"""What users of Keras, PyTorch and Darknet write, and our words for it."""

from collections.abc import Collection
from functools import cache

from cnndsl.fields import flags, nearest
from cnndsl.layers import vocabulary

SYNONYMS = {
    "conv2d": "conv", "convolution": "conv", "convolutional": "conv", "maxpool": "pool",
    "maxpooling": "pool", "maxpooling2d": "pool", "maxpool2d": "pool", "max_pool": "pool",
    "averagepooling2d": "avgpool", "avgpool2d": "avgpool", "linear": "dense", "fc": "dense",
    "connected": "dense", "fullyconnected": "dense", "batchnorm": "bn", "batchnorm2d": "bn",
    "batchnormalization": "bn", "batch_norm": "bn", "batch_normalize": "bn",
    "averagepooling": "avgpool", "averagepool": "avgpool", "globalaveragepooling2d": "gap",
    "globalavgpool2d": "gap", "globalavgpool": "gap", "globalaveragepool": "gap",
    "adaptiveavgpool2d": "gap", "adaptiveavgpool": "gap", "globalmaxpooling2d": "gmp",
    "globalmaxpool2d": "gmp", "globalmaxpool": "gmp", "adaptivemaxpool2d": "gmp",
    "leakyrelu": "leaky", "leaky_relu": "leaky", "shortcut": "add", "skip": "residual",
    "route": "concat", "concatenate": "concat", "cat": "concat", "multiply": "mul",
    "convtranspose2d": "upconv", "conv2dtranspose": "upconv", "deconv": "upconv",
    "depthwiseconv2d": "dwconv", "layernorm": "ln", "groupnorm": "gn", "instancenorm": "in",
    "layernormalization": "ln", "groupnormalization": "gn", "instancenormalization": "in",
    "instancenorm2d": "in", "localresponsenorm": "lrn", "localresponsenormalization": "lrn",
    "swish": "silu", "hardswish": "hswish", "hardsigmoid": "hsigmoid", "upsampling2d": "upsample",
    "zeropadding2d": "zeropad", "cropping2d": "crop", "channelshuffle": "shuffle",
    "logits": "dense",
    "dropout2d": "dropout", "stochasticdepth": "droppath", "identity": "id", "view": "reshape",
    "pass": "id", "noop": "id", "include": "use", "import": "use", "version": "cnn",
    "def": "block", "function": "block", "module": "block", "class": "block",
    "var": "let", "const": "let", "set": "let", "elif": "else if",
}  # fmt: skip

_REPEAT = "a repeat stands behind its statement: `relu *3`; several make a `block`"
_LIST = "a spec is just the list of its layers, one statement a line"

HINTS = {
    "for": _REPEAT, "while": _REPEAT, "repeat": _REPEAT, "loop": _REPEAT,
    "sequential": _LIST, "model": _LIST, "net": _LIST, "network": _LIST, "layers": _LIST,
    "activation": "an activation is a word of its own: `relu`",
    "pixelshuffle": "there is no depth-to-space: `upsample 2` enlarges, so does `upconv`",
    "separableconv2d": "it is two statements: `dwconv 3x3 same; conv 64 1x1`",
    "return": "name an output with `output logits`; the last statement is one anyway",
}  # fmt: skip

# Theirs: ours, where the word has such a key.
_KEYS = {
    "kernel_size": "k", "kernel": "k", "strides": "stride", "dilation_rate": "dilation",
    "kernel_initializer": "init", "kernel_regularizer": "l2", "group": "groups",
    "num_groups": "groups", "epsilon": "eps", "rate": "p", "prob": "p", "drop_prob": "p",
    "negative_slope": "alpha", "slope": "alpha", "depth_multiplier": "multiplier",
    "output_padding": "extra", "learning_rate": "lr", "weight_decay": "decay",
    "label_smoothing": "smooth", "smoothing": "smooth", "beta_1": "beta1", "beta_2": "beta2",
}  # fmt: skip

_FIRST = "numbers stand behind the word without a name: `conv 64 3x3`, `dense 10`"
_KNOWN = "what comes in is known from the statements above: leave it out"

_KEY_HINTS = {
    "activation": "an activation is a word of its own: `conv 64 3x3 relu`",
    "padding": "write `same`, `valid`, `pad` or `pad=1`",
    "use_bias": "write `bias` or `nobias`", "bias": "write `bias` or `nobias`",
    "bias_initializer": "biases start at 0",
    "filters": _FIRST, "out_channels": _FIRST, "units": _FIRST, "out_features": _FIRST,
    "pool_size": _FIRST, "size": _FIRST,
    "in_channels": _KNOWN, "in_features": _KNOWN, "input_shape": _KNOWN, "input_dim": _KNOWN,
    "name": "a name is a label: `e1: conv 64 3x3`",
}  # fmt: skip


@cache
def reserved_words() -> frozenset[str]:
    """The layers and the flags that they take: no names for anything else."""
    layers = vocabulary()
    return frozenset((*layers, *(word for cls in layers.values() for word in flags(cls))))


def guess(name: str, known: Collection[str]) -> str | None:
    """The known name that was most likely meant; one or two letters are no ground for a guess."""
    same = next((k for k in sorted(known) if k.lower() == name.lower()), None)
    if same is not None or len(name) < 3:
        return same
    return nearest(name, set(known)) or nearest(name.lower(), set(known))


def meant(word: str, known: Collection[str]) -> str | None:
    """The word of ours that was meant."""
    return SYNONYMS.get(word.lower()) or guess(word, known)


def meant_key(key: str, known: Collection[str]) -> tuple[str | None, str | None]:
    """The key of ours that was meant, or else how the same thing is written."""
    ours = _KEYS.get(key.lower())
    if ours in known:
        return ours, None
    hint = _KEY_HINTS.get(key.lower())
    return (None, hint) if hint else (guess(key, known), None)
