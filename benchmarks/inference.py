"""Inference of `cnndsl compile`'s graph on onnxruntime against torch, weights random.

    python benchmarks/inference.py [NET:BATCH …] [--rounds 5] [--threads 2]
        [--rivals eager,channels_last,compile,unfolded]

`unfolded` is our graph with batch norm left in (`--no-fold`).
"""

import numpy as np
from turns import options, run_all, spec_model

CASES = (
    "cifar10:1 cifar10:32 resnet18_cifar:1 resnet18_cifar:32 resnet20:32 vgg11_bn_cifar:32 "
    "mobilenet_v2:32"
)
RIVALS = ("eager", "channels_last", "unfolded")


def our_run(name, batch, threads, fold):
    from cnndsl.backend.artifact import inference_model
    from cnndsl.backend.inference import Options
    from cnndsl.runtime.session import open_session
    from cnndsl.weights.initial import initial_weights

    model = spec_model(name)
    graph = inference_model(model, initial_weights(model), Options(fold=fold)).SerializeToString()
    session = open_session(graph, "cpu", threads)
    x = np.random.default_rng(0).random((batch, *model.input), np.float32)
    return lambda: session.run(None, {"input": x})


def work(program, case, threads):
    name, batch = case.split(":")
    if program in ("ours", "unfolded"):
        return our_run(name, int(batch), threads, fold=program == "ours")
    from rivals import torch_run

    return torch_run(name, int(batch), threads, program)


if __name__ == "__main__":
    run_all(options(CASES, RIVALS), work, __file__)
