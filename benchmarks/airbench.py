"""airbench94 in torch, from its paper (Jordan 2024, arXiv:2404.00498) and its later Muon recipe.

The rival of specs/cifar10_94.cnn: the same net, first weights, optimizers, augmentation and views.
"""

from functools import partial
from pathlib import Path
from time import perf_counter

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from cnndsl.data.registry import open_dataset

EPOCHS, BATCH, WHITEN_EPOCHS = 8, 2000, 3
KERNEL_RATE, BIAS_RATE, HEAD_RATE = 0.24, 0.053, 0.67  # the latter two for a sum of losses
DECAY = 2e-6 * BATCH
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


def net(images):
    """The network with its first weights; the first layer whitens patches of normalised images."""
    layers, before = [nn.Conv2d(3, 24, 2), nn.GELU()], 24
    for width in (64, 256, 256):
        for inputs, pooled in ((before, [nn.MaxPool2d(2)]), (width, [])):
            norm = nn.BatchNorm2d(width, eps=1e-12, momentum=0.4)
            norm.weight.requires_grad = False
            layers += [_dirac(inputs, width), *pooled, norm, nn.GELU()]
        before = width
    head = nn.Linear(before, 10, bias=False)
    head.weight.data /= head.weight.data.std()
    layers += [nn.MaxPool2d(3), nn.Flatten(), head]
    layers[0].weight.data = _whitening(images)
    layers[0].weight.requires_grad = False
    return nn.Sequential(*layers)


def _dirac(inputs, outputs):
    conv = nn.Conv2d(inputs, outputs, 3, padding="same", bias=False)
    nn.init.dirac_(conv.weight.data[:inputs])
    return conv


def _whitening(images):
    """Eigenvectors of the covariance of 2×2 patches over √(eigenvalue + 5e-4), and negatives."""
    patches = F.unfold(images, 2).transpose(1, 2).reshape(-1, 12)
    values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    rows = (vectors / torch.sqrt(values + 5e-4)).T.reshape(-1, 3, 2, 2)
    return torch.cat([rows, -rows])


def _orthogonal(g):
    """Three Newton–Schulz iterations towards UVᵀ."""
    x = g.reshape(len(g), -1)
    x = x / (x.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(3):
        near = x @ x.T
        x = 3.4445 * x + (-4.7750 * near + 2.0315 * near @ near) @ x
    return (x.T if tall else x).reshape(g.shape)


class Muon(torch.optim.Optimizer):
    """Kernels at the norm √outputs, moved along their orthogonalised momentum."""

    def __init__(self, kernels):
        super().__init__(kernels, {"lr": KERNEL_RATE})

    @torch.no_grad()
    def step(self):
        (group,) = self.param_groups
        for w in group["params"]:
            buffer = self.state[w].setdefault("buffer", torch.zeros_like(w))
            buffer.mul_(0.6).add_(w.grad)
            w.mul_(len(w) ** 0.5 / w.norm())
            w.sub_(_orthogonal(w.grad + 0.6 * buffer), alpha=group["lr"])


def optimizers(model):
    """SGD for the first bias, the other biases and the head; Muon for kernels."""
    biases = [p for n, p in model.named_parameters() if "bias" in n]
    rates = [([biases[0]], BIAS_RATE), (biases[1:], BIAS_RATE), ([model[-1].weight], HEAD_RATE)]
    groups = [{"params": p, "lr": lr, "weight_decay": DECAY / lr} for p, lr in rates]
    kernels = [p for p in model.parameters() if p.ndim == 4 and p.requires_grad]
    return torch.optim.SGD(groups, momentum=0.85, nesterov=True), Muon(kernels)


def schedule(rules, step, steps):
    """Rates fall to nothing along a line; the first bias's within three epochs."""
    for group in (group for rule in rules for group in rule.param_groups):
        first = group.setdefault("first", group["lr"])
        whole = steps * WHITEN_EPOCHS / EPOCHS if group is rules[0].param_groups[0] else steps
        group["lr"] = first * max(0.0, 1 - step / whole)


def learn(model, rules, x, y):
    """One step; the loss is a sum over the images."""
    for rule in rules:
        rule.zero_grad(set_to_none=True)
    logits = model(x) / 256
    F.cross_entropy(logits, y, label_smoothing=0.2, reduction="sum").backward()
    for rule in rules:
        rule.step()


def cropped(x):
    """Shifted by up to two pixels each way; borders reflect."""
    wide = F.pad(x, (2,) * 4, "reflect")
    down, right = torch.randint(0, 5, (2, len(x), 1))
    rows, columns = down + torch.arange(32), right + torch.arange(32)
    return wide[torch.arange(len(x))[:, None, None], :, rows[:, :, None], columns[:, None]].permute(
        0, 3, 1, 2
    )


def answers(model, x):
    """Logits, means over mirror images and shifts by a pixel along the diagonal."""
    wide = F.pad(x, (1,) * 4, "reflect")
    seen = ((x, 0.5), (wide[..., :32, :32], 0.25), (wide[..., 2:, 2:], 0.25))
    return sum(w * (model(v) + model(v.flip(-1))) / 2 for v, w in seen)


@torch.no_grad()
def accuracy(model, x, y, how):
    """Share of right answers of `how(x)`."""
    model.eval()
    right = sum(int((how(x[i : i + 500]).argmax(1) == y[i : i + 500]).sum())
                for i in range(0, len(x), 500))  # fmt: skip
    model.train()
    return right / len(x)


def normalised(split):
    """Images and classes."""
    mean, std = (torch.tensor(v).reshape(3, 1, 1) for v in (MEAN, STD))
    return (torch.tensor(split.x) / 255 - mean) / std, torch.tensor(split.y)


def train(data_dir, seed, threads, epochs=EPOCHS, say=print):
    """The whole recipe; accuracy after each epoch without, at last with views."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    data = open_dataset("cifar10", (3, 32, 32), Path(data_dir))
    (x, y), test = normalised(data.train), normalised(data.test)
    last = torch.channels_last
    model = net(x[:5000]).to(memory_format=last)
    rules, each, start = optimizers(model), len(x) // BATCH, perf_counter()
    mirrored = torch.rand(len(x)) < 0.5
    for step in range(epochs * each):
        if step % each == 0:
            order, mirrored = torch.randperm(len(x)), ~mirrored
        which = order[step % each * BATCH :][:BATCH]
        part = cropped(x[which])
        part = torch.where(mirrored[which][:, None, None, None], part.flip(-1), part)
        schedule(rules, step, epochs * each)
        learn(model, rules, part.contiguous(memory_format=last), y[which])
        if step % each == each - 1:
            found = accuracy(model, *test, model)
            say(f"epoch {step // each + 1}: {found:.4f}, {perf_counter() - start:.0f} s")
    found = accuracy(model, *test, partial(answers, model))
    say(f"with views: {found:.4f}, {perf_counter() - start:.0f} s")
    return found


def step(batch, threads, variant):
    """A function that trains one step on images by chance: eager or channels_last."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    x, y = torch.randn(batch, 3, 32, 32), torch.randint(0, 10, (batch,))
    model = net(x)
    if variant == "channels_last":
        model, x = (v.to(memory_format=torch.channels_last) for v in (model, x))
    rules = optimizers(model)
    return lambda: learn(model, rules, x, y)
