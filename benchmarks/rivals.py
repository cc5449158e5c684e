"""The rivals' side of the benchmarks: the same networks in torch.nn, the tutorial's in Keras."""


def _torch_models():
    import torch
    from torch import nn
    from torch.nn import functional as F  # noqa: N812

    def plain():
        layers = []
        for c, o in ((3, 32), (32, 64), (64, 128)):
            layers += [nn.Conv2d(c, o, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        head = [nn.Flatten(), nn.Linear(2048, 128), nn.ReLU(), nn.Linear(128, 10)]
        return nn.Sequential(*layers, *head)

    class Basic(nn.Module):
        def __init__(self, c, o, stride):
            super().__init__()
            self.a = nn.Sequential(nn.Conv2d(c, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o))
            self.b = nn.Sequential(nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o))
            project = [nn.Conv2d(c, o, 1, stride, bias=False), nn.BatchNorm2d(o)]
            self.skip = nn.Sequential(*project) if stride > 1 or c != o else nn.Identity()

        def forward(self, x):
            return F.relu(self.b(F.relu(self.a(x))) + self.skip(x))

    def residual(widths, depth):
        w = widths[0]
        layers = [nn.Conv2d(3, w, 3, 1, 1, bias=False), nn.BatchNorm2d(w), nn.ReLU()]
        before = w
        for i, w in enumerate(widths):
            for j in range(depth):
                layers.append(Basic(before, w, 2 if i and not j else 1))
                before = w
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(w, 10))

    def vgg11():
        layers, c = [], 3
        for o in (64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0):
            if not o:
                layers.append(nn.MaxPool2d(2))
                continue
            layers += [nn.Conv2d(c, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU()]
            c = o
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 10))

    class Inverted(nn.Module):
        def __init__(self, c, o, t, stride):
            super().__init__()
            m, layers = t * c, []
            if t > 1:
                layers += [nn.Conv2d(c, m, 1, bias=False), nn.BatchNorm2d(m), nn.ReLU6()]
            layers += [nn.Conv2d(m, m, 3, stride, 1, groups=m, bias=False), nn.BatchNorm2d(m)]
            layers += [nn.ReLU6(), nn.Conv2d(m, o, 1, bias=False), nn.BatchNorm2d(o)]
            self.body, self.skip = nn.Sequential(*layers), stride == 1 and c == o

        def forward(self, x):
            return x + self.body(x) if self.skip else self.body(x)

    def mobilenet_v2():
        layers = [nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU6()]
        c = 32
        for t, o, n, s in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
                           (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):  # fmt: skip
            for i in range(n):
                layers.append(Inverted(c, o, t, s if i == 0 else 1))
                c = o
        layers += [nn.Conv2d(320, 1280, 1, bias=False), nn.BatchNorm2d(1280), nn.ReLU6()]
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 10))

    class Bottleneck(nn.Module):
        def __init__(self, c, m, stride):
            super().__init__()
            parts, before = [], c
            for o, k, s in ((m, 1, 1), (m, 3, stride), (4 * m, 1, 1)):
                parts += [nn.Conv2d(before, o, k, s, k // 2, bias=False), nn.BatchNorm2d(o)]
                parts += [nn.ReLU()]
                before = o
            self.body = nn.Sequential(*parts[:-1])
            project = [nn.Conv2d(c, 4 * m, 1, stride, bias=False), nn.BatchNorm2d(4 * m)]
            self.skip = nn.Sequential(*project) if c != 4 * m else nn.Identity()

        def forward(self, x):
            return F.relu(self.body(x) + self.skip(x))

    def resnet50():
        layers = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
        layers.append(nn.MaxPool2d(3, 2, 1))
        c = 64
        for m, depth in ((64, 3), (128, 4), (256, 6), (512, 3)):
            for j in range(depth):
                layers.append(Bottleneck(c, m, 2 if m > 64 and not j else 1))
                c = 4 * m
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, 1000))

    def airbench():
        layers, c = [nn.Conv2d(3, 24, 2), nn.SiLU()], 24
        for o in (64, 256, 256):
            layers += [nn.Conv2d(c, o, 3, padding=1, bias=False), nn.MaxPool2d(2)]
            layers += [nn.BatchNorm2d(o), nn.SiLU(), nn.Conv2d(o, o, 3, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(o), nn.SiLU()]
            c = o
        return nn.Sequential(*layers, nn.MaxPool2d(3), nn.Flatten(), nn.Linear(c, 10, bias=False))

    return torch, {
        "airbench": airbench,
        "cifar10": plain,
        "resnet50": resnet50,
        "resnet18_cifar": lambda: residual((64, 128, 256, 512), 2),
        "resnet20": lambda: residual((16, 32, 64), 3),
        "resnet8": lambda: residual((16, 32, 64), 1),
        "vgg11_bn_cifar": vgg11,
        "mobilenet_v2": mobilenet_v2,
    }


def _torch_net(name, threads, variant, device="cpu"):
    """The network as a variant runs it, and what its pictures go through."""
    torch, models = _torch_models()
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    net = models[name]().to(device)
    if variant == "eager":
        return torch, net, net, lambda x: x
    last = torch.channels_last
    net = net.to(memory_format=last)
    run = torch.compile(net) if variant == "compile" else net
    return torch, net, run, lambda x: x.contiguous(memory_format=last)


def torch_step(name, batch, optimizer, threads, variant, device="cpu"):
    """A function that trains one step in torch: eager, channels_last, amp (of fp16) or compile."""
    torch, net, run, arranged = _torch_net(name, threads, variant, device)
    if optimizer == "adam":
        update = torch.optim.Adam(net.parameters())
    else:
        update = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    size, count = (224, 1000) if name == "resnet50" else (32, 10)
    pictures = torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8)
    classes = torch.randint(0, count, (batch,))
    half = variant == "amp"
    scaler = torch.amp.GradScaler(device, enabled=half and device == "cuda")
    kind = torch.float16 if device == "cuda" else torch.bfloat16

    def step():
        x, y = pictures.to(device), classes.to(device)
        update.zero_grad(set_to_none=True)
        with torch.autocast(device, kind, enabled=half):
            loss = torch.nn.functional.cross_entropy(run(arranged(x.float() / 255)), y)
        scaler.scale(loss).backward()
        scaler.step(update)
        scaler.update()
        if device == "cuda":
            torch.cuda.synchronize()

    return step


