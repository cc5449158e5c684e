"""Programs that build their network: functions, loops, conditions, classes of classes.

Each has the parameters and the shape that PyTorch gives it, or the lines that are meant.
"""

import pytest
from test_frameworks import check_against_pytorch, errors, translated

RESNET = """
class BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, in_planes, planes, stride=1):
        super(BasicBlock, self).__init__()
        self.conv1 = nn.Conv2d(in_planes, planes, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_planes != self.expansion * planes:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_planes, self.expansion * planes, 1, stride=stride, bias=False),
                nn.BatchNorm2d(self.expansion * planes),
            )

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.shortcut(x)
        return F.relu(out)


class ResNet(nn.Module):
    def __init__(self, block, num_blocks, num_classes=10):
        super().__init__()
        self.in_planes = 8
        self.conv1 = nn.Conv2d(3, 8, kernel_size=3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.layer1 = self._make_layer(block, 8, num_blocks[0], stride=1)
        self.layer2 = self._make_layer(block, 16, num_blocks[1], stride=2)
        self.linear = nn.Linear(16 * block.expansion, num_classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight)

    def _make_layer(self, block, planes, num_blocks, stride):
        strides = [stride] + [1] * (num_blocks - 1)
        layers = []
        for stride in strides:
            layers.append(block(self.in_planes, planes, stride))
            self.in_planes = planes * block.expansion
        return nn.Sequential(*layers)

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.layer2(self.layer1(out))
        out = F.avg_pool2d(out, 16)
        out = out.view(out.size(0), -1)
        return self.linear(out)


def make():
    return ResNet(BasicBlock, [2, 2])


net = make()
"""
VGG = """
cfg = {"A": [8, "M", 16, 16, "M"]}


class VGG(nn.Module):
    def __init__(self, name):
        super().__init__()
        self.features = self._make_layers(cfg[name])
        self.classifier = nn.Linear(16 * 8 * 8, 10)

    def _make_layers(self, cfg):
        layers, channels = [], 3
        for x in cfg:
            if x == "M":
                layers += [nn.MaxPool2d(kernel_size=2, stride=2)]
            else:
                conv = nn.Conv2d(channels, x, 3, padding=1, bias=False)
                layers += [conv, nn.BatchNorm2d(x), nn.ReLU()]
                channels = x
        return nn.Sequential(*layers)

    def forward(self, x):
        x = self.features(x)
        return self.classifier(torch.flatten(x, 1))


net = VGG("A")
"""
MOBILE = """
class ConvNormAct(nn.Sequential):
    def __init__(self, cin, cout, k=3, stride=1, groups=1, norm=None, act=nn.ReLU6):
        norm = norm or nn.BatchNorm2d
        super().__init__(
            nn.Conv2d(cin, cout, k, stride, (k - 1) // 2, groups=groups, bias=False),
            norm(cout), act(inplace=True),
        )


class Inverted(nn.Module):
    def __init__(self, cin, cout, stride, ratio):
        super().__init__()
        hidden = int(round(cin * ratio))
        self.use_res = stride == 1 and cin == cout
        layers = [ConvNormAct(cin, hidden, k=1)] if ratio != 1 else []
        layers.extend([
            ConvNormAct(hidden, hidden, stride=stride, groups=hidden),
            nn.Conv2d(hidden, cout, 1, bias=False), nn.BatchNorm2d(cout),
        ])
        self.conv = nn.Sequential(*layers)

    def forward(self, x):
        if self.use_res:
            return x + self.conv(x)
        return self.conv(x)


class Net(nn.Module):
    def __init__(self, classes=5):
        super().__init__()
        blocks = []
        channels = 8
        for t, c, n, s in [(1, 8, 1, 1), (6, 12, 2, 2)]:
            for i in range(n):
                blocks.append(Inverted(channels, c, s if i == 0 else 1, t))
                channels = c
        self.stem = ConvNormAct(3, 8, stride=2)
        self.blocks = nn.ModuleList(blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(channels, classes)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(self.pool(x).flatten(1))


net = Net().to("cpu")
"""
DENSE = """
from functools import partial

conv = partial(nn.Conv2d, kernel_size=3, padding=1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.steps = nn.ModuleList([conv(3 + 4 * i, 4) for i in range(3)])
        self.head = nn.Linear(15, 10)

    def forward(self, x):
        for step in self.steps:
            x = torch.cat([x, F.relu(step(x))], dim=1)
        return self.head(F.adaptive_avg_pool2d(x, 1).squeeze(-1).squeeze(-1))


net = Net()
"""


GROWN = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential()
        self.features.add_module("conv", nn.Conv2d(3, 4, 3, padding=1))
        self.steps = nn.ModuleList()
        for i in range(2):
            self.steps.append(nn.Conv2d(4 + 4 * i, 4, 3, padding=1))
        self.head = nn.Linear(12, 10)

    def forward(self, x):
        found = [self.features(x)]
        for step in self.steps:
            found.append(step(torch.cat(found, 1)))
        return self.head(torch.cat(found, 1).mean([2, 3]))


