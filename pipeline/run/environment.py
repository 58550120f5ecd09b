"""What of the machine and its software may change the bytes of a render."""

from __future__ import annotations

import importlib.metadata
import platform

import cv2
import torch

from pipeline.media.ffmpeg import ffmpeg_version

PACKAGES = ("dreamreel", "torch", "torchvision", "timm", "numpy", "imageio-ffmpeg", "av")


def environment(device: torch.device) -> dict[str, str]:
    """Names and versions that matter, as text."""
    facts = {name: _version(name) for name in PACKAGES}
    facts["opencv"] = str(cv2.__version__)  # whichever of its packages is there
    facts["python"] = platform.python_version()
    facts["machine"] = f"{platform.system()} {platform.machine()}"
    facts["device"] = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    facts["cpu"] = torch.backends.cpu.get_cpu_capability()
    facts["threads"] = f"{torch.get_num_threads()} torch, {cv2.getNumThreads()} OpenCV"
    facts["ffmpeg"] = ffmpeg_version()
    return facts


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