def torch_run(name, batch, threads, variant):
    """A function that runs torch on a batch of pictures, without gradients."""
    torch, net, run, arranged = _torch_net(name, threads, variant)
    net.eval()
    x = arranged(torch.rand(batch, 3, 32, 32))

    def once():
        with torch.inference_mode():
            run(x)

    return once


def keras_net(threads):
    """The tutorial's network with Adam in Keras, on the backend that KERAS_BACKEND names."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    layers = keras.layers
    net = keras.Sequential([keras.Input((32, 32, 3))])
    for filters in (32, 64, 128):
        net.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        net.add(layers.MaxPooling2D(2))
    for layer in (layers.Flatten(), layers.Dense(128, activation="relu"), layers.Dense(10)):
        net.add(layer)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    return net


def keras_step(name, batch, threads, backend):
    """A function that trains one step of the tutorial's network in Keras on a backend."""
    import os

    if name != "cifar10":
        raise SystemExit("keras runs the tutorial's network only")
    os.environ["KERAS_BACKEND"] = backend
    import numpy as np

    net = keras_net(threads)
    rng = np.random.default_rng(0)
    x = rng.random((batch, 32, 32, 3), np.float32)
    y = rng.integers(0, 10, batch)
    return lambda: net.train_on_batch(x, y)


def keras_fit(threads, epochs, data):
    """Keras's `fit` on CIFAR-10: seconds of the last epoch's steps, and its test accuracy."""
    from pathlib import Path
    from time import perf_counter

    import keras
    import numpy as np

    def read(*names):
        folder = Path(data) / "cifar-10-batches-bin"
        rows = np.concatenate([np.fromfile(folder / name, np.uint8) for name in names])
        rows = rows.reshape(-1, 3073)
        pictures = rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        return pictures.astype(np.float32) / 255, rows[:, 0]

    class Watch(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.start = perf_counter()

        def on_test_begin(self, logs=None):
            self.seconds = perf_counter() - self.start

    x, y = read(*(f"data_batch_{i}.bin" for i in range(1, 6)))
    watch, net = Watch(), keras_net(threads)
    history = net.fit(x, y, batch_size=32, epochs=epochs, verbose=0, callbacks=[watch],
                      validation_data=read("test_batch.bin"))  # fmt: skip
    return {"epoch": watch.seconds, "accuracy": history.history["val_accuracy"][-1]}
