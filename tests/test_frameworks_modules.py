"""Classes of layers and functions of tensors are followed, never run."""

import pytest
from mistakes import diagnostics_of
from test_frameworks import check_against_pytorch, errors, mended, translated

from cnndsl.lints.fixing import fixed
from cnndsl.source import Source

TUTORIAL = """
import torch.nn as nn
import torch.nn.functional as F

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 3, padding=1)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.fc1 = nn.Linear(64 * 8 * 8, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        return self.fc2(x)

net = Net()
"""
RESIDUAL = """
class Block(nn.Module):
    def __init__(self, cin, cout, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.shortcut = nn.Conv2d(cin, cout, 1, stride=stride)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        identity = x
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.shortcut(identity)
        return self.relu(out)

class Net(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU())
        self.first = Block(16, 16)
        self.second = Block(16, 32, stride=2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(32, classes)

    def forward(self, x):
        x = self.second(self.first(self.stem(x)))
        x = torch.flatten(self.pool(x), 1)
        return F.log_softmax(self.fc(x), dim=1)

net = Net(classes=7)
"""
BRANCHES = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, padding=1)
        self.b = nn.Conv2d(3, 4, 5, padding=2)
        self.fc = nn.Linear(12 * 16 * 16, 10)

    def forward(self, x):
        n = x.size(0)
        a = F.relu(self.a(x))
        b = self.b(x).relu()
        x = torch.cat([a, b], dim=1)
        x = F.dropout(F.max_pool2d(x, 2), 0.3, training=self.training)
        return self.fc(x.view(n, -1))

net = Net()
"""
LINES = {
    TUTORIAL: ["conv 32 3x3 pad=1", "relu", "pool 2", "conv 64 3x3 pad=1", "relu", "pool 2",
               "flatten", "dense 128", "relu", "dense 10"],
    BRANCHES: ["e1: id", "conv 8 3x3 pad=1", "e2: relu", "from e1", "conv 4 5x5 pad=2", "e3: relu",
               "from e2", "concat e3", "pool 2", "dropout 0.3", "flatten", "dense 10"],
}  # fmt: skip


@pytest.mark.parametrize("text", LINES)
def test_layers_stand_in_the_order_of_forward(text: str):
    assert translated(text) == LINES[text]


@pytest.mark.parametrize("text", [TUTORIAL, RESIDUAL, BRANCHES])
def test_a_class_has_the_parameters_and_the_shape_that_pytorch_gives_it(text: str):
    check_against_pytorch(text)


def test_what_is_left_out_is_a_note():
    (found,) = errors(f"input 3x32x32\n{RESIDUAL}")
    assert "`log_softmax` is left out: `loss cross_entropy` contains it" in found.notes[0]


FLAX = """
class CNN(nn.Module):
  @nn.compact
  def __call__(self, x):
    x = nn.Conv(features=32, kernel_size=(3, 3))(x)
    x = nn.relu(x)
    x = nn.avg_pool(x, window_shape=(2, 2), strides=(2, 2))
    x = x.reshape((x.shape[0], -1))
    return nn.Dense(features=10)(x)
"""
FUNCTIONAL = """
inputs = keras.Input(shape=(32, 32, 3))
x = layers.Conv2D(8, 3, padding='same')(inputs)
y = layers.Conv2D(8, 3, padding='same', activation='relu')(x)
x = layers.Add()([x, y])
z = layers.concatenate([x, y])
model = keras.Model(inputs, layers.GlobalAveragePooling2D()(z))
"""


def test_flax():
    assert translated(FLAX) == [
        "conv 32 3x3 same init=lecun_normal", "relu", "avgpool 2", "flatten",
        "dense 10 init=lecun_normal",
    ]  # fmt: skip


def test_a_functional_model_of_keras():
    assert fixed(Source(FUNCTIONAL)).source.text.split("\n") == [
        "", "input 3x32x32", "default conv init=glorot_uniform", "e1: conv 8 3x3 same",
        "e2: conv 8 3x3 same relu", "add e1", "concat e2", "gap", "",
    ]  # fmt: skip


# On lines of their own

CALLS = {
    "x = F.relu(x)": "relu",
    "tf.nn.relu(x)": "relu",
    "x = F.max_pool2d(x, 2)": "pool 2",
    "x = F.leaky_relu(x, 0.2)": "leaky alpha=0.2",
    "x = x.mean(dim=(2, 3))": "gap",
    "nn.Conv(features=32, kernel_size=(3, 3))": "conv 32 3x3 same",
    "x = nn.Conv(32, (3, 3), strides=2, padding='VALID')(x)": "conv 32 3x3 /2",
    "hk.Conv2D(32, 3, stride=2)": "conv 32 3x3 same /2",
    "nn.max_pool(x, (2, 2), strides=(2, 2))": "pool 2",
}


@pytest.mark.parametrize("call", CALLS)
def test_a_function_or_a_layer_of_jax(call: str):
    assert mended(call) == [CALLS[call]]


@pytest.mark.parametrize(
    ("lines", "place", "said"),
    [
        (
            "        for i in self.steps:\n            x = self.conv(x)\n        return x",
            "for",
            "loop",
        ),
        ("        return self.lstm(self.conv(x))", "nn.LSTM(8, 8)", "the nearest is `conv`"),
        ("        return self.conv(self.conv(x))", "self.conv(self.conv(x))", "share no weights"),
        ("        return self.other(x)", "self.other(x)", "not a layer of `__init__`"),
        ("        return x[:, 1:]", "x[:, 1:]", "can be followed"),
    ],
)
def test_what_is_not_followed_is_named_at_its_place(lines: str, place: str, said: str):
    head = "input 3x32x32\nclass Net(nn.Module):\n    def __init__(self):\n        "
    layers = "self.conv = nn.Conv2d(3, 3, 3)\n        self.lstm = nn.LSTM(8, 8)\n"
    (found,) = errors(f"{head}{layers}    def forward(self, x):\n{lines}\n")
    assert (found.code, found.fix) == ("E006", None)
    assert found.span.text.startswith(place)
    assert said in (found.help or "")


def test_a_function_among_our_lines_is_one_region():
    text = (
        "input 3x32x32\ndef forward(self, x):\n    x = F.relu(self.conv1(x))\n    return x\ngap\n"
    )
    (found,) = diagnostics_of(text)
    assert (found.code, found.span.line) == ("E006", 3)
    assert found.help == "`self.conv1` is a layer of another line: write it in this place"


@pytest.mark.parametrize(
    "text",
    ["class A(nn.Module):\n  def __init__(self):\n    self.a = A()\n  def forward(self, x):\n"
     "    return self.a(x)\n",
     "class A(nn.Module):\n  def forward(self):\n    return 1\n",
     "class A(nn.Module):\n  def forward(self, x):\n    return " + "x + " * 3000 + "x\n",
     "class A:\n  def __init__(self, a=1, *b, **c): self.x = a\n  def forward(self, x):\n"
     "    return self.x(x)\n",
     "class A:\n  def forward(self, x): return torch.cat()\n",
     "class A:\n  def forward(self, x): return F.relu()\n",
     "class A:\n  def forward(self, x): return (lambda y: y)(x)\n",
     "class A:\n  def forward(self, x): return F.max_pool2d(x, 'a')\n",
     "x = F.relu()", "x = torch.cat([x])", "x = x.view()", "F.relu(*x)", "nn.Conv()"],
)  # fmt: skip
def test_broken_classes_give_errors_like_any_text(text: str):
    assert errors(f"input 3x32x32\n{text}")