net = Net()
"""


@pytest.mark.parametrize("text", [RESNET, VGG, MOBILE, DENSE, GROWN])
def test_a_program_has_the_parameters_and_the_shape_that_pytorch_gives_it(text: str):
    check_against_pytorch(text)


def test_a_bias_that_a_batch_norm_takes_away_is_a_note():
    (found,) = errors("input 3x8x8\nnet = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))")
    assert "biases in front of `bn`, which takes them away, are left out" in found.notes[0]


HEAD = "inputs = keras.Input(shape=(8, 8, 3))\n"
PROGRAMS = {
    "functions that are called": (
        "def block(x, filters, act=True):\n    x = layers.Conv2D(filters, 3)(x)\n    if act:\n"
        "        x = layers.ReLU()(x)\n    return x\n\n"
        f"{HEAD}x = block(inputs, 4)\nx = block(x, 5, act=False)\nmodel = keras.Model(inputs, x)",
        ["input 3x8x8", "default conv init=glorot_uniform", "conv 4 3x3", "relu", "conv 5 3x3"],
    ),
    "names, tuples and arithmetic": (
        "size, scale = 8, 2\nIMG = (size, size)\ncount = len(['a', 'b', 'c'])\n"
        "model = Sequential([Input(shape=IMG + (3,)), Conv2D(4 * scale, 3), Flatten(), "
        "Dense(count)])",
        ["input 3x8x8", "conv 8 3x3 init=glorot_uniform", "flatten", "dense 3"],
    ),
    "a loop": (
        f"{HEAD}x = inputs\nfor filters in [4, 8]:\n    x = layers.Conv2D(filters, 3)(x)\n"
        "model = keras.Model(inputs, x)",
        ["input 3x8x8", "default conv init=glorot_uniform", "conv 4 3x3", "conv 8 3x3"],
    ),
    "a loop that adds": (
        "model = Sequential()\nmodel.add(Input((8, 8, 3)))\nfor i in range(2):\n"
        "    model.add(Conv2D(4 * 2**i, 3))",
        ["input 3x8x8", "default conv init=glorot_uniform", "conv 4 3x3", "conv 8 3x3"],
    ),
    "the model that is trained, of several": (
        "model = Sequential([Input((4,)), Dense(2)])\nmodel.compile('sgd', 'mse')\n"
        "other = Sequential([model, Softmax()])",
        ["input 4", "dense 2", "train {", "  loss mse", "  optimizer sgd", "}"],
    ),
    "a model in a model": (
        "body = Sequential([Dense(3)])\nmodel = Sequential([Input((4,)), body, Dense(2)])",
        ["input 4", "dense 3", "dense 2"],
    ),
    "changes of pictures as layers": (
        "change = Sequential([RandomFlip('horizontal'), RandomRotation(0.1), RandomZoom(0.2)])\n"
        "model = Sequential([Input((8, 8, 3)), change, Flatten(), Dense(2)])",
        ["input 3x8x8", "flatten", "dense 2", "train {", "  augment flip rotate=36 zoom=0.2", "}"],
    ),
    "a main guard": (
        "if __name__ == '__main__':\n    model = Sequential([Input((4,)), Dense(2)])",
        ["input 4", "dense 2"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name: str):
    text, lines = PROGRAMS[name]
    assert translated(text) == lines


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("model = Sequential([Input((4,)), Dense(num_classes)])", "Dense(num_classes)",
         "this code does not say what `num_classes` is"),
        ("n = len(names)\nmodel = Sequential([Input((4,)), Dense(n)])", "Dense(n)",
         "this code does not say what `n` is"),
        ("model = Sequential([Input(shape=size + (3,)), Dense(2)])", "Input(shape",
         "this code does not say what `size + (3,)` is"),
        (f"{HEAD}x = other(inputs)\nmodel = keras.Model(inputs, x)", "other(inputs)",
         "`other` has no counterpart"),
        ("base = keras.applications.MobileNetV2()\nmodel = Sequential([base, Dense(2)])",
         "keras.applications", "cnndsl decompile model.onnx"),
        ("import timm\nmodel = timm.create_model('resnet18')", "timm.create", "decompile"),
        ("from torchvision import models\nm = models.resnet18()\nm.fc = nn.Linear(512, 2)",
         "models.resnet18", "decompile"),
        ("model = Sequential([Input((4,))])\nfor f in filters:\n    model.add(Dense(f))",
         "for f", "write out the layers"),
    ],
)  # fmt: skip
def test_what_the_code_does_not_say_is_named_at_its_place(text: str, place: str, said: str):
    found = errors(text)
    assert all(d.fix is None for d in found)
    assert found[0].span.text.startswith(place)
    assert said in (found[0].help or "")


@pytest.mark.parametrize(
    "text",
    ["def f(x): return f(x)\ny = f(Input((3,)))", "x = [1] * 10**9 * 10**9",
     "for i in range(10**9): Dense(i)", "n = 9**9**9\nDense(n)", "Dense('a' * 3)",
     "x = [Dense(1)] * 9999\nmodel = Sequential(x * 9999)", "class A(A): pass\nA()(x)",
     "def f():\n    while True: Dense(1)\n", "Dense(*a, **b)", "a[0] = Dense(1)",
     "model = Sequential()\nmodel.add(model)", "class A(nn.Sequential): pass\nA()(A())"],
)  # fmt: skip
def test_programs_without_an_end_give_errors_like_any_text(text: str):
    assert errors(f"input 3x8x8\n{text}\n?")
