"""The device that computes: which one it is, and making it ready."""

from __future__ import annotations

import ctypes
from functools import cache

import torch

from pipeline.errors import DeviceError

# From glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_NEVER = 2**31 - 1


def open_device(name: str) -> torch.device:
    """The device of a name, ready to compute: `auto` takes CUDA, then Apple's GPU, then the CPU.

    Raises DeviceError for one that is not there.
    """
    device = _pick(name)
    if device.type == "cpu":
        keep_freed_memory()
    return device


def _pick(name: str) -> torch.device:
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    device = torch.device(name)
    there = {"cpu": True, "mps": mps, "cuda": cuda and (device.index or 0) < torch.cuda.device_count()}
    if not there[device.type]:
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
