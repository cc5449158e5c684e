"""ResNets and their kin in PyTorch, written from the papers and the named implementations."""

from torch import nn
from torch.nn.functional import dropout, pad, relu


def conv(cin, cout, kernel, stride=1, groups=1):
    padding = kernel // 2
    return nn.Conv2d(cin, cout, kernel, stride, padding, groups=groups, bias=False)


def shortcut(cin, cout, stride):
    if stride == 1 and cin == cout:
        return nn.Identity()
    return nn.Sequential(conv(cin, cout, 1, stride), nn.BatchNorm2d(cout))


class Basic(nn.Module):
    growth = 1

    def __init__(self, cin, c, stride):
        super().__init__()
        self.conv1, self.bn1 = conv(cin, c, 3, stride), nn.BatchNorm2d(c)
        self.conv2, self.bn2 = conv(c, c, 3), nn.BatchNorm2d(c)
        self.shortcut = shortcut(cin, c, stride)

    def forward(self, x):
        y = relu(self.bn1(self.conv1(x)))
        return relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class Bottleneck(nn.Module):
    growth = 4
    groups, width = 1, 64

    def __init__(self, cin, c, stride):
        super().__init__()
        inner, cout = c * self.width // 64 * self.groups, 4 * c
        self.conv1, self.bn1 = conv(cin, inner, 1), nn.BatchNorm2d(inner)
        self.conv2 = conv(inner, inner, 3, stride, self.groups)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3, self.bn3 = conv(inner, cout, 1), nn.BatchNorm2d(cout)
        self.shortcut = shortcut(cin, cout, stride)

    def forward(self, x):
        y = relu(self.bn1(self.conv1(x)))
        y = relu(self.bn2(self.conv2(y)))
        return relu(self.bn3(self.conv3(y)) + self.shortcut(x))


class Aggregated(Bottleneck):
    groups, width = 32, 4


def stages(block, widths, depths, cin):
    layers = []
    for i, (c, depth) in enumerate(zip(widths, depths, strict=True)):
        for j in range(depth):
            layers.append(block(cin, c, 2 if i > 0 and j == 0 else 1))
            cin = c * block.growth
    return layers, cin


def resnet(block, depths):
    layers, features = stages(block, (64, 128, 256, 512), depths, 64)
    return nn.Sequential(
        conv(3, 64, 7, 2), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(features, 1000),
    )  # fmt: skip


def cifar_resnet(widths, depths):
    layers, features = stages(Basic, widths, depths, widths[0])
    return nn.Sequential(
        conv(3, widths[0], 3), nn.BatchNorm2d(widths[0]), nn.ReLU(),
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(features, 10),
    )  # fmt: skip


class PreActivated(nn.Module):
    """Wide ResNet: the projection, too, sees the activated input."""

    def __init__(self, cin, c, stride):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(cin), conv(cin, c, 3, stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(c), conv(c, c, 3)
        self.projection = None if cin == c else conv(cin, c, 1, stride)

    def forward(self, x):
        active = relu(self.bn1(x))
        y = self.conv2(dropout(relu(self.bn2(self.conv1(active))), 0.3, self.training))
        return y + (x if self.projection is None else self.projection(active))


def wide_resnet(depth, width):
    layers, cin, n = [conv(3, 16, 3)], 16, (depth - 4) // 6
    for i, c in enumerate((16 * width, 32 * width, 64 * width)):
        for j in range(n):
            layers.append(PreActivated(cin, c, 2 if i > 0 and j == 0 else 1))
            cin = c
    head = [nn.BatchNorm2d(cin), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, *head, nn.Linear(cin, 10))


class SameConv(nn.Conv2d):
    """Keras's "same": output ceil(size / stride), the odd zero below and on the right."""

    def forward(self, x):
        (kh, kw), (sh, sw) = self.kernel_size, self.stride
        down = max((-(-x.shape[2] // sh) - 1) * sh + kh - x.shape[2], 0)
        right = max((-(-x.shape[3] // sw) - 1) * sw + kw - x.shape[3], 0)
        padded = pad(x, (right // 2, right - right // 2, down // 2, down - down // 2))
        return super().forward(padded)


class TinyStack(nn.Module):
    """MLPerf Tiny: Keras's defaults, biases before batch norm, a bare projection."""

    def __init__(self, cin, c, stride):
        super().__init__()
        self.conv1, self.bn1 = SameConv(cin, c, 3, stride), nn.BatchNorm2d(c, eps=1e-3)
        self.conv2, self.bn2 = SameConv(c, c, 3), nn.BatchNorm2d(c, eps=1e-3)
        self.projection = SameConv(cin, c, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x):
        y = relu(self.bn1(self.conv1(x)))
        return relu(self.bn2(self.conv2(y)) + self.projection(x))


def resnet8():
    return nn.Sequential(
        SameConv(3, 16, 3), nn.BatchNorm2d(16, eps=1e-3), nn.ReLU(),
        TinyStack(16, 16, 1), TinyStack(16, 32, 2), TinyStack(32, 64, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
    )  # fmt: skip
