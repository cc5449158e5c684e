"""MobileNets, EfficientNet and ConvNeXt in PyTorch, from Keras's and torchvision's definitions."""

import torch
from nets_residual import SameConv
from torch import nn


def unit(cin, cout, kernel, stride=1, groups=1, act=None, eps=1e-5):
    convolution = nn.Conv2d(cin, cout, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(cout, eps=eps), *([act()] if act else []))


def head(features, classes=1000):
    return nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(features, classes)


def mobilenet_v1():
    def keras(cin, cout, kernel, stride=1, groups=1):
        convolution = SameConv(cin, cout, kernel, stride, groups=groups, bias=False)
        return convolution, nn.BatchNorm2d(cout, eps=1e-3), nn.ReLU6()

    layers, cin = [*keras(3, 32, 3, 2)], 32
    for c, stride in (
        (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1),
        (512, 1), (512, 1), (1024, 2), (1024, 1),
    ):  # fmt: skip
        layers += [*keras(cin, cin, 3, stride, groups=cin), *keras(cin, c, 1)]
        cin = c
    return nn.Sequential(*layers, *head(cin))


class Skip(nn.Module):
    """The branch, plus its input where stride and channels allow."""

    def __init__(self, branch, skips):
        super().__init__()
        self.branch, self.skips = branch, skips

    def forward(self, x):
        return x + self.branch(x) if self.skips else self.branch(x)


def mobilenet_v2(strides=(2, 2), classes=1000):
    """`strides` are those of the stem and of the second stage: 1 for CIFAR."""
    layers, cin = [unit(3, 32, 3, strides[0], act=nn.ReLU6)], 32
    for t, c, n, s in (
        (1, 16, 1, 1), (6, 24, 2, strides[1]), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
        (6, 160, 3, 2), (6, 320, 1, 1),
    ):  # fmt: skip
        for stride in (s, *[1] * (n - 1)):
            wide = cin * t
            steps = [] if t == 1 else [unit(cin, wide, 1, act=nn.ReLU6)]
            steps += [unit(wide, wide, 3, stride, wide, nn.ReLU6), unit(wide, c, 1)]
            layers.append(Skip(nn.Sequential(*steps), stride == 1 and cin == c))
            cin = c
    return nn.Sequential(*layers, unit(cin, 1280, 1, act=nn.ReLU6), *head(1280, classes))


class Shuffled(nn.Module):
    """A unit of ShuffleNet v2: of stride 1 on half of the channels, of stride 2 on all in both."""

    def __init__(self, cin, cout, stride):
        super().__init__()
        half, inside = cout // 2, cin if stride > 1 else cin // 2
        self.other = None
        if stride > 1:
            filtered = unit(cin, cin, 3, stride, cin)
            self.other = nn.Sequential(filtered, unit(cin, half, 1, act=nn.ReLU))
        self.body = nn.Sequential(
            unit(inside, half, 1, act=nn.ReLU), unit(half, half, 3, stride, half),
            unit(half, half, 1, act=nn.ReLU),
        )  # fmt: skip

    def forward(self, x):
        left, right = (self.other(x), x) if self.other else x.chunk(2, dim=1)
        y = torch.cat([left, self.body(right)], dim=1)
        n, c, h, w = y.shape
        return y.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


def shufflenet_v2():
    layers, cin = [unit(3, 24, 3, 2, act=nn.ReLU), nn.MaxPool2d(3, 2, 1)], 24
    for c, repeats in ((116, 4), (232, 8), (464, 4)):
        for i in range(repeats):
            layers.append(Shuffled(cin, c, 1 if i else 2))
            cin = c
    layers.append(unit(cin, 1024, 1, act=nn.ReLU))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1024, 1000))


class SqueezeExcitation(nn.Module):
    def __init__(self, channels, squeezed, act, gate):
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, channels, 1)
        self.act, self.gate = act(), gate()

    def forward(self, x):
        mean = x.mean((2, 3), keepdim=True)
        return x * self.gate(self.fc2(self.act(self.fc1(mean))))


