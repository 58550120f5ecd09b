"""The page of `dreamreel listen` in a real browser: the song plays, the cursor and the beat go along."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.media.picture import read_picture
from tests.browser import find_chromium, open_page
from tests.clicks import clicks_heard
from tests.processes import finished, run_dreamreel
from tests.songs import band, steady, write_song


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_song(tmp_path_factory.mktemp("song") / "song & dance.mp3", band(steady(120, 12.0, first=0.5), 12.0))


def test_the_page_plays_along(song: Path, tmp_path: Path) -> None:
    said = run_dreamreel("listen", str(song), "-o", str(tmp_path / "heard"))
    assert "beats a minute, steady" in said and read_picture(tmp_path / "heard/song & dance.png").shape[1] == 3
    browser = find_chromium()
    if browser is None:
        pytest.skip("there is no Chromium here to play in; apt-get install chromium")
    with open_page(browser, (tmp_path / "heard/song & dance.html").as_uri(), tmp_path / "profile") as page:
        page.evaluate(
            "new Promise(done => { const a = document.querySelector('audio');"
            " a.readyState >= 1 ? done() : a.addEventListener('loadedmetadata', done) })"
        )
        length = page.evaluate("document.querySelector('audio').duration")
        page.evaluate(
            "new Promise(done => { const a = document.querySelector('audio');"
            " a.addEventListener('seeked', () => setTimeout(done, 300)); a.currentTime = 6.6 })"
        )
        assert length == pytest.approx(12, abs=0.1)
        assert page.evaluate("document.getElementById('beat').textContent") == "bar 4, beat 1"
        left = float(page.evaluate("document.getElementById('cursor').style.left").rstrip("%"))
        assert left == pytest.approx(7 + (97.6 - 7) * 6.6 / 12, abs=0.6)
        assert page.evaluate("document.title") == "song & dance"


def test_beats_leave_as_a_table_and_as_clicks(tmp_path: Path) -> None:
    song = write_song(tmp_path / "quiet.flac", 0.05 * band(steady(120, 12.0, first=0.5), 12.0))
    table, clicking = tmp_path / "beats.csv", tmp_path / "clicks.wav"
    run_dreamreel("listen", str(song), "--export", str(table), "--click", str(clicking))
    lines = table.read_text().splitlines()
    assert lines[0] == "time,beat,bar" and len(lines) >= 23
    times = [float(line.split(",")[0]) for line in lines[1:]]
    heard = clicks_heard(clicking)
    assert all(min(abs(time - click) for click in heard) < 0.03 for time in times)
    wrong = finished("listen", str(song), "--bpm", "fast", "--meter", "3")
    assert wrong.returncode == 1 and "--bpm: is 'fast': must be auto" in wrong.stderr
    assert finished("listen", str(table)).returncode == 1
