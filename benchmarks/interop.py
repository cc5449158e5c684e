"""What comes in from other frameworks: their weights for our specs, their ONNX files as specs.

    python benchmarks/interop.py [SOURCE…] [--only=NAME,NAME…] [--keep=FOLDER]

Sources: `weights`, twins of our specs stored by torch.save and read by `--weights`; `torchvision`
and `timm`, exported by both exporters; `keras`, files of Keras and their weights; `keras-onnx`,
the same nets by tf2onnx; `light`, the classifiers in `onnx`; `packages`, files that others ship.
Weights are random. A row is exact where max|a − b| ≤ 1e-4 · max|a| for every output, refused with
the reason, or wrong; noise where the original is as far from itself with its operators unfused.
`--keep` stores the exported files and takes those that are there. Needs the extra `interop`.
"""

import os
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import foreign_nets as nets
import numpy as np
from turns import SPECS

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
EXACT = 1e-4
_FLOAT = "tensor(float)"


class Source(NamedTuple):
    """Nets, the ways in which each comes, and what is done with one: a verdict and a figure."""

    names: Callable[[], list[str]]
    ways: tuple[str, ...]
    row: Callable[[str, str, Path], tuple[str, str]]


def answers(model, x, as_written=False):
    """The outputs that are numbers; `as_written` leaves the operators as they are."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if as_written:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs() if o.type == _FLOAT]
    first, *unread = session.get_inputs()  # tf2onnx leaves inputs that nothing reads
    others = {i.name: np.zeros(i.shape, np.float32) for i in unread}
    return session.run(names, {first.name: x, **others})


def apart(ours, theirs):
    pairs = [(a, _as(a.shape, b)) for a, b in zip(ours, theirs, strict=True)]
    return max(np.abs(a - b).max() / np.abs(b).max() for a, b in pairs)


def _as(shape, y):
    """An output in the shape of ours: images with their channels first."""
    is_last = y.ndim == len(shape) == 4 and y.shape != shape
    return (y.transpose(0, 3, 1, 2) if is_last else y).reshape(shape)


def judged(ours, theirs, noise=0.0):
    """`noise` is how far the original is from itself where its operators are not fused."""
    error = apart(ours, theirs)
    verdict = "exact" if error <= EXACT else "noise" if error <= 2 * noise else "WRONG"
    return verdict, f"{error:.1e}"


def weights_row(spec, way, folder):
    """A state_dict through --weights, as a user would; beside PyTorch in double precision, which
    in single precision is itself 1.3e-4 off for the deepest net.
    """
    import torch

    import cnndsl

    net, path = nets.torchvision_net(spec), folder / "w.pth"
    torch.save(net.state_dict(), path)
    model = cnndsl.load(SPECS / f"{spec}.cnn")
    x = nets.image(spec, 1, *model.input)
    with torch.no_grad():
        theirs = net.double()(torch.from_numpy(x).double()).float().numpy()
    return judged(answers(model.to_onnx(path).SerializeToString(), x), [theirs])


def onnx_row(export, name, way, folder):
    """A file of ONNX through decompile."""
    path = folder / f"{name}.{way.replace(' ', '_')}.onnx"
    if not path.exists():
        export(name, way, path)
    return decompiled_row(path, name)


def decompiled_row(path, name=""):
    import cnndsl
    from cnndsl.decompile import from_graph
    from cnndsl.runtime.foreign import checked, fix_size, load_model

    proto = load_model(path)
    size = nets.open_size(proto)
    if size:
        fix_size(proto, *size)
    found = from_graph(checked(proto, str(path)))
    model, original = cnndsl.Model(found.model), proto.SerializeToString()
    x = nets.image(name, 1, *model.input)
    is_last = any(note.startswith("the input is taken") for note in found.notes)
    given = x.transpose(0, 2, 3, 1) if is_last else x
    theirs, plain = answers(original, given), answers(original, given, as_written=True)
    ours = answers(model.to_onnx(found.tensors).SerializeToString(), x)
    return judged(ours, theirs, apart(plain, theirs))


def keras_row(name, way, folder):
    """A model through decompile, and its weights back by --weights."""
    import cnndsl
    from cnndsl.decompile.keras import from_keras
    from cnndsl.weights.fit import read_weights

    net, path = nets.keras_net(name), folder / f"m{way}"
    net.save(path)
    found = from_keras(path)
    again = read_weights(path, found.model)
    if any((again.tensors[n] != t).any() for n, t in found.tensors.items()):
        return "WRONG", "weights read back differ"
    x = nets.image(name, 1, *cnndsl.Model(found.model).input)
    theirs = net.predict(x.transpose(0, 2, 3, 1), verbose=0)
    if found.notes:  # it scales images in 0…255 itself
        mean, std = (np.array(v, np.float32).reshape(-1, 1, 1)
                     for v in (found.info.mean, found.info.std))  # fmt: skip
        x = (x / 255 - mean) / std
    graph = cnndsl.Model(found.model).to_onnx(found.tensors)
    return judged(answers(graph.SerializeToString(), x), [theirs])


def _these(names: str) -> Callable[[], list[str]]:
    return names.split


TORCH_WAYS = ("legacy", "dynamo", "legacy symbolic", "dynamo symbolic")
SOURCES = {
    "weights": Source(_these(nets.TWINS), ("state_dict",), weights_row),
    "torchvision": Source(_these(nets.TORCHVISION), TORCH_WAYS,
                          partial(onnx_row, partial(nets.torch_onnx, nets.torchvision_net))),
    "timm": Source(_these(nets.TIMM), TORCH_WAYS[:2],
                   partial(onnx_row, partial(nets.torch_onnx, nets.timm_net))),
    "keras": Source(_these(nets.KERAS), (".keras", ".h5"), keras_row),
    "keras-onnx": Source(_these(nets.KERAS), ("tf2onnx NHWC", "tf2onnx NCHW", "model.export"),
                         partial(onnx_row, nets.keras_onnx)),
    "light": Source(nets.light_names, ("opset 7-9",), partial(onnx_row, nets.light_onnx)),
    "packages": Source(nets.packaged, ("shipped",), lambda name, way, folder:
                       decompiled_row(nets.packaged_path(name))),
}  # fmt: skip


def tried(row) -> tuple[str, str]:
    """A verdict and what is told; nothing that happens ends the table."""
    from cnndsl import Failed, UserError

    try:
        return row()
    except (UserError, Failed) as error:
        return "refused", " ".join(str(error).split())[:160]
    except nets.NoExportError as error:
        return "no export", str(error)[:120]
    except Exception as error:
        return "CRASH", f"{type(error).__name__}: {str(error)[:100]}"


def option(name) -> str:
    return next((a.partition("=")[2] for a in sys.argv if a.startswith(f"--{name}=")), "")


def main():
    only, total = [n for n in option("only").split(",") if n], Counter[Any]()
    warnings.simplefilter("ignore")
    chosen = [a for a in sys.argv[1:] if not a.startswith("-")] or list(SOURCES)
    with TemporaryDirectory() as made:
        folder = Path(option("keep") or made)
        for source in chosen:
            names, ways, row = SOURCES[source]
            for name in only or names():
                for way in ways:
                    verdict, told = tried(partial(row, name, way, folder))
                    total[source, verdict] += 1
                    print(f"{source:<12} {name + ' ' + way:<42} {verdict:<9} {told}", flush=True)
                for file in Path(made).glob("*"):
                    file.unlink()
    for source in [*chosen, ""]:
        counts = Counter[str]()
        for (of, verdict), count in total.items():
            counts[verdict] += count if source in (of, "") else 0
        files = counts.total() - counts["no export"] - counts["noise"]
        share = 100 * counts["exact"] / max(1, files)
        print(f"{source or 'all'}: {dict(counts)}, {share:.0f} % of {files} exact")


if __name__ == "__main__":
    main()
