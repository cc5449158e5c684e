"""`cnndsl doctor`."""

import os
import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed

import click

from cnndsl.source import UserError
from cnndsl.version import LANGUAGE, version

_PACKAGES = (
    "lark", "onnx", "numpy", "onnxruntime", "onnxruntime-gpu", "safetensors", "pillow",
    "matplotlib", "tensorboardX", "pygls", "optuna", "mpi4py", "h5py",
)  # fmt: skip


@click.command("doctor")
def command() -> int:
    """Say what is installed, which devices work, and what to install for the rest."""
    click.echo(f"cnndsl {version()}, language version {LANGUAGE}")
    click.echo(f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, "
               f"{os.cpu_count()} CPUs")  # fmt: skip
    for name in _PACKAGES:
        click.echo(f"  {name:<16} {_installed(name)}")
    return _try_devices()


def _installed(name: str) -> str:
    try:
        return installed(name)
    except PackageNotFoundError:
        return "-"


def _try_devices() -> int:
    """Run a tiny network on each device; 0 if the CPU works."""
    from cnndsl.api import parse

    model = parse("input 1x4x4\nconv 2 3x3 same relu; gap; dense 2")
    data = model.to_onnx().SerializeToString()
    working = [device for device in ("cpu", "cuda") if _works(data, device)]
    return 0 if "cpu" in working else 2


def _works(data: bytes, device: str) -> bool:
    import numpy as np

    from cnndsl.runtime.session import open_session

    try:
        session = open_session(data, device)
        session.run(None, {"input": np.zeros((1, 1, 4, 4), np.float32)})
    except UserError as error:
        click.echo(f"  {device}: {error}")
        return False
    click.echo(f"  {device}: works")
    return True
