"""Footage in HDR: refused, or tone-mapped where asked; against the standards' own figures."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from pipeline.errors import PresetError
from pipeline.media.film import Film
from pipeline.ops.hdr import Transfer, hlg_light, pq_code, pq_light, tone_map
from pipeline.preset import parse_preset
from pipeline.run import render
from tests.clips import ffmpeg

CODES = {"pq": "smpte2084", "hlg": "arib-std-b67"}


def hdr(folder: Path, transfer: Transfer) -> Path:
    """Ten bits of BT.2020: greys from black to the brightest, from left to right."""
    path, code = folder / f"{transfer}.mkv", CODES[transfer]
    tags = ("-colorspace", "bt2020nc", "-color_primaries", "bt2020", "-color_trc", code, "-color_range", "tv")
    params = f"log-level=error:transfer={code}:colorprim=bt2020:colormatrix=bt2020nc"
    ramp = "nullsrc=size=256x64:rate=8:duration=0.5,format=yuv420p10le,geq=lum=64+876*X/255:cb=512:cr=512"
    encoder = ("-c:v", "libx265", "-crf", "4", "-preset", "ultrafast", "-x265-params", params)
    ffmpeg("-f", "lavfi", "-i", ramp, *encoder, *tags, path)
    return path


@pytest.mark.parametrize("transfer", ["pq", "hlg"])
def test_a_ramp_is_shown_as_the_formula_says(tmp_path: Path, transfer: Transfer) -> None:
    picture = next(Film(hdr(tmp_path, transfer), hdr=True).pictures(Fraction(0))).read()
    grey = picture[0, :, 32]
    codes = torch.linspace(0, 1, 256).expand(1, 3, 1, 256)
    assert torch.allclose(grey, tone_map(codes, transfer)[0, :, 0], atol=0.02)
    assert float(grey.amax(0).sub(grey.amin(0)).max()) < 0.02  # grey stays grey
    assert float(grey[0, -1]) == pytest.approx(1, abs=0.01) and float(grey[0, 0]) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("transfer", ["pq", "hlg"])
def test_more_light_is_never_darker(transfer: Transfer) -> None:
    shown = tone_map(torch.linspace(0, 1, 4096).expand(1, 3, 1, 4096), transfer)[0, 0, 0]
    assert bool((shown.diff() >= -1e-5).all())
    assert float(shown.diff().max()) < 0.01  # and no step is seen


def test_what_is_dim_keeps_its_light_and_hues_stay() -> None:
    dim = tone_map(pq_code(torch.full((1, 3, 1, 1), 50.0)), "pq")
    linear = ((float(dim[0, 0, 0, 0]) + 0.055) / 1.055) ** 2.4
    assert 203 * linear == pytest.approx(50, rel=0.01)
    orange = pq_code(torch.tensor([800.0, 400.0, 100.0]).view(1, 3, 1, 1))
    red, green, blue = tone_map(orange, "pq").flatten().tolist()
    assert red == pytest.approx(1, abs=0.05) and red > green > blue


def test_the_standards_own_figures() -> None:
    assert pq_light(torch.tensor([0.508078])).item() == pytest.approx(100, rel=1e-3)  # ST 2084
    assert pq_code(pq_light(torch.linspace(0.01, 1, 99))).numpy() == pytest.approx(np.linspace(0.01, 1, 99), abs=1e-4)
    white = hlg_light(torch.full((1, 3, 1, 1), 0.75))  # BT.2408: 75 % is diffuse white
    assert white.flatten().tolist() == pytest.approx([203] * 3, rel=0.01)


def test_a_film_over_hdr_footage(tmp_path: Path) -> None:
    path = hdr(tmp_path, "pq")
    text = f"stages:\n- {{stage: video, path: {path}HDR}}\n- {{stage: encode, format: prores}}"
    with pytest.raises(PresetError, match=r"is HDR \(PQ\), presets work in SDR"):
        parse_preset(text.replace("HDR", ""))
    result = render(parse_preset(text.replace("HDR", ", hdr: tone-map")), tmp_path / "run")
    with av.open(str(result.path)) as film:
        shown = next(film.decode(video=0)).to_ndarray(format="rgb48le")[32, :, 1] / 65535
    wanted = tone_map(torch.linspace(0, 1, 256).expand(1, 3, 1, 256), "pq")[0, 0, 0].numpy()
    assert np.abs(shown - wanted).max() < 0.03
    assert len(np.unique(shown)) > 150
