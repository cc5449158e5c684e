"""Calls of Keras and PyTorch are read, never run: each becomes our line, with its own defaults."""

from math import prod

import pytest
from mistakes import diagnostics_of

from cnndsl.api import Model, parse
from cnndsl.frameworks.regions import regions
from cnndsl.lints import inspect
from cnndsl.lints.fixing import fixed
from cnndsl.source import Diagnostic, Source

TUTORIAL = """
import tensorflow as tf
from tensorflow.keras import datasets, layers, models

(train_images, train_labels), (test_images, test_labels) = datasets.cifar10.load_data()
train_images, test_images = train_images / 255.0, test_images / 255.0

model = models.Sequential([
    layers.Conv2D(32, (3, 3), activation='relu', padding='same', input_shape=(32, 32, 3)),
    layers.MaxPooling2D((2, 2)),  # 16x16
    layers.Conv2D(64, (3, 3), activation='relu', padding='same'),
    layers.MaxPooling2D((2, 2)),
    layers.Conv2D(128, (3, 3), activation='relu', padding='same'),
    layers.MaxPooling2D((2, 2)),
    layers.Flatten(),
    layers.Dense(128, activation='relu'),
    layers.Dense(10)
])
model.summary()
"""
COMPILED = (
    TUTORIAL
    + """
model.compile(optimizer='adam',
              loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
              metrics=['accuracy'])
history = model.fit(train_images, train_labels, epochs=10,
                    validation_data=(test_images, test_labels))
test_loss, test_acc = model.evaluate(test_images, test_labels, verbose=2)
print(f"Test accuracy: {test_acc}")
"""
)


def network(*lines: str) -> str:
    """A spec of an image with 8 channels, with lines in the middle."""
    return "\n".join(["input 3x32x32", "conv 8 3x3 same", *lines, "gap; dense 10", ""])


def mended(*lines: str) -> list[str]:
    """The lines as `check --fix` writes them, once; the spec checks then."""
    result = fixed(Source(network(*lines)))
    assert inspect(result.source)[0] is not None, diagnostics_of(result.source.text)
    return result.source.text.splitlines()[2:-1]


def errors(spec: str) -> list[Diagnostic]:
    return [d for d in diagnostics_of(spec) if d.severity == "error"]


def learned(model: Model) -> int:
    """The number of learned parameters."""
    return sum(prod(p.shape) for node in model.ir.nodes for p in node.params if p.learned)


def translated(text: str) -> list[str]:
    """The lines of a text that is one program without a problem."""
    (region,) = regions(text)
    assert region.problems == ()
    return list(region.lines)


def check_against_pytorch(text: str):
    """A program whose `net` has the parameters and the shape that PyTorch gives it."""
    torch = pytest.importorskip("torch")
    names = {"nn": torch.nn, "F": torch.nn.functional, "torch": torch}
    exec(text, names)
    theirs = names["net"].eval()
    ours = parse(fixed(Source(f"input 3x32x32\n{text}")).source.text)
    out = theirs(torch.zeros(1, 3, 32, 32)).shape[1:]
    assert tuple(ours.ir.nodes[-1].shape) == tuple(out)
    assert learned(ours) == sum(p.numel() for p in theirs.parameters())


# Whole programs


@pytest.mark.parametrize("text", [TUTORIAL, COMPILED])
def test_the_tutorials_text_is_one_diagnostic_and_one_fix(text: str):
    (found,) = errors(text)
    assert found.code == "E006"
    result = fixed(Source(text))
    model, left = inspect(result.source)
    assert left == []
    assert model is not None
    assert learned(parse(result.source.text)) == 356_810


def test_compile_and_fit_become_the_train_section():
    recipe = parse(fixed(Source(COMPILED)).source.text).ir.recipe
    assert recipe is not None
    assert (recipe.data, recipe.epochs, recipe.batch) == ("cifar10", 10, 32)
    assert (recipe.loss.word, recipe.optimizer.word) == ("cross_entropy", "adam")
    assert recipe.setting("optimizer") == "optimizer adam eps=1e-07"


