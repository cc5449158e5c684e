"""One set of tensors in two models: a PyTorch net, and a spec on onnxruntime."""

import numpy as np
import onnxruntime
import torch
from torch import nn


def build(make, seed=0):
    """The net in eval mode with random weights; its statistics are far from 0 and 1."""
    with torch.device("meta"):
        net = make()
    net = net.to_empty(device="cpu").eval()
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in net.modules():
            _fill(module, random)
    return net


def _fill(module, random):
    parameters = dict(module.named_parameters(recurse=False))
    if "bias" in parameters:
        parameters["bias"].normal_(0, 0.02, generator=random)
    match module:
        case nn.BatchNorm2d():
            module.running_mean.normal_(0, 0.1, generator=random)
            module.running_var.log_normal_(-2, 1, generator=random)
            module.num_batches_tracked.zero_()
            if module.weight is not None:
                spread = module.weight.uniform_(0.5, 1.5, generator=random)
                spread.mul_(module.running_var.sqrt())  # so that no depth overflows
        case nn.ConvTranspose2d():
            _he(module.weight, module.weight.shape[0], random)
        case nn.Conv2d() | nn.Linear():
            _he(module.weight, module.weight[0].numel(), random)
        case _ if "weight" in parameters:
            module.weight.uniform_(0.5, 1.5, generator=random)


def calibrated(net, size):
    """The net with the statistics of two images: without these a deep one is chaos."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        net.train()(torch.from_numpy(picture(size)))
    return net.eval()


def _he(weight, fan_in, random):
    weight.normal_(0, (2 / fan_in) ** 0.5, generator=random)


def copied(net, model):
    """The net's tensors under the names of the spec's model, matched by order; shapes agree."""
    wanted = model.ir.tensors()
    found = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    pairs = zip(wanted.items(), found.items(), strict=True)
    return {ours: _shaped(t, p.shape, f"{ours} = {theirs}") for (ours, p), (theirs, t) in pairs}


def _shaped(tensor, shape, pair):
    """A `Linear` over channels is a 1x1 convolution here; all else has the very same shape."""
    as_1x1 = (*tensor.shape, 1, 1) if tensor.ndim == 2 else tensor.shape
    assert shape in (tuple(tensor.shape), tuple(as_1x1)), pair
    return tensor.numpy().reshape(shape)


def picture(shape, faint=1.0, seed=1):
    """Two random samples. Faint ones make the `eps` of a layer norm count."""
    values = np.random.default_rng(seed).normal(size=(2, *shape)) * faint
    return values.astype(np.float32)


def difference(net, model, x, fold=True):
    """Largest difference of the outputs, relative to the largest output."""
    proto = model.to_onnx(copied(net, model), fold=fold)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    (ours,) = session.run(None, {"input": x})
    with torch.no_grad():
        theirs = net(torch.from_numpy(x)).numpy()
    assert ours.shape == theirs.shape
    assert np.abs(theirs).max() > 1e-3
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())
