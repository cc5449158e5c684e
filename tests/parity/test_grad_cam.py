"""The heat map of ResNet-18 against Grad-CAM in PyTorch."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import cnndsl  # noqa: E402
from cnndsl.backend.artifact import why_model  # noqa: E402
from cnndsl.backend.inference import Options  # noqa: E402
from cnndsl.resources import folder  # noqa: E402
from tests.parity.comparing import build, copied  # noqa: E402
from tests.parity.nets_residual import Basic, resnet  # noqa: E402
from tests.running import random_input, run  # noqa: E402


def grad_cam(net, x):
    """Softmax and the heat map of the likeliest class, of the features before the pooling."""
    features = net[:-3](torch.tensor(x))
    features.retain_grad()
    scores = net[-3:](features)
    scores.max(1).values.sum().backward()
    weights = features.grad.mean((2, 3), keepdim=True)
    small = torch.relu((weights * features).sum(1, keepdim=True))
    large = torch.nn.functional.interpolate(small, x.shape[2:], mode="bilinear")[:, 0]
    heat = large / large.amax((1, 2), keepdim=True)
    return scores.softmax(1).detach().numpy(), heat.detach().numpy()


def test_heat_is_grad_cam():
    model = cnndsl.load(folder("specs") / "resnet18.cnn")
    net = build(lambda: resnet(Basic, (2, 2, 2, 2)))
    graph = why_model(model.ir, copied(net, model), Options(batch=2))
    x = random_input(model)
    found = run(graph, x)
    probabilities, heat = grad_cam(net, x)
    assert list(found) == ["probabilities", "heat"]
    assert np.abs(found["heat"] - heat).max() < 1e-3
    assert np.abs(found["probabilities"] - probabilities).max() < 1e-4