def test_the_help_is_the_whole_spec():
    (found,) = errors("model = Sequential([Flatten(input_shape=(28, 28)), Dense(10)])")
    assert found.help == "write `input 1x28x28; flatten; dense 10`"


def test_of_a_long_translation_the_help_is_the_start():
    assert errors(TUTORIAL)[0].help == (
        "it is 14 lines here, which `cnndsl check --fix` writes: `input 3x32x32; default conv "
        "init=glorot_uniform; …`"
    )


def test_a_single_line_is_shown_whole_however_long():
    call = (
        "Conv2D(512, (11, 9), strides=(2, 1), padding='same', activation='leaky_relu', "
        "use_bias=False, kernel_initializer='orthogonal', kernel_regularizer=l2(0.00012345))"
    )
    ours = "conv 512 11x9 same stride=2x1 nobias leaky alpha=0.2 init=orthogonal l2=0.00012345"
    assert errors(network(call))[0].help == f"write `{ours}`"
    assert mended(call) == [ours]


def test_how_kernels_of_a_lone_call_are_drawn_is_a_note():
    (found,) = errors(network("Conv2D(32, (3, 3), activation='relu', padding='same')"))
    assert found.fix is not None
    assert found.fix.text == "conv 32 3x3 same relu"
    assert "`default conv init=glorot_uniform` says it for all" in found.notes[0]


