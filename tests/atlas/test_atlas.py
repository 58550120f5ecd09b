"""Atlases: which entries, what a click copies (in a real browser), and what is refused."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
import torch

from pipeline.atlas import block_entries, channel_entries, draw_plates
from pipeline.backbones import find_recipe
from pipeline.errors import ModelError
from pipeline.frame import size_of
from pipeline.media.picture import read_picture
from pipeline.preset import parse_preset
from tests.browser import find_chromium, open_page
from tests.conftest import photograph
from tests.processes import finished, run_dreamreel

CPU = torch.device("cpu")
SMALL = ("--layer", "blocks.1.1", "--channels", "3-6", "--side", "48", "--device", "cpu")


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four channels over a photograph."""
    folder = tmp_path_factory.mktemp("atlas")
    run_dreamreel("atlas", *SMALL, "--image", str(photograph("chelsea.png")), "-o", str(folder))
    return folder


@pytest.mark.parametrize("model", ["lite0", "googlenet", "vgg16", "resnet50", "timm:convnext_atto"])
def test_blocks_are_the_outermost_layers_in_their_order(model: str) -> None:
    names = [entry.label for entry in block_entries(find_recipe(model))]
    assert len(names) == len(set(names)) >= 6
    assert not [name for name in names if any(name.startswith(other + ".") for other in names)]
    if model == "lite0":
        assert [name for name in names if name.startswith("blocks")][:3] == ["blocks.0.0", "blocks.1.0", "blocks.1.1"]
        assert names[0] == "conv_stem" and len([name for name in names if name.startswith("blocks")]) == 16


def test_the_sheet_holds_every_plate_and_the_page_needs_nothing(atlas: Path) -> None:
    width, height = 48, round(48 * 300 / 451)
    sheet = size_of(read_picture(atlas / "atlas.png"))
    cells = (sheet.width // (width + 6)) * (sheet.height // (height + 24))
    assert 4 <= cells <= 6
    page = (atlas / "atlas.html").read_text()
    assert page.count('src="data:image/jpeg;base64,') == 4
    assert not re.findall(r'(?:src|href)="(?!data:)', page) and "http" not in page


def test_what_a_click_copies_is_a_stage(atlas: Path) -> None:
    copied = [html.unescape(text) for text in re.findall(r'data-yaml="([^"]*)"', (atlas / "atlas.html").read_text())]
    assert len(copied) == 4
    preset = parse_preset(f"stages:\n- stage: noise\n{copied[2]}".encode())
    assert preset.stages[1].terms[0].channel == 5  # type: ignore[attr-defined]


def test_a_click_copies_in_a_browser(atlas: Path, tmp_path: Path) -> None:
    browser = find_chromium()
    if browser is None:
        pytest.skip("there is no Chromium here to click in; apt-get install chromium")
    expected = html.unescape(re.findall(r'data-yaml="([^"]*)"', (atlas / "atlas.html").read_text())[2])
    with open_page(browser, (atlas / "atlas.html").as_uri(), tmp_path / "profile") as page:
        page.click("button:nth-of-type(3) img")
        assert page.evaluate("document.querySelector('output').textContent") == "copied:\n" + expected
        assert page.evaluate("navigator.clipboard.readText()") == expected


def test_plates_out_of_noise_repeat() -> None:
    entries = channel_entries(find_recipe("lite0"), "blocks.0.0", [1])
    (first,), (again,) = (list(draw_plates("lite0", entries, None, 32, CPU)) for _ in range(2))
    assert torch.equal(first, again) and first.shape == (1, 3, 32, 32) and float(first.std()) > 0.02


def test_mistakes(atlas: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="channels 0 to 15, and 16"):
        channel_entries(find_recipe("lite0"), "blocks.0.0", [16])
    for arguments, words in (
        (("atlas", *SMALL, "-o", str(atlas)), "--overwrite"),
        (("atlas", "--channels", "3"), "needs --layer"),
        (("atlas", "--layer", "block.1.1"), "near: blocks.1.1"),
    ):
        done = finished(*arguments, cwd=tmp_path)
        assert done.returncode == 1 and words in done.stderr, done.stderr
