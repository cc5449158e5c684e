"""The example nets of three tasks by us and by torch: same net, start, batches and recipe.

    python benchmarks/tasks.py [multilabel] [regression] [segmentation] [--epochs N] [--threads 2]

Prints the best epoch's metric of both and their difference; exits with 1 where it is beyond the
bound. torch's net starts with our weights, and is fed the same augmented batches; its metrics are
computed by our meters, which tests compare with scikit-learn's.
"""

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from turns import spec_model

import cnndsl
from cnndsl.data.registry import open_dataset
from cnndsl.training.batches import Batches
from cnndsl.training.progress import Progress, learning_rate
from cnndsl.training.targets import resolved
from cnndsl.weights.initial import initial_weights

BOUNDS = {"multilabel": ("map", 0.01), "regression": ("r2", 0.01), "segmentation": ("miou", 0.02)}


def conv(before, after):
    return [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]


def multilabel():
    return nn.Sequential(
        *conv(3, 16), nn.MaxPool2d(2), *conv(16, 32), nn.MaxPool2d(2), *conv(32, 64),
        nn.MaxPool2d(2), *conv(64, 64), nn.MaxPool2d(6), nn.Flatten(), nn.Linear(64, 6),
    )  # fmt: skip


def regression():
    return nn.Sequential(
        *conv(3, 16), nn.MaxPool2d(2), *conv(16, 32), nn.MaxPool2d(2), *conv(32, 64),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1024, 64), nn.ReLU(), nn.Linear(64, 3),
    )  # fmt: skip


class UNet(nn.Module):
    """Modules stand in the order in which the spec names them."""

    def __init__(self, widths=(8, 16, 32, 64), classes=5, channels=3):
        super().__init__()
        sizes = [channels, *widths]
        self.down = nn.ModuleList(map(double, sizes, sizes[1:]))
        pairs = list(zip(widths[-2::-1], widths[:0:-1], strict=True))
        ups = [nn.ModuleList([nn.ConvTranspose2d(w, n, 2, 2), double(2 * n, n)]) for n, w in pairs]
        self.up = nn.ModuleList(ups)
        self.head = nn.Conv2d(widths[0], classes, 1)

    def forward(self, x):
        """N×C×H×W of logits."""
        kept = []
        for i, block in enumerate(self.down):
            x = block(functional.max_pool2d(x, 2) if i else x)
            kept.append(x)
        for (up, block), skip in zip(self.up, kept[-2::-1], strict=True):
            x = block(torch.cat([skip, up(x)], 1))
        return self.head(x)


def double(before, after):
    return nn.Sequential(*conv(before, after), *conv(after, after))


NETS = {"multilabel": multilabel, "regression": regression, "segmentation": UNet}


def dice_ce(x, y):
    """The sum of cross entropy and one minus the overlap, a mean over images and classes."""
    q = functional.one_hot(y, x.shape[1]).permute(0, 3, 1, 2)
    p = x.softmax(1)
    overlap = (2 * (p * q).sum((2, 3)) + 1) / (p.sum((2, 3)) + q.sum((2, 3)) + 1)
    return functional.cross_entropy(x, y) + 1 - overlap.mean()


LOSSES = {
    "multilabel": lambda x, y: functional.binary_cross_entropy_with_logits(x, y.float()),
    "regression": functional.huber_loss,
    "segmentation": lambda x, y: dice_ce(x, y.long()),
}


def copied(net, weights):
    """The net with our tensors, matched by order."""
    state = [v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")]
    for theirs, ours in zip(state, weights.values(), strict=True):
        theirs.copy_(torch.from_numpy(ours.reshape(theirs.shape)))
    return net


def adamw(net, recipe):
    """Biases and norms do not decay."""
    kernels = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim == 1]
    rate, decay = recipe.optimizer.lr, recipe.optimizer.decay
    return torch.optim.AdamW(
        [{"params": kernels, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}], rate
    )


def by_torch(word, epochs):
    """The best epoch's metric on the test images."""
    model = spec_model(f"shapes_{word}")
    shape = model.output_shapes()[model.main_output]
    recipe = replace(model.recipe, epochs=epochs or model.recipe.epochs)
    recipe, data = resolved(model, recipe, open_dataset(recipe.data, model.input))
    mean, std = (torch.tensor(m, dtype=torch.float32)[:, None, None] for m in data.moments())
    batches, task = Batches(data.train, recipe, shape), recipe.known_task()
    net, found = copied(NETS[word](), initial_weights(model, recipe.seed)), []
    optimizer = adamw(net, recipe)
    for epoch in range(recipe.epochs):
        net.train()
        for step, feed in enumerate(batches.epoch(epoch)):
            rate = learning_rate(recipe, Progress(epoch=epoch), step, batches.steps)
            for group in optimizer.param_groups:
                group["lr"] = rate
            x = net((torch.from_numpy(feed["x"]) / 255 - mean) / std)
            loss = LOSSES[word](x, targets(task, feed["y"]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        found.append(score(net.eval(), data, (mean, std), task.meter(shape, data.names)))
        print(f"  torch, epoch {epoch + 1}: {found[-1][BOUNDS[word][0]]:.4f}", flush=True)
    return max(row[BOUNDS[word][0]] for row in found)


def targets(task, y):
    """As the loss takes them: numbers are standardised."""
    if task.word == "regression":
        y = ((y - np.array(task.mean)) / np.array(task.std)).astype(np.float32)
    return torch.from_numpy(y)


@torch.no_grad()
def score(net, data, moments, meter):
    mean, std = moments
    for at in range(0, len(data.test), 50):
        x = torch.from_numpy(data.test.x[at : at + 50]) / 255
        meter.add(net((x - mean) / std).numpy(), data.test.y[at : at + 50])
    return meter.scores(0.0).columns()


def by_us(word, epochs, threads):
    model = cnndsl.load(Path(__file__).parent.parent / "specs" / f"shapes_{word}.cnn")
    more = {"epochs": epochs} if epochs else {}
    with tempfile.TemporaryDirectory() as folder:
        rows = cnndsl.train(
            model, out=Path(folder) / "run", threads=threads, progress="none", **more
        )
    return max(row[f"val_{BOUNDS[word][0]}"] for row in rows)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tasks", nargs="*", default=list(NETS))
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    failed = False
    for word in given.tasks:
        metric, bound = BOUNDS[word]
        ours = by_us(word, given.epochs, given.threads)
        theirs = by_torch(word, given.epochs)
        apart = ours - theirs
        failed |= abs(apart) > bound
        print(f"{word}: {metric} {ours:.4f}, torch {theirs:.4f}, apart {apart:+.4f} "
              f"(bound {bound})", flush=True)  # fmt: skip
    return failed


if __name__ == "__main__":
    sys.exit(main())
