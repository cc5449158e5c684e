"""GoogLeNet and Inception v3 in PyTorch, written from torchvision's definitions."""

import torch
from torch import nn
from torch.nn.functional import relu


class Unit(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, cin, cout, kernel, stride=1, padding=0):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(cout, eps=0.001)

    def forward(self, x):
        return relu(self.bn(self.conv(x)))


class Parallel(nn.ModuleList):
    """All branches on the same input, side by side in the channels."""

    def forward(self, x):
        return torch.cat([branch(x) for branch in self], 1)


def chain(cin, *units):
    """Units of (channels, kernel, stride, padding), each on the output of the one before."""
    layers = []
    for cout, kernel, stride, padding in units:
        layers.append(Unit(cin, cout, kernel, stride, padding))
        cin = cout
    return nn.Sequential(*layers)


def one(c):
    return c, 1, 1, 0


def three(c):
    return c, 3, 1, 1


def row(c, k=7):
    return c, (1, k), 1, (0, k // 2)


def column(c, k=7):
    return c, (k, 1), 1, (k // 2, 0)


def halving(c):
    return c, 3, 2, 0


def google_block(cin, c1, c3r, c3, c5r, c5, proj):
    return Parallel([
        Unit(cin, c1, 1),
        chain(cin, one(c3r), three(c3)),
        chain(cin, one(c5r), three(c5)),
        nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), Unit(cin, proj, 1)),
    ])  # fmt: skip


def googlenet():
    return nn.Sequential(
        Unit(3, 64, 7, 2, 3), nn.MaxPool2d(3, 2, ceil_mode=True),
        Unit(64, 64, 1), Unit(64, 192, 3, padding=1), nn.MaxPool2d(3, 2, ceil_mode=True),
        google_block(192, 64, 96, 128, 16, 32, 32),
        google_block(256, 128, 128, 192, 32, 96, 64), nn.MaxPool2d(3, 2, ceil_mode=True),
        google_block(480, 192, 96, 208, 16, 48, 64),
        google_block(512, 160, 112, 224, 24, 64, 64),
        google_block(512, 128, 128, 256, 24, 64, 64),
        google_block(512, 112, 144, 288, 32, 64, 64),
        google_block(528, 256, 160, 320, 32, 128, 128), nn.MaxPool2d(2, 2, ceil_mode=True),
        google_block(832, 256, 160, 320, 32, 128, 128),
        google_block(832, 384, 192, 384, 48, 128, 128),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(1024, 1000),
    )  # fmt: skip


def averaged(cin, cout):
    return nn.Sequential(nn.AvgPool2d(3, 1, 1), Unit(cin, cout, 1))


def inception_a(cin, proj):
    return Parallel([
        Unit(cin, 64, 1),
        chain(cin, one(48), (64, 5, 1, 2)),
        chain(cin, one(64), three(96), three(96)),
        averaged(cin, proj),
    ])  # fmt: skip


def inception_b(cin):
    return Parallel([
        Unit(cin, 384, 3, 2),
        chain(cin, one(64), three(96), halving(96)),
        nn.MaxPool2d(3, 2),
    ])  # fmt: skip


def inception_c(c, cin=768):
    return Parallel([
        Unit(cin, 192, 1),
        chain(cin, one(c), row(c), column(192)),
        chain(cin, one(c), column(c), row(c), column(c), row(192)),
        averaged(cin, 192),
    ])  # fmt: skip


def inception_d(cin=768):
    return Parallel([
        chain(cin, one(192), halving(320)),
        chain(cin, one(192), row(192), column(192), halving(192)),
        nn.MaxPool2d(3, 2),
    ])  # fmt: skip


def inception_e(cin):
    def split(c):
        return Parallel([chain(c, row(384, 3)), chain(c, column(384, 3))])

    return Parallel([
        Unit(cin, 320, 1),
        nn.Sequential(Unit(cin, 384, 1), split(384)),
        nn.Sequential(Unit(cin, 448, 1), Unit(448, 384, 3, padding=1), split(384)),
        averaged(cin, 192),
    ])  # fmt: skip


def inception_v3():
    return nn.Sequential(
        Unit(3, 32, 3, 2), Unit(32, 32, 3), Unit(32, 64, 3, padding=1), nn.MaxPool2d(3, 2),
        Unit(64, 80, 1), Unit(80, 192, 3), nn.MaxPool2d(3, 2),
        inception_a(192, 32), inception_a(256, 64), inception_a(288, 64), inception_b(288),
        inception_c(128), inception_c(160), inception_c(160), inception_c(192), inception_d(),
        inception_e(1280), inception_e(2048),
        nn.AdaptiveAvgPool2d(1), nn.Dropout(), nn.Flatten(), nn.Linear(2048, 1000),
    )  # fmt: skip
