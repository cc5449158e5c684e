"""Plain and branching nets in PyTorch, written from the papers and torchvision's definitions."""

import torch
from torch import nn
from torch.nn.functional import max_pool2d, relu


def tutorial():
    layers, cin = [], 3
    for cout in (32, 64, 128):
        layers += [nn.Conv2d(cin, cout, 3, padding="same"), nn.ReLU(), nn.MaxPool2d(2)]
        cin = cout
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(2048, 128), nn.ReLU(), nn.Linear(128, 10))


def mnist():
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.5), nn.Linear(1600, 10),
    )  # fmt: skip


def lenet5():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(),
        nn.Linear(84, 10),
    )  # fmt: skip


def alexnet(height, width):
    """torchvision's adaptive pooling to 6x6 is the identity at 224x224, so it is left out."""

    def cells(size):
        return ((((size + 4 - 11) // 4 + 1 - 3) // 2 + 1 - 3) // 2 + 1 - 3) // 2 + 1

    return nn.Sequential(
        nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Flatten(), nn.Dropout(), nn.Linear(256 * cells(height) * cells(width), 4096), nn.ReLU(),
        nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000),
    )  # fmt: skip


CONFIGURATION_A = [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"]
CONFIGURATION_D = [
    64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M",
]  # fmt: skip


def vgg_features(configuration, norm):
    layers, cin = [], 3
    for item in configuration:
        if item == "M":
            layers.append(nn.MaxPool2d(2, 2))
            continue
        layers.append(nn.Conv2d(cin, item, 3, padding=1))
        layers += [nn.BatchNorm2d(item)] if norm else []
        layers.append(nn.ReLU())
        cin = item
    return layers


def vgg16(height, width, norm=False):
    """torchvision's adaptive pooling to 7x7 is the identity at 224x224, so it is left out."""
    features = 512 * (height // 32) * (width // 32)
    return nn.Sequential(
        *vgg_features(CONFIGURATION_D, norm), nn.Flatten(),
        nn.Linear(features, 4096), nn.ReLU(), nn.Dropout(),
        nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 1000),
    )  # fmt: skip


def vgg11_bn_cifar():
    return nn.Sequential(*vgg_features(CONFIGURATION_A, True), nn.Flatten(), nn.Linear(512, 10))


class Scaled(nn.Module):
    """A fixed factor."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x


def airbench94():
    layers, cin = [nn.Conv2d(3, 24, 2), nn.GELU()], 24
    for cout in (64, 256, 256):
        for channels, pooled in ((cin, [nn.MaxPool2d(2)]), (cout, [])):
            norm = nn.BatchNorm2d(cout, eps=1e-12)
            norm.weight = None
            convolution = nn.Conv2d(channels, cout, 3, padding="same", bias=False)
            layers += [convolution, *pooled, norm, nn.GELU()]
        cin = cout
    head = nn.Linear(cin, 10, bias=False)
    return nn.Sequential(*layers, nn.MaxPool2d(3), nn.Flatten(), head, Scaled(1 / 16))


class Fire(nn.Module):
    def __init__(self, cin, squeeze, expand):
        super().__init__()
        self.squeeze = nn.Conv2d(cin, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x):
        x = relu(self.squeeze(x))
        return torch.cat([relu(self.expand1x1(x)), relu(self.expand3x3(x))], 1)


def squeezenet(version):
    def pool():
        return nn.MaxPool2d(3, 2, ceil_mode=True)

    if version == "1_0":
        features = [
            nn.Conv2d(3, 96, 7, 2), nn.ReLU(), pool(),
            Fire(96, 16, 64), Fire(128, 16, 64), Fire(128, 32, 128), pool(),
            Fire(256, 32, 128), Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), pool(),
            Fire(512, 64, 256),
        ]  # fmt: skip
    else:
        features = [
            nn.Conv2d(3, 64, 3, 2), nn.ReLU(), pool(),
            Fire(64, 16, 64), Fire(128, 16, 64), pool(),
            Fire(128, 32, 128), Fire(256, 32, 128), pool(),
            Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256),
        ]  # fmt: skip
    head = [nn.Dropout(), nn.Conv2d(512, 1000, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1)]
    return nn.Sequential(*features, *head, nn.Flatten())


class DenseLayer(nn.Module):
    def __init__(self, cin, growth):
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(cin), nn.Conv2d(cin, 4 * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x):
        new = self.conv2(relu(self.norm2(self.conv1(relu(self.norm1(x))))))
        return torch.cat([x, new], 1)


def densenet121(growth=32):
    channels = 64
    layers = [
        nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
    ]  # fmt: skip
    for stage, count in enumerate((6, 12, 24, 16)):
        if stage:
            half = channels // 2
            layers += [nn.BatchNorm2d(channels), nn.ReLU()]
            layers += [nn.Conv2d(channels, half, 1, bias=False), nn.AvgPool2d(2, 2)]
            channels = half
        for _ in range(count):
            layers.append(DenseLayer(channels, growth))
            channels += growth
    layers += [nn.BatchNorm2d(channels), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(channels, 1000))


def double(cin, cout):
    return nn.Sequential(
        nn.Conv2d(cin, cout, 3, padding=1, bias=False), nn.BatchNorm2d(cout), nn.ReLU(),
        nn.Conv2d(cout, cout, 3, padding=1, bias=False), nn.BatchNorm2d(cout), nn.ReLU(),
    )  # fmt: skip


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        widths = (64, 128, 256, 512, 1024)
        self.down = nn.ModuleList(map(double, (3, *widths), widths))
        self.rise = nn.ModuleList()
        for c in reversed(widths[:-1]):
            up = nn.ConvTranspose2d(2 * c, c, 2, 2)
            self.rise.append(nn.ModuleDict({"up": up, "conv": double(2 * c, c)}))
        self.head = nn.Conv2d(64, 2, 1)

    def forward(self, x):
        skips = []
        for step in self.down:
            x = step(max_pool2d(x, 2) if skips else x)
            skips.append(x)
        for step, skip in zip(self.rise, skips[-2::-1], strict=True):
            x = step["conv"](torch.cat([skip, step["up"](x)], 1))
        return self.head(x)