SMALL = (  # kernel, expanded, out, squeeze-excitation, hard swish, stride
    (3, 16, 16, True, False, 2), (3, 72, 24, False, False, 2), (3, 88, 24, False, False, 1),
    (5, 96, 40, True, True, 2), (5, 240, 40, True, True, 1), (5, 240, 40, True, True, 1),
    (5, 120, 48, True, True, 1), (5, 144, 48, True, True, 1), (5, 288, 96, True, True, 2),
    (5, 576, 96, True, True, 1), (5, 576, 96, True, True, 1),
)  # fmt: skip
LARGE = (
    (3, 16, 16, False, False, 1), (3, 64, 24, False, False, 2), (3, 72, 24, False, False, 1),
    (5, 72, 40, True, False, 2), (5, 120, 40, True, False, 1), (5, 120, 40, True, False, 1),
    (3, 240, 80, False, True, 2), (3, 200, 80, False, True, 1), (3, 184, 80, False, True, 1),
    (3, 184, 80, False, True, 1), (3, 480, 112, True, True, 1), (3, 672, 112, True, True, 1),
    (5, 672, 160, True, True, 2), (5, 960, 160, True, True, 1), (5, 960, 160, True, True, 1),
)  # fmt: skip
SQUEEZED = {16: 8, 72: 24, 96: 24, 240: 64, 120: 32, 144: 40, 288: 72, 480: 120, 576: 144,
            672: 168, 960: 240}  # a quarter, in eights  # fmt: skip


def mobilenet_v3(rows, features, hidden):
    layers, cin = [unit(3, 16, 3, 2, act=nn.Hardswish, eps=1e-3)], 16
    for k, wide, c, se, hs, stride in rows:
        act = nn.Hardswish if hs else nn.ReLU
        steps = [] if wide == cin else [unit(cin, wide, 1, act=act, eps=1e-3)]
        steps.append(unit(wide, wide, k, stride, wide, act, 1e-3))
        if se:
            steps.append(SqueezeExcitation(wide, SQUEEZED[wide], nn.ReLU, nn.Hardsigmoid))
        steps.append(unit(wide, c, 1, eps=1e-3))
        layers.append(Skip(nn.Sequential(*steps), stride == 1 and cin == c))
        cin = c
    return nn.Sequential(
        *layers, unit(cin, features, 1, act=nn.Hardswish, eps=1e-3),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(features, hidden), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(hidden, 1000),
    )  # fmt: skip


def mobilenet_v3_small():
    return mobilenet_v3(SMALL, 576, 1024)


def mobilenet_v3_large():
    return mobilenet_v3(LARGE, 960, 1280)


def efficientnet_b0():
    layers, cin = [unit(3, 32, 3, 2, act=nn.SiLU)], 32
    for t, k, s, c, n in (
        (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3),
        (6, 5, 2, 192, 4), (6, 3, 1, 320, 1),
    ):  # fmt: skip
        for stride in (s, *[1] * (n - 1)):
            wide = cin * t
            steps = [] if t == 1 else [unit(cin, wide, 1, act=nn.SiLU)]
            steps += [
                unit(wide, wide, k, stride, wide, nn.SiLU),
                SqueezeExcitation(wide, cin // 4, nn.SiLU, nn.Sigmoid),
                unit(wide, c, 1),
            ]
            layers.append(Skip(nn.Sequential(*steps), stride == 1 and cin == c))
            cin = c
    return nn.Sequential(*layers, unit(cin, 1280, 1, act=nn.SiLU), *head(1280))


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of an N×C×H×W tensor."""

    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class LayerScale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, 1, 1))

    def forward(self, x):
        return x * self.weight


class ConvNeXtBlock(nn.Module):
    """Channels last between the depthwise convolution and the scale, as in torchvision."""

    def __init__(self, c):
        super().__init__()
        self.depthwise = nn.Conv2d(c, c, 7, padding=3, groups=c)
        self.norm = nn.LayerNorm(c, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(c, 4 * c), nn.GELU(), nn.Linear(4 * c, c))
        self.scale = LayerScale(c)

    def forward(self, x):
        y = self.mlp(self.norm(self.depthwise(x).permute(0, 2, 3, 1)))
        return x + self.scale(y.permute(0, 3, 1, 2))


def convnext_tiny():
    layers, cin = [nn.Conv2d(3, 96, 4, 4), ChannelNorm(96, eps=1e-6)], 96
    for c, depth in ((96, 3), (192, 3), (384, 9), (768, 3)):
        if c != cin:
            layers += [ChannelNorm(cin, eps=1e-6), nn.Conv2d(cin, c, 2, 2)]
        layers += [ConvNeXtBlock(c) for _ in range(depth)]
        cin = c
    last = [nn.AdaptiveAvgPool2d(1), ChannelNorm(cin, eps=1e-6), nn.Flatten()]
    return nn.Sequential(*layers, *last, nn.Linear(cin, 1000))
