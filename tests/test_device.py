"""Devices: which one is taken, and that the processor's memory is used again."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest
import torch

from pipeline.device import be_exact, open_device
from pipeline.errors import DeviceError

# Allocates and frees a large tensor some times, and prints how many pages the kernel had to give for the last one.
PAGES_OF_THE_LAST = """
import ctypes, resource, torch
from pipeline.device import open_device
ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE: a huge page is one fault for 512 pages
{ready}
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    before = faults()
    torch.ones(16 << 20)
print(faults() - before)
"""


def pages(ready: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PAGES_OF_THE_LAST.format(ready=ready)], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left alone")
def test_a_freed_tensor_is_the_next_ones_memory() -> None:
    assert pages("") > 10_000  # 64 MiB of 4 KiB pages, cleared again by the kernel
    assert pages('open_device("cpu")') < 500


def test_a_device_that_is_not_there_is_an_error_with_a_remedy() -> None:
    with pytest.raises(DeviceError, match=r"cuda:63.*device: auto"):
        open_device("cuda:63")
    with pytest.raises(DeviceError, match=r"'mps', must be auto, cpu, cuda or cuda:N"):
        open_device("mps")


def test_cudnn_is_asked_for_what_renders_the_same_again() -> None:
    with torch.backends.cudnn.flags(deterministic=False, benchmark=True, allow_tf32=True):
        be_exact()
        assert torch.backends.cudnn.deterministic
        assert not torch.backends.cudnn.benchmark and not torch.backends.cudnn.allow_tf32
