"""Nets that a search has found, from their authors' and torchvision's tables."""

from nets_mobile import Skip, SqueezeExcitation, head, unit
from nets_residual import SameConv
from torch import nn


def inverted(rows, cin, inside):
    """Stages of inverted residuals: t, kernel, stride, channels, count. `inside` makes a branch."""
    for t, k, s, c, n in rows:
        for stride in (s, *[1] * (n - 1)):
            yield Skip(nn.Sequential(*inside(cin, t, k, stride, c)), stride == 1 and cin == c)
            cin = c


def mnasnet1_0():
    def inside(cin, t, k, stride, c):
        wide = cin * t
        return (unit(cin, wide, 1, act=nn.ReLU), unit(wide, wide, k, stride, wide, nn.ReLU),
                unit(wide, c, 1))  # fmt: skip

    rows = ((3, 3, 2, 24, 3), (3, 5, 2, 40, 3), (6, 5, 2, 80, 3), (6, 3, 1, 96, 2),
            (6, 5, 2, 192, 4), (6, 3, 1, 320, 1))  # fmt: skip
    return nn.Sequential(
        unit(3, 32, 3, 2, act=nn.ReLU), unit(32, 32, 3, 1, 32, nn.ReLU), unit(32, 16, 1),
        *inverted(rows, 16, inside), unit(320, 1280, 1, act=nn.ReLU), *head(1280),
    )  # fmt: skip


def efficientnet_lite0():
    def same(cin, cout, kernel, stride=1, groups=1, act=True):
        convolution = SameConv(cin, cout, kernel, stride, groups=groups, bias=False)
        return convolution, nn.BatchNorm2d(cout, eps=1e-3), *([nn.ReLU6()] if act else [])

    def inside(cin, t, k, stride, c):
        wide = cin * t
        first = same(cin, wide, 1) if t > 1 else ()
        return *first, *same(wide, wide, k, stride, wide), *same(wide, c, 1, act=False)

    rows = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3),
            (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1))  # fmt: skip
    return nn.Sequential(*same(3, 32, 3, 2), *inverted(rows, 32, inside), *same(320, 1280, 1),
                         *head(1280))  # fmt: skip


def efficientnet_v2_s():
    def silu(cin, cout, kernel, stride=1, groups=1):
        return unit(cin, cout, kernel, stride, groups, nn.SiLU, 1e-3)

    def fused(cin, t, k, stride, c):
        last = (unit(cin * t, c, 1, eps=1e-3),) if t > 1 else ()
        return silu(cin, cin * t, k, stride), *last

    def inside(cin, t, k, stride, c):
        wide = cin * t
        return (silu(cin, wide, 1), silu(wide, wide, k, stride, wide),
                SqueezeExcitation(wide, cin // 4, nn.SiLU, nn.Sigmoid),
                unit(wide, c, 1, eps=1e-3))  # fmt: skip

    first = ((1, 3, 1, 24, 2), (4, 3, 2, 48, 4), (4, 3, 2, 64, 4))
    last = ((4, 3, 2, 128, 6), (6, 3, 1, 160, 9), (6, 3, 2, 256, 15))
    return nn.Sequential(silu(3, 24, 3, 2), *inverted(first, 24, fused),
                         *inverted(last, 64, inside), silu(256, 1280, 1), *head(1280))  # fmt: skip


class RegNetBlock(nn.Module):
    """A bottleneck of one width with squeeze and excitation, by a quarter of its input."""

    def __init__(self, cin, c, stride):
        super().__init__()
        self.proj = unit(cin, c, 1, stride) if stride > 1 else nn.Identity()
        self.body = nn.Sequential(
            unit(cin, c, 1, act=nn.ReLU), unit(c, c, 3, stride, c // 8, nn.ReLU),
            SqueezeExcitation(c, round(cin / 4), nn.ReLU, nn.Sigmoid), unit(c, c, 1),
        )  # fmt: skip

    def forward(self, x):
        return (self.proj(x) + self.body(x)).relu()


def regnet_y_400mf():
    layers, cin = [unit(3, 32, 3, 2, act=nn.ReLU)], 32
    for c, n in ((48, 1), (104, 3), (208, 6), (440, 6)):
        layers += [RegNetBlock(cin, c, 2), *(RegNetBlock(c, c, 1) for _ in range(n - 1))]
        cin = c
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(440, 1000))
