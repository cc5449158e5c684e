"""Sessions on the CPU or on CUDA; asking for what is not there is an error, not a fallback."""

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from cnndsl.source import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Device = Literal["auto", "cpu", "cuda"]
DEVICES = ("auto", "cpu", "cuda")
_CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"
_TYPES = {
    "tensor(float)": "float32", "tensor(double)": "float64", "tensor(int64)": "int64",
    "tensor(int32)": "int32", "tensor(bool)": "bool", "tensor(uint8)": "uint8",
    "tensor(float16)": "float16",
}  # fmt: skip


class Port(Protocol):
    """An input or output of a session: its name, type and dimensions as the file says them."""

    name: str
    type: str
    shape: list[int | str | None]


def zeros(port: Port) -> "NDArray[Any]":
    """An array for an input or output of which every dimension is known."""
    import numpy as np

    return np.zeros([int(d or 0) for d in port.shape], _TYPES[port.type])


class DeviceTensor(Protocol):
    """A tensor where the session runs: onnxruntime's OrtValue."""

    def numpy(self) -> "NDArray[Any]":
        """A copy on the host, or a view where it is there already."""
        ...

    def update_inplace(self, data: "NDArray[Any]") -> None:
        """Overwrite it."""
        ...


class Session(Protocol):
    """What cnndsl uses of onnxruntime's InferenceSession, which comes without types."""

    def run(
        self, output_names: Sequence[str] | None, input_feed: "Mapping[str, NDArray[Any]]"
    ) -> "list[NDArray[Any]]":
        """The named outputs, or all of them."""
        ...

    def get_inputs(self) -> Sequence[Port]:
        """The graph's inputs, in its order."""
        ...

    def get_outputs(self) -> Sequence[Port]:
        """The graph's outputs, in its order."""
        ...

    def get_providers(self) -> Sequence[str]:
        """The execution providers that started."""
        ...

    def io_binding(self) -> Any:
        """A table of which tensor each input reads and each output writes."""
        ...

    def run_with_iobinding(self, iobinding: Any, run_options: Any = None) -> None:
        """Run on bound tensors."""
        ...


def installed() -> list[str]:
    """Which of the two onnxruntime packages are installed; they shadow each other."""
    found = list[str]()
    for name in ("onnxruntime", "onnxruntime-gpu"):
        try:
            distribution(name)
            found.append(name)
        except PackageNotFoundError:
            continue
    return found


def runtime() -> Any:
    """The onnxruntime module, quiet; UserError where it is missing or doubled."""
    packages = installed()
    if len(packages) == 2:
        raise UserError(
            "onnxruntime and onnxruntime-gpu are both installed and shadow each other\n"
            "  pip uninstall -y onnxruntime onnxruntime-gpu && pip install onnxruntime"
        )
    try:
        ort = import_module("onnxruntime")
    except ImportError as error:
        raise UserError(
            f"onnxruntime cannot be imported ({error})\n"
            "  pip install onnxruntime    (or 'onnxruntime-gpu[cuda,cudnn]' for CUDA)"
        ) from None
    ort.set_default_logger_severity(3)
    return ort


def check_device(device: str) -> None:
    """UserError for a word that is none of `DEVICES`."""
    if device not in DEVICES:
        raise UserError(f"device: {device!r} is none of {', '.join(DEVICES)}")


def providers(device: str) -> list[str]:
    """Execution providers for a device; UserError where CUDA is asked for and is not there."""
    check_device(device)
    ort = runtime()
    available: list[str] = ort.get_available_providers()
    if device == "cpu" or (device == "auto" and _CUDA not in available):
        return [CPU]
    if _CUDA not in available:
        raise UserError(
            "this onnxruntime runs on the CPU only, without CUDA\n"
            "  pip uninstall -y onnxruntime && pip install 'onnxruntime-gpu[cuda,cudnn]'"
        )
    return [_CUDA, CPU]


def cores() -> frozenset[int]:
    """The cores that this process may use: all, or those that it is bound to."""
    if sys.platform == "linux":
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def _allowed() -> int:
    """How many threads; 0, one a core of the machine, where the process may use all of them.

    onnxruntime counts those of the machine: two threads on one core wait for each other.
    """
    may = len(cores())
    return may if may < (os.cpu_count() or may) else 0


def open_session(
    model: bytes | Path, device: str = "auto", threads: int | None = None, lean: bool = False,
    cuda_graph: bool = False,
) -> Session:  # fmt: skip
    """A session for an ONNX model; UserError where it cannot be opened on that device.

    `lean` leaves out two habits of onnxruntime that cost a training step memory and win no time.
    Its memory pattern keeps a second copy of all temporary tensors (1.6 GB instead of 0.95 for
    ResNet-18). Its plan keeps a freed tensor's buffer for a later one of the same shape, however
    much later (3.0 GiB instead of 1.5 for a U-Net at 256×256). With `cuda_graph` CUDA
    records what the first runs launch, and plays it back: see `graph_number`.
    """
    ort = runtime()
    wanted: list[Any] = [*providers(device)]
    if cuda_graph:
        wanted[0] = (_CUDA, {"enable_cuda_graph": "1"})
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.enable_mem_pattern = options.enable_mem_reuse = not lean
    options.intra_op_num_threads = threads or _allowed()
    try:
        session = ort.InferenceSession(
            model if isinstance(model, bytes) else str(model), options, providers=wanted
        )
    except Exception as error:  # onnxruntime raises a dozen unrelated types
        raise UserError(f"onnxruntime cannot open the model: {error}") from None
    if device == "cuda" and _CUDA not in session.get_providers():
        raise UserError(
            "CUDA did not start (driver, CUDA 12+ and cuDNN 9 are needed)\n"
            "  pip install 'onnxruntime-gpu[cuda,cudnn]'"
        )
    return session


def graph_number(number: int) -> Any:
    """Options of the runs that a CUDA graph plays back: one number for each set of addresses.

    The first such run computes three times, to record: its outputs may not be its inputs.
    """
    options = runtime().RunOptions()
    options.add_run_config_entry("gpu_graph_id", str(number))
    return options