PROGRAMS = {
    "a model that grows by add": (
        "model = Sequential()\nmodel.add(Input((8, 8, 3)))\nmodel.add(Flatten())\n"
        "model.add(Dense(10, activation='softmax'))\n"
        "model.compile('sgd', 'categorical_crossentropy')\nmodel.fit(x, y, 64, 3)",
        ["input 3x8x8", "flatten", "dense 10", "train {", "  epochs 3", "  batch 64",
         "  loss cross_entropy", "  optimizer sgd", "}"],
    ),
    "torch, in nested sequences": (
        "import torch.nn as nn\nnet = nn.Sequential(nn.Sequential(nn.Flatten()), nn.Linear(4, 2))",
        ["flatten", "dense 2"],
    ),
    "layers with names": (
        "net = nn.Sequential(OrderedDict([('c', nn.Conv2d(3, 4, 3)), ('r', nn.ReLU())]))",
        ["conv 4 3x3", "relu"],
    ),
    "a function that builds it, with constants": (
        "units = 7\ndef build():\n    model = Sequential([Input(shape=(4,)), Dense(units)])\n"
        "    return model",
        ["input 4", "dense 7"],
    ),
    "a chain of calls": (
        "inputs = keras.Input(shape=(8, 8, 3))\nx = layers.Conv2D(4, 3)(inputs)\n"
        "outputs = layers.GlobalAveragePooling2D()(x)\nmodel = keras.Model(inputs, outputs)",
        ["input 3x8x8", "conv 4 3x3 init=glorot_uniform", "gap"],
    ),
    "callbacks": (
        "model = Sequential([Input((4,)), Dense(2)])\nmodel.fit(x, y, epochs=9, callbacks=["
        "EarlyStopping(patience=4), ModelCheckpoint('a'), ReduceLROnPlateau(patience=2)])",
        ["input 4", "dense 2", "train {", "  epochs 9", "  schedule plateau patience=2",
         "  stop 4", "}"],
    ),
    "torch with optimizer and loss": (
        "model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))\n"
        "criterion = nn.CrossEntropyLoss(label_smoothing=0.1)\n"
        "optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)\n"
        "scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=30)",
        ["flatten", "dense 2", "train {", "  loss cross_entropy smooth=0.1",
         "  optimizer sgd lr=0.1 momentum=0.9", "  schedule step every=30", "}"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name: str):
    text, lines = PROGRAMS[name]
    assert translated(text) == lines


def test_an_initialiser_that_several_layers_share_is_said_once():
    (region,) = regions("Sequential([Conv2D(4, 3), Conv2D(8, 3), Dense(2)])")
    assert region.lines == (
        "default conv init=glorot_uniform", "conv 4 3x3", "conv 8 3x3", "dense 2"
    )  # fmt: skip


def test_what_has_no_counterpart_is_named_at_its_place_and_nothing_is_changed():
    text = (
        "model = Sequential([\n  Conv2D(8, 3, input_shape=(8, 8, 3)),\n  LSTM(3),\n  Dense(2)\n])\n"
    )
    (found,) = errors(text)
    assert (found.code, found.span.line, found.span.text) == ("E006", 3, "LSTM(3)")
    assert "the nearest is `conv`" in (found.help or "")
    assert fixed(Source(text)).source.text == text


@pytest.mark.parametrize("call", ["Dense(num_classes)", "Conv2D(8, 3, input_shape=shape)",
                                  "fit(x, y, epochs=epochs)"])  # fmt: skip
def test_a_value_that_the_code_does_not_say_is_told_as_missing(call: str):
    first = next(d for d in errors(f"input 3x8x8\n{call}\n") if d.code == "E006")
    assert first.message == "a value of this call is not known"
    assert (first.help or "").startswith("this code does not say what")


# One call on a line

KERAS = {
    "Conv2D(32, (3, 3), activation='relu', padding='same')": "conv 32 3x3 same relu",
    "keras.layers.Conv2D(32, 3, 2, 'same', use_bias=False)": "conv 32 3x3 same /2 nobias",
    'layers.Conv2D(filters=16, kernel_size=(1, 7), dilation_rate=2, padding="same"),': "conv 16 1x7"
    " same dilation=2",
    "Conv2D(8, 3, kernel_initializer='glorot_uniform')": "conv 8 3x3 init=glorot_uniform",
    "tf.keras.layers.Conv2D(8, 3, kernel_initializer='he_normal', padding='valid')":
        "conv 8 3x3 valid",
    "model.add(Conv2D(8, 3, kernel_regularizer=l2(1e-4)))": "conv 8 3x3 l2=0.0001",
    "DepthwiseConv2D(3, padding='same')": "dwconv 3x3 same",
    "SeparableConv2D(16, 3, activation='relu')": "dwconv 3x3 nobias; conv 16 1x1 relu",
    "Conv2DTranspose(16, 2, strides=2)": "upconv 16 2x2 /2",
    "Conv2DTranspose(16, 1, strides=2)": "upconv 16 1x1 /2 extra=1",
    "MaxPooling2D()": "pool 2",
    "MaxPool2D((3, 3), strides=2, padding='same')": "pool 3 same /2",
    "AveragePooling2D(3, 1, 'same')": "avgpool 3 same /1 nocount",
    "BatchNormalization()": "bn eps=0.001 momentum=0.01",
    "BatchNormalization(momentum=0.9, epsilon=1e-5)": "bn",
    "LayerNormalization()": "ln eps=0.001",
    "GroupNormalization(4)": "gn 4 eps=0.001",
    "BatchNormalization(scale=False)": "bn noscale eps=0.001 momentum=0.01",
    "LayerNormalization(center=False)": "ln noshift eps=0.001",
    "layers.LeakyReLU()": "leaky alpha=0.3",
    "LeakyReLU(0.1)": "leaky alpha=0.1",
    "layers.LeakyReLU(alpha=0.2)": "leaky alpha=0.2",
    "Activation('relu')": "relu",
    "Activation('swish')": "silu",
    "Activation(tf.nn.relu6)": "relu6",
    "ReLU(6.0)": "relu6",
    "layers.ReLU(negative_slope=0.2)": "leaky alpha=0.2",
    "layers.ELU()": "elu",
    "layers.Dropout(0.25)": "dropout 0.25",
    "ZeroPadding2D(((0, 1), (0, 1)))": "zeropad bottom=1 right=1",
    "Cropping2D(2)": "crop 2",
    "Conv2DTranspose(16, 3, dilation_rate=2)": "upconv 16 3x3 dilation=2",
    "UpSampling2D((2, 2), interpolation='bilinear')": "upsample 2 bilinear",
    "layers.Reshape((32, 16, 16))": "reshape 16x32x16",
}  # fmt: skip
TORCH = {
    "nn.Conv2d(8, 32, 3, padding=1)": "conv 32 3x3 pad=1",
    "Conv2d(8, 32, 3, padding=1)": "conv 32 3x3 pad=1",
    "self.conv1 = nn.Conv2d(8, 32, kernel_size=3, stride=2, padding='valid', bias=False)":
        "conv 32 3x3 valid /2 nobias",
    "torch.nn.Conv2d(8, 16, (1, 7), padding=(0, 3), groups=4),": "conv 16 1x7 pad=0x3 groups=4",
    "nn.ConvTranspose2d(8, 4, 3, stride=2, padding=1, output_padding=1)":
        "upconv 4 3x3 /2 pad=1 extra=1",
    "nn.MaxPool2d(2)": "pool 2",
    "nn.MaxPool2d(3, 2, 1)": "pool 3 /2 pad=1",
    "nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)": "avgpool 3 /1 pad=1 nocount",
    "nn.AdaptiveAvgPool2d((1, 1))": "gap",
    "nn.BatchNorm2d(8)": "bn",
    "nn.BatchNorm2d(8, eps=1e-3, momentum=0.01)": "bn eps=0.001 momentum=0.01",
    "nn.GroupNorm(4, 8)": "gn 4",
    "nn.InstanceNorm2d(8, affine=True)": "in",
    "nn.InstanceNorm2d(8)": "in noscale noshift",
    "nn.BatchNorm2d(8, affine=False, momentum=0.4)": "bn noscale noshift momentum=0.4",
    "self.norm = nn.LayerNorm(8, bias=False)": "ln noshift",
    "nn.GroupNorm(4, 8, affine=False)": "gn 4 noscale noshift",
    "nn.LeakyReLU()": "leaky alpha=0.01",
    "nn.LeakyReLU(0.2, inplace=True)": "leaky alpha=0.2",
    "nn.PReLU(8)": "prelu",
    "nn.ReLU(inplace=True)": "relu",
    "nn.SiLU()": "silu",
    "nn.Hardswish()": "hswish",
    "nn.GELU()": "gelu",
    "nn.Dropout()": "dropout 0.5",
    "nn.Upsample(scale_factor=2, mode='bilinear')": "upsample 2 bilinear",
    "nn.ZeroPad2d((1, 2, 0, 0))": "zeropad left=1 right=2",
    "nn.MaxPool2d(3, stride=1, padding=1, dilation=2)": "pool 3 /1 pad=1 dilation=2",
    "nn.ConvTranspose2d(8, 4, 3, groups=2, dilation=2)": "upconv 4 3x3 dilation=2 groups=2",
    "nn.PixelShuffle(2)": "pixelshuffle 2",
    "nn.Upsample(scale_factor=2, mode='bilinear', align_corners=True)": "upsample 2 bilinear align",
    "nn.UpsamplingBilinear2d(scale_factor=2)": "upsample 2 bilinear align",
    "nn.ReflectionPad2d((1, 1, 2, 0))": "reflectpad left=1 right=1 top=2",
    "nn.ReplicationPad2d(3)": "edgepad 3",
    "nn.Identity()": "id",
}  # fmt: skip


@pytest.mark.parametrize("call", KERAS)
def test_a_call_of_keras(call: str):
    (found,) = errors(network(call))
    assert found.code == "E006"
    assert found.fix is not None
    assert mended(call) == [KERAS[call]]


@pytest.mark.parametrize("call", TORCH)
def test_a_call_of_pytorch(call: str):
    (found,) = errors(network(call))
    assert found.fix is not None
    assert mended(call) == [TORCH[call]]


@pytest.mark.parametrize("call", [c for c in TORCH if "self" not in c and c.startswith("nn")])
def test_our_line_computes_the_shape_that_pytorch_computes(call: str):
    torch = pytest.importorskip("torch")
    theirs = eval(call.rstrip(","), {"nn": torch.nn}).eval()
    out = theirs(torch.zeros(1, 8, 32, 32)).shape[1:]
    ours = parse(f"input 8x32x32\n{TORCH[call]}\n")
    assert tuple(ours.ir.nodes[-1].shape) == tuple(out)
    counts = sum(p.numel() for p in theirs.parameters())
    assert learned(ours) == counts


def test_the_input_of_a_first_layer_is_written_where_the_spec_has_none():
    call = "Conv2D(8, 3, padding='same', activation='relu', input_shape=(32, 32, 3))"
    text = fixed(Source(f"{call}\ngap; dense 10\n")).source.text
    assert text.startswith("input 3x32x32\nconv 8 3x3 same relu\n")
    assert mended(call) == ["conv 8 3x3 same relu"]


def test_calls_in_braces_keep_their_place():
    assert mended("residual { Conv2D(8, 3, padding='same'); ReLU() }") == [
        "residual { conv 8 3x3 same; relu }"
    ]


@pytest.mark.parametrize("call", ["LeakyReLU()", "LeakyReLU(), "])
def test_where_frameworks_differ_and_nothing_tells_which_both_are_named(call: str):
    (found,) = errors(network(call))
    assert found.fix is None
    assert found.help == (
        "which framework is it? It is `leaky alpha=0.3` in Keras, `leaky alpha=0.01` in PyTorch"
    )
    assert mended("BatchNorm2d(8)", "LeakyReLU()") == ["bn", "leaky alpha=0.01"]
    assert mended("BatchNormalization()", "LeakyReLU()")[1] == "leaky alpha=0.3"


@pytest.mark.parametrize(
    ("call", "part"),
    [
        ("nn.AdaptiveAvgPool2d(7)", "`gap`"),
        ("nn.Conv2d(8, 8, 3, padding=1, padding_mode='reflect')", "`padding_mode=reflect`"),
        ("nn.GELU(approximate='tanh')", "`approximate=tanh`"),
        ("Conv2D(8, 3, kernel_constraint=max_norm(3))", "`kernel_constraint=max_norm`"),
        ("layers.Conv3D(8, 3)", "the nearest is `conv`"),
        ("layers.MultiHeadAttention(4, 16)", "the nearest is a gate"),
        ("layers.Embedding(1000, 64)", "the nearest is `dense`"),
        ("nn.LSTM(8, 8)", "the nearest is `conv`"),
        ("layers.PReLU()", "shared_axes"),
    ],
)
def test_what_is_nearest_is_said_where_there_is_no_counterpart(call: str, part: str):
    (found,) = errors(network(call))
    assert (found.code, found.fix) == ("E006", None)
    assert part in (found.help or "")


def test_the_rest_of_the_spec_is_checked_as_if_the_calls_were_mended():
    spec = network("nn.Conv2d(8, 30, 3, padding=1)", "conv 8 3x3 smae", "gn 7")
    found = [(d.code, d.span.line) for d in errors(spec)]
    assert found == [("E006", 3), ("E102", 4), ("E205", 5)]


def test_a_mistake_in_a_call_is_said_at_the_call():
    found = errors(network("pool 16", "nn.Conv2d(8, 8, 5)"))
    assert [(d.code, d.span.text) for d in found] == [
        ("E006", "nn.Conv2d(8, 8, 5)"), ("E201", "nn.Conv2d(8, 8, 5)"),
    ]  # fmt: skip


# Settings

SETTINGS = {
    "compile(optimizer='adam', loss='mse')": ["train {", "  loss mse", "  optimizer adam eps=1e-07",
                                              "}"],
    "fit(epochs=10, batch_size=32)": ["train {", "  epochs 10", "  batch 32", "}"],
    "fit(x, y, validation_split=0.1)": ["train {", "  epochs 1", "  holdout 0.1", "}"],
    "fit(x, y, validation_split=0.1, validation_data=(u, v))": ["train {", "  epochs 1", "}"],
    "fit(x, y, validation_split=0.0)": ["train {", "  epochs 1", "}"],
    "optimizer Adam(1e-3)": ["train {", "  optimizer adam lr=0.001 eps=1e-07", "}"],
    "train { optimizer Adam(1e-3) }": ["train { optimizer adam lr=0.001 eps=1e-07 }"],
    "train { optimizer = torch.optim.AdamW(net.parameters(), 3e-4); epochs 2 }":
        ["train { optimizer adamw lr=0.0003; epochs 2 }"],
    "train { loss CrossEntropyLoss(label_smoothing=0.1) }":
        ["train { loss cross_entropy smooth=0.1 }"],
    "optimizer SGD(0.1, momentum=0.9, nesterov=True)":
        ["train {", "  optimizer sgd lr=0.1 momentum=0.9 nesterov", "}"],
    "train: epochs: 10": ["train {", "  epochs 10", "}"],
    "train { epochs: 10; batch_size: 64 }": ["train { epochs 10; batch 64 }"],
    "train: {epochs: 3, learning_rate: 0.01}":
        ["train {", "  epochs 3", "  optimizer adam lr=0.01", "}"],
}  # fmt: skip


@pytest.mark.parametrize("line", SETTINGS)
def test_settings(line: str):
    assert mended(line) == SETTINGS[line]


def test_a_section_of_yaml():
    assert mended("train:", "  epochs: 5", "  optimizer:", "    name: SGD", "    lr: 0.1") == [
        "train {", "  epochs 5", "  optimizer sgd lr=0.1", "}",
    ]  # fmt: skip


def test_compile_and_fit_that_stand_together_are_one_section():
    assert mended("model.compile(optimizer='rmsprop', loss='mse')", "model.fit(x, y)") == [
        "train {", "  epochs 1", "  loss mse",
        "  optimizer rmsprop lr=0.001 alpha=0.9 eps=1e-07", "}",
    ]  # fmt: skip


# Ours is never taken for theirs


@pytest.mark.parametrize(
    "spec",
    [
        "input 3x8x8\nlet k = max(3, 1)\nblock Conv2D(c) { conv c 3x3 }\nConv2D (k)",
        "input 8; dense (10)\ntraining: relu; add training",
        "input 3x8x8\nblock fit(c) { conv c 1x1 }\nfit (4)  # Conv2D(3, 3)",
    ],
)
def test_specs_that_check_are_not_looked_at(spec: str):
    assert errors(spec) == []


@pytest.mark.parametrize(
    "text",
    ["Conv2D(", "Conv2D(8, 3", "Conv2D(8, 3))", "nn.Conv2d(*)", "Conv2D(8, 3, ", "Dense(10)(",
     "Sequential([", "model.add(", "Conv2D('a', 3)", "Conv2D((((8))), 3)", "nn.Linear()",
     "Conv2D(8, 3, strides=(1, 2, 3))", "x = = Conv2D(3)", "Conv2D(8, 3, filters=3)",
     "Dense(" * 300 + ")" * 300, "é = Conv2D(8, 3)", "train:", "train: epochs:", "import",
     "fit(epochs=__import__('os').system('true'))", "Conv2D(1/0, 3)", "Conv2D(10**10**10, 3)"],
)  # fmt: skip
def test_broken_python_gives_errors_like_any_text(text: str):
    assert errors(network(text))
