"""The device that computes: which one it is, making it ready, and passing it numbers without waiting for it."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache, partial

import numpy as np
import torch
from torch import Tensor

from pipeline import threads
from pipeline.errors import DeviceError, PipelineError
from pipeline.frame import Pixels, rounded, to_uint8, to_uint16

DEVICE_NAMES = "auto, cpu, cuda or cuda:N"
_NAME = re.compile(r"auto|cpu|cuda(:\d{1,2})?")
# From glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_NEVER = 2**31 - 1


def is_device_name(name: str) -> bool:
    """Whether there is such a device on some machine; see DEVICE_NAMES."""
    return _NAME.fullmatch(name) is not None


def likely_device(name: str) -> torch.device:
    """The device that `open_device` would take for a known name; nothing is opened, and it need not be there."""
    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)


def is_there(device: torch.device) -> bool:
    """Whether this machine has it."""
    return device.type == "cpu" or (
        torch.cuda.is_available() and device.type == "cuda" and (device.index or 0) < torch.cuda.device_count()
    )


def open_device(name: str) -> torch.device:
    """The device of a name, ready to compute: `auto` takes CUDA where there is one, else the CPU.

    Apple's GPUs are left out: they have no float64, which cameras and colours are computed in.
    Raises DeviceError for one that is not there, and for other names; and as `require_usual_torch` does.
    """
    require_usual_torch()
    device = _pick(name)
    if device.type == "cpu":
        keep_freed_memory()
        threads.wait_briefly_where_busy()
    if device.type == "cuda":
        be_exact()
        if device.index is not None:
            torch.cuda.set_device(device)  # streams and graphs are made on the current one
    return device


def require_usual_torch() -> None:
    """Raises PipelineError where a caller has set torch so that no film, or another one, would come out."""
    remedy = ""
    if torch.is_inference_mode_enabled():
        remedy = "torch.inference_mode() is on, and a dream needs gradients: leave it"
    elif torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda"):
        remedy = "torch.autocast() is on, which makes other frames: leave it, and set the dream stage's `precision`"
    elif torch.get_default_dtype() != torch.float32:
        remedy = f"torch's default type is {torch.get_default_dtype()}: call torch.set_default_dtype(torch.float32)"
    elif torch.get_default_device().type != "cpu":
        device = torch.get_default_device()
        remedy = f"torch's default device is {device}: call torch.set_default_device(None); a preset names its `device`"
    if remedy:
        raise PipelineError(f"dreamreel can't compute as torch is set here: {remedy}")


def _pick(name: str) -> torch.device:
    if not is_device_name(name):
        raise DeviceError(f"the device is {name!r}, must be {DEVICE_NAMES}")
    device = likely_device(name)
    if not is_there(device):
        raise DeviceError(f"the device {name!r} is not there; `device: auto` (or --device auto) takes what is")
    return device


@cache
def keep_freed_memory() -> bool:
    """Have glibc keep large freed blocks for the next ones; whether it does (other C libraries are left alone).

    By default each large tensor is new memory from the kernel, which clears it page by page, and goes back when it is
    freed: up to a third of a dream's time at 1080p. Every frame needs the same blocks again.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, _NEVER))


def be_exact() -> None:
    """Have cuDNN compute as a film needs that renders the same again: deterministic, and float32 whole."""
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, of the device or of the host; torch has no one class for both."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "DefaultCPUAllocator" in str(error)


def upload(tensor: Tensor, device: torch.device) -> Tensor:
    """`tensor`, which lies on the CPU, on `device`. Nothing waits for a CUDA device."""
    # From other memory than pinned, the driver may wait for all that the device has still to do.
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def constant(values: tuple[float, ...], like: Tensor) -> Tensor:
    """Numbers (n,) on the device and in the type of `like`; kept, so that a captured CUDA graph can read them."""
    return _constant(values, like.device, like.dtype)


@lru_cache(maxsize=64)
def _constant(values: tuple[float, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    return upload(torch.tensor(values, dtype=dtype), device)


@contextmanager
def out_of_memory_said() -> Iterator[None]:
    """Running out of memory in the block becomes a DeviceError."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        remedy = "set `memory` lower, or use a smaller picture or fewer octaves"
        raise DeviceError(f"out of memory; {remedy}") from error


class LateNumbers:
    """A few numbers (n,) on their way to the host: there at once on the CPU; nobody waits for a CUDA device."""

    def __init__(self, numbers: Tensor) -> None:
        self._copy = numbers.to("cpu", non_blocking=True)
        self._done: torch.cuda.Event | None = None
        if numbers.device.type == "cuda":
            self._done = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._done.record(torch.cuda.current_stream(numbers.device))

    def arrived(self) -> bool:
        """Whether they can be read without waiting."""
        return self._done is None or bool(self._done.query())  # type: ignore[no-untyped-call]

    def values(self) -> list[float]:
        """The numbers; waits until they are there."""
        if self._done is not None:
            self._done.synchronize()
        values: list[float] = self._copy.tolist()
        return values


class HostCopies:
    """Frames on their way from the device to files, as pictures of 8 bits, or where they are `deep` of 16.

    On CUDA they are rounded there and copied on a stream of its own, while the next frame is made: nobody waits but
    who asks for the pixels. Their pinned memory is given out again by torch once they are dropped, so there is no
    more of it than frames are held.
    """

    def __init__(self, device: torch.device, *, deep: bool = False) -> None:
        self._deep = deep
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]

    def __call__(self, frame: Tensor) -> Callable[[], Pixels]:
        """Begin with a frame (1, 3, H, W); what comes back gives an (H, W, 3) array of the
        caller's own whenever it is called, in any thread.

        Elsewhere than on CUDA, all the work is done there.
        """
        if self._stream is None:
            return partial(to_uint16 if self._deep else to_uint8, frame)
        pixels, done = rounded(frame, deep=self._deep), torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._stream.wait_stream(torch.cuda.current_stream(frame.device))
        with torch.cuda.stream(self._stream):
            copy = pixels.to("cpu", non_blocking=True)
            done.record(self._stream)
        pixels.record_stream(self._stream)
        return partial(_arrived, copy, done)


def _arrived(copy: Tensor, done: torch.cuda.Event) -> Pixels:
    done.synchronize()
    pixels = copy.numpy()
    return np.array(pixels, np.uint8) if pixels.dtype == np.uint8 else np.array(pixels, np.uint16)
