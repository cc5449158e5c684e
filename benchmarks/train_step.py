"""The training step against torch and Keras.

    python benchmarks/train_step.py [NET:BATCH:OPTIMIZER …] [--rounds 5] [--threads 2]
        [--rivals eager,channels_last,compile,keras-tensorflow,keras-jax] [--keras-python PYTHON]

Keras runs the tutorial's network only (cifar10), in PYTHON, which has keras and its backends.
"""

from pathlib import Path

from turns import options, run_all, spec_model

CASES = (
    "cifar10:32:adam cifar10:128:adam resnet18_cifar:32:sgd resnet18_cifar:128:sgd resnet8:128:sgd "
    "resnet20:128:sgd vgg11_bn_cifar:64:sgd mobilenet_v2:64:sgd"
)
RIVALS = ("eager", "channels_last", "compile")
KERAS = ("keras-tensorflow", "keras-jax")


def recipe_of(optimizer):
    from cnndsl.optim import Adam, Sgd
    from cnndsl.recipe import Recipe

    rule = Adam() if optimizer == "adam" else Sgd(lr=0.01, momentum=0.9, decay=5e-4)
    return Recipe(optimizer=rule)


def calibrated(model, recipe, batch, threads):
    """Our step, by the micro-batches and algorithms that `train` would take."""
    from cnndsl.backend.step import StepOptions, freezing
    from cnndsl.training.calibration import calibrate
    from cnndsl.training.settings import Settings
    from cnndsl.weights.initial import initial_weights

    weights, settings = initial_weights(model), Settings(Path(), "cpu", threads)
    options = freezing(StepOptions(batch), model, recipe, weights)
    return calibrate(model, recipe, options, weights, settings)[0]


def calibrated_step(model, recipe, batch, threads):
    """One step of ours on random images."""
    from cnndsl.training.compiled import sample_feed

    compiled = calibrated(model, recipe, batch, threads)
    feed = sample_feed(compiled)
    return lambda: compiled.stepper.step(feed)


def work(program, case, threads):
    name, batch, optimizer = case.split(":")
    if program == "ours":
        return calibrated_step(spec_model(name), recipe_of(optimizer), int(batch), threads)
    from rivals import keras_step, torch_step

    if program.startswith("keras"):
        return keras_step(name, int(batch), threads, program.partition("-")[2])
    return torch_step(name, int(batch), optimizer, threads, program)


if __name__ == "__main__":
    run_all(options(CASES, RIVALS, KERAS), work, __file__)
