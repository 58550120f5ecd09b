"""What of the machine and its software may change the bytes of a render."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterable

import cv2
import torch

from pipeline.media.ffmpeg import ffmpeg_version
from pipeline.plugins import Offer

PACKAGES = ("dreamreel", "torch", "torchvision", "timm", "numpy", "imageio-ffmpeg", "av")
# Variables by which libraries choose other kernels, whose sums end in other last digits.
_VARIABLES = (
    "ATEN_CPU_CAPABILITY",
    "CUBLAS_WORKSPACE_CONFIG",
    "DNNL_MAX_CPU_ISA",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
    "NVIDIA_TF32_OVERRIDE",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
    "OPENCV_IPP",
)


def versions(plugins: Iterable[Offer]) -> dict[str, str]:
    """The versions of everything that makes frames and films, with the packages that stages come from."""
    facts = {name: _version(name) for name in PACKAGES}
    facts |= {offer.package: offer.version for offer in plugins}
    facts["opencv"] = str(cv2.__version__)  # whichever of its packages is there
    facts["python"] = platform.python_version()
    facts["ffmpeg"] = ffmpeg_version()
    return facts


def environment(device: torch.device, plugins: Iterable[Offer]) -> dict[str, str]:
    """Names and versions that matter, as text."""
    facts = versions(plugins)
    facts["machine"] = f"{platform.system()} {platform.machine()}"
    facts["device"] = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    facts["cpu"] = torch.backends.cpu.get_cpu_capability()
    return facts | {name: os.environ[name] for name in _VARIABLES if name in os.environ}


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
