"""Code as it is pasted: without its input, with the marks of pages, as files of other tools."""

import pytest
from test_frameworks import errors

from cnndsl.api import parse
from cnndsl.lints.fixing import fixed
from cnndsl.source import Source

# The input of PyTorch's code

LENET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.fc1 = nn.Linear(6 * 14 * 14, 10)

    def forward(self, x):
        return self.fc1(torch.flatten(F.max_pool2d(F.relu(self.conv1(x)), 2), 1))
"""
INPUTS = {
    LENET: ("3x32x32", "3 channels, and sides of 32 to 33 give the 1,176 features"),
    "nn.Sequential(nn.Flatten(), nn.Linear(784, 10))": ("1x28x28", "square images of the 784"),
    "nn.Sequential(nn.Linear(20, 5), nn.ReLU(), nn.Linear(5, 2))": ("20", "the 20 values"),
    "nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))": ("3x32x32", "square images of the 3,072"),
    "net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1))\n"
    "print(net(torch.randn(1, 3, 64, 48)).shape)": ("3x64x48", "an image of 3x64x48"),
    "data = torchvision.datasets.MNIST('.')\n"
    "net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1))":
        ("1x28x28", "`data mnist` has such images"),
}  # fmt: skip


@pytest.mark.parametrize("text", INPUTS)
def test_a_missing_input_is_worked_out_where_one_can_be_meant(text: str):
    shape, note = INPUTS[text]
    (found,) = errors(text)
    assert note in found.notes[0]
    ours = fixed(Source(text)).source.text.strip()
    assert ours.startswith(f"input {shape}\n")
    assert parse(ours)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1))", "takes 3 channels"),
        ("model = Sequential([Conv2D(8, 3), Flatten(), Dense(10)])", "height and width of your"),
    ],
)
def test_an_input_that_the_code_does_not_say_is_asked_for(text: str, said: str):
    _, found = errors(text)
    assert (found.code, found.message) == ("E301", "this code does not say the size of its input")
    assert said in (found.help or "")
    asked = (found.help or "").split("`")[1]
    assert parse(fixed(Source(f"{asked}\n{text}")).source.text)


@pytest.mark.parametrize(
    ("spec", "place", "said"),
    [
        ("input 3x32x32\nnn.Conv2d(1, 16, 3)\nnn.ReLU()", "nn.Conv2d(1", "1 channel, and 3 arrive"),
        (f"input 3x28x28\n{LENET}", "nn.Linear(6", "1,176 features, and 864 arrive"),
        ("input 3x32x32\nnet = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(8))",
         "nn.BatchNorm2d(8)", "8 channels, and 4 arrive"),
    ],
)  # fmt: skip
def test_what_arrives_is_compared_with_what_a_call_says(spec: str, place: str, said: str):
    found = next(d for d in errors(spec) if said in d.message)
    assert (found.code, found.fix) == ("E006", None)
    assert found.span.text.startswith(place)
    assert fixed(Source(spec)).source.text == spec


def test_the_input_that_it_is_for_is_named():
    found = errors(f"input 3x28x28\n{LENET}")[-1]
    assert (found.help or "").endswith("the input that it is for: `input 3x32x32`")


def test_another_input_in_the_code_is_told():
    text = "model = Sequential([Conv2D(8, 3, input_shape=(28, 28, 1)), Flatten(), Dense(10)])"
    (found,) = errors(f"input 3x32x32\n{text}")
    assert "for `input 1x28x28`, and the spec has `input 3x32x32`" in (found.help or "")


def test_a_mistake_inside_of_a_program_is_said_at_its_call():
    text = "input 3x4x4\nnet = nn.Sequential(\n    nn.ReLU(),\n    nn.Conv2d(3, 8, 7),\n)\n"
    region, found = errors(text)
    assert region.fix is None
    assert (found.code, found.span.text) == ("E201", "nn.Conv2d(3, 8, 7)")


# Marks of pages

LINES = "input 4\ndense 3\nrelu\ndense 2\n"
PASTES = {
    "```python\nmodel = Sequential([\n  Input((4,)),\n  Dense(3, activation='relu'),\n"
    "  Dense(2)\n])\n```\n": "input 4\ndense 3 relu\ndense 2\n",
    ">>> model = Sequential()\n>>> model.add(Input((4,)))\n>>> model.add(\n...     Dense(3))\n"
    ">>> model.add(ReLU())\n>>> model.add(Dense(2))\n": LINES,
    "In [1]: model = Sequential([Input((4,)), Dense(3),\n   ...:     ReLU(), Dense(2)])\n": LINES,
    "%matplotlib inline\n!pip install keras\nmodel = Sequential([Input((4,)), Dense(3), ReLU(),\n"
    "    Dense(2)])\n": LINES,
    f"```cnn\n{LINES}```\n": LINES,
}  # fmt: skip


@pytest.mark.parametrize("text", PASTES)
def test_marks_around_code_are_left_out(text: str):
    ours = fixed(Source(text)).source.text
    assert ours.rstrip() == PASTES[text].rstrip()


def test_a_place_behind_marks_is_its_own():
    (found,) = errors(">>> m = Sequential()\n>>> m.add(Input((4,)))\n>>> m.add(LSTM(3))\n")
    assert (found.span.line, found.span.text) == (3, "LSTM(3)")


# What `print(model)` shows

PRINTED = """Sequential(
  (0): Conv2d(3, 4, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
  (1): Sequential(
    (relu): ReLU()
  )
  (2): Flatten(start_dim=1, end_dim=-1)
  (3): Linear(in_features=4096, out_features=10, bias=True)
  (4): LogSoftmax(dim=1)
)
"""


def test_a_printed_sequence_is_read():
    (found,) = errors(PRINTED)
    assert "`log_softmax` is left out" in found.notes[0]
    assert fixed(Source(PRINTED)).source.text.splitlines() == [
        "input 3x32x32", "conv 4 3x3 pad=1", "relu", "flatten", "dense 10",
    ]  # fmt: skip


def test_a_printed_class_does_not_say_its_forward():
    (found,) = errors(PRINTED.replace("Sequential(\n  (0)", "Net(\n  (0)"))
    assert (found.message, found.span.text) == ("this is a printed model", "Net")
    assert "paste the class with its `forward`" in (found.help or "")


# Files of other tools

DARKNET = """[net]
batch=64
height=28
width=28
channels=1
learning_rate=0.1
momentum=0.9

[convolutional]
batch_normalize=1
filters=8
size=3
stride=1
pad=1
activation=leaky

[maxpool]
size=2
stride=2

[convolutional]
filters=8
size=1
activation=linear

[shortcut]
from=-2
activation=relu

[route]
layers=-1,-3

[avgpool]

[dropout]
probability=.25

[connected]
output=10
activation=linear

[softmax]
"""


def test_a_network_of_darknet():
    assert fixed(Source(DARKNET)).source.text.splitlines() == [
        "input 1x28x28", "conv 8 3x3 pad=1 bn eps=1e-06 leaky alpha=0.1", "e1: pool 2 same",
        "conv 8 1x1", "add e1", "relu", "concat e1", "gap", "dropout 0.25",
        "flatten; dense 10", "train {", "  batch 64", "  optimizer sgd lr=0.1 momentum=0.9", "}",
    ]  # fmt: skip


def test_what_darknet_has_and_this_not_is_said_at_its_section():
    text = f"{DARKNET}\n[yolo]\nmask = 0,1\n"
    (found,) = errors(text)
    assert (found.message, found.span.text) == ("this is a network of Darknet", "[yolo]")
    assert "boxes are not predicted" in (found.help or "")


FILES = {
    "ultralytics": "nc: 80\nbackbone:\n  - [-1, 1, Conv, [64, 3, 2]]\n  - [-1, 3, C2f, [128]]\n",
    "Caffe": 'name: "LeNet"\nlayer {\n  name: "conv1"\n  type: "Convolution"\n  top: "c"\n}\n',
    "JSON": '{"class_name": "Sequential", "config": {"name": "sequential"}}',
    "summary": "Model: \"sequential\"\n_____\nLayer (type)       Output Shape    Param #\n====\n",
    "YAML": "layers:\n  - type: conv\n    filters: 3\n  - type: relu\n",
}  # fmt: skip


@pytest.mark.parametrize("tool", FILES)
def test_a_file_of_another_tool_is_one_error_that_names_it_and_the_way(tool: str):
    (found,) = errors(FILES[tool])
    assert tool in found.message
    assert found.fix is None
    assert "decompile" in (found.help or "") or "one a line" in (found.help or "")
