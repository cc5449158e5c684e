"""`cnndsl train` against Keras's `fit`, whole processes in turn: the tutorial's network and recipe.

    python benchmarks/end_to_end.py --data-dir DIR --keras-python PYTHON [--epochs 2] [--rounds 3]

DIR holds cifar-10-batches-bin; PYTHON is an interpreter that has keras and tensorflow (or jax,
with KERAS_BACKEND=jax). Prints seconds of the whole process, start-up and validation included, and
of the last epoch's training steps.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np

SPEC = Path(__file__).parent.parent / "specs" / "cifar10.cnn"

RECIPE = "train { data cifar10; batch 32; loss cross_entropy; optimizer adam lr=1e-3; seed 0 }"

KERAS = """
import json, os, sys, time
threads, epochs, data = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
import numpy as np
import keras
if keras.backend.backend() == "tensorflow":
    import tensorflow as tf
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
def read(name):
    r = np.fromfile(f"{data}/cifar-10-batches-bin/{name}", np.uint8).reshape(-1, 3073)
    return r[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).astype("float32") / 255, r[:, 0]
parts = [read(f"data_batch_{i}.bin") for i in range(1, 6)]
x, y = np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
test = read("test_batch.bin")
L = keras.layers
net = keras.Sequential([keras.Input((32, 32, 3))])
for filters in (32, 64, 128):
    net.add(L.Conv2D(filters, 3, padding="same", activation="relu"))
    net.add(L.MaxPooling2D(2))
for layer in (L.Flatten(), L.Dense(128, activation="relu"), L.Dense(10)):
    net.add(layer)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
net.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
class Watch(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None): self.start = time.perf_counter()
    def on_test_begin(self, logs=None): self.seconds = time.perf_counter() - self.start
watch = Watch()
history = net.fit(
    x, y, batch_size=32, epochs=epochs, validation_data=test, verbose=0, callbacks=[watch]
)
print(json.dumps({"epoch": watch.seconds, "accuracy": history.history["val_accuracy"][-1]}))
"""


def ours(arguments):
    with tempfile.TemporaryDirectory() as folder:
        run, spec = Path(folder) / "run", Path(folder) / "tutorial.cnn"
        spec.write_text(SPEC.read_text().rpartition("\ntrain {")[0] + f"\n{RECIPE}\n")
        subprocess.run(
            [sys.executable, "-m", "cnndsl", "train", str(spec), "--data-dir", arguments.data_dir,
             "--epochs", str(arguments.epochs), "--threads", str(arguments.threads),
             "--out", str(run)],
            check=True, capture_output=True,
        )  # fmt: skip
        row = list(csv.DictReader((run / "results.csv").open()))[-1]
        return {"epoch": float(row["seconds"]), "accuracy": float(row["val_accuracy"])}


def keras(arguments):
    done = subprocess.run(
        [arguments.keras_python, "-c", KERAS, str(arguments.threads), str(arguments.epochs),
         arguments.data_dir],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return json.loads(done.stdout.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--keras-python", required=True)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    rows = {"ours": [], "keras": []}
    for _ in range(arguments.rounds):
        for name, run in (("ours", ours), ("keras", keras)):
            start = perf_counter()
            result = run(arguments)
            rows[name].append({**result, "process": perf_counter() - start})
            print(name, rows[name][-1], flush=True)
    for what in ("process", "epoch"):
        a, b = ([r[what] for r in rows[name]] for name in ("keras", "ours"))
        ratios = sorted(x / y for x, y in zip(a, b, strict=True))
        print(f"{what}: keras {np.median(a):.1f} s, ours {np.median(b):.1f} s, ratio of medians "
              f"{np.median(a) / np.median(b):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})")  # fmt: skip


if __name__ == "__main__":
    main()
