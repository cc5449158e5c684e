"""Sessions on the CPU or on CUDA; asking for what is not there is an error, not a fallback."""

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cnndsl.source import UserError

if TYPE_CHECKING:
    import onnxruntime

Device = Literal["auto", "cpu", "cuda"]
DEVICES = ("auto", "cpu", "cuda")
_CUDA = "CUDAExecutionProvider"
_CPU = "CPUExecutionProvider"


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


def runtime() -> "type[onnxruntime]":  # pyright: ignore[reportGeneralTypeIssues]
    """The onnxruntime module, quiet; UserError where it is missing or doubled."""
    packages = installed()
    if len(packages) == 2:
        raise UserError(
            "onnxruntime and onnxruntime-gpu are both installed and shadow each other\n"
            "  pip uninstall -y onnxruntime onnxruntime-gpu && pip install 'cnndsl[gpu]'"
        )
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError(
            f"onnxruntime cannot be imported ({error})\n"
            "  pip install 'cnndsl[cpu]'    (or 'cnndsl[gpu]' for CUDA)"
        ) from None
    onnxruntime.set_default_logger_severity(3)
    return onnxruntime  # pyright: ignore[reportReturnType]


def providers(device: str) -> list[str]:
    """Execution providers for a device; UserError where CUDA is asked for and is not there."""
    ort = runtime()
    available = ort.get_available_providers()
    if device == "cpu" or (device == "auto" and _CUDA not in available):
        return [_CPU]
    if _CUDA not in available:
        raise UserError(
            "CUDA was asked for, but this onnxruntime runs on the CPU only\n"
            "  pip uninstall -y onnxruntime && pip install 'cnndsl[gpu]'"
        )
    return [_CUDA, _CPU]


def open_session(
    model: bytes | Path, device: str = "auto", threads: int | None = None, lean: bool = False
) -> "onnxruntime.InferenceSession":
    """A session for an ONNX model; UserError where it cannot be opened on that device.

    `lean` leaves out onnxruntime's memory pattern, which for a training step keeps a second copy of
    all temporary tensors (1.6 GB instead of 0.95 for ResNet-18, at the same speed).
    """
    ort = runtime()
    wanted = providers(device)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.enable_mem_pattern = not lean
    if threads:
        options.intra_op_num_threads = threads
    try:
        session = ort.InferenceSession(
            model if isinstance(model, bytes) else str(model), options, providers=wanted
        )
    except Exception as error:  # onnxruntime raises a dozen unrelated types
        raise UserError(f"onnxruntime cannot open the model: {error}") from None
    if device == "cuda" and _CUDA not in session.get_providers():
        raise UserError(
            "CUDA was asked for, but it did not start (driver, CUDA 12+ and cuDNN 9 are needed)\n"
            "  pip install 'onnxruntime-gpu[cuda,cudnn]'"
        )
    return session
