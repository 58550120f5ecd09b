"""The page of the studio, used as a person uses it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import find_chromium, open_page
from tests.films import SONG
from tests.studio.chromium import Screen
from tests.studio.conftest import TEXT
from tests.studio.server import Page

BROWSER = find_chromium()
pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here")


@pytest.fixture(scope="module")
def tab(page: Page, film: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    """A browser with the page in it; there is a finished run."""
    assert BROWSER is not None
    with open_page(BROWSER, "about:blank", tmp_path_factory.mktemp("chromium")) as opened:
        yield Screen(opened, page.link)


@pytest.fixture
def screen(tab: Screen) -> Iterator[Screen]:
    """The page as it is when it is opened first; nothing may have gone wrong unseen by the end."""
    tab.resize(1280, 720)
    tab.open()
    yield tab
    assert tab.faults() == []


def choose_preset(screen: Screen, name: str = "mine") -> None:
    screen.press(".poster", name)
    screen.wait(f"document.querySelector('.names').textContent === '{name}yours'")
    screen.wait("document.querySelector('.problems').innerText.includes('No mistakes')")


def choose_run(screen: Screen, page: Page, run: str) -> str:
    name = str(page.get(f"/api/runs/{run}")["name"])
    screen.run(f"import('/page/js/subject.js').then((subject) => subject.look('run:{run}'))")
    screen.wait(
        f"document.querySelector('.names h2').textContent === '{name}' && !document.querySelector('.scrub').disabled"
    )
    return name


def test_an_edited_number_is_seen_at_once_as_a_draft(screen: Screen) -> None:
    choose_preset(screen)
    screen.press("#tab-controls")
    screen.wait("document.querySelector('[data-slider=\"dream.strength\"]')")
    screen.slide('[data-slider="dream.strength"]', 0.8)
    screen.wait("document.querySelector('.badge').innerText.includes('Draft, small')")
    screen.wait("/^[0-9a-f]{12} /.test(document.querySelector('.frame .picture').dataset.frame)")
    before = screen.picture(".frame .picture")
    screen.slide('[data-slider="dream.strength"]', 0.1)
    screen.wait(f"document.querySelector('.frame .picture').toDataURL() !== '{before}'")
    assert "strength: 0.1        # how far" in screen.text()
    screen.key("Escape")
    screen.wait("document.querySelector('.badge').hidden")


def test_a_control_is_undone_like_what_was_typed(screen: Screen) -> None:
    choose_preset(screen)
    screen.press(".preset-foot input")
    screen.press("#tab-controls")
    screen.wait("document.querySelector('[data-slider=\"zoom.zoom\"]')")
    screen.slide('[data-slider="zoom.zoom"]', 2)
    screen.wait("document.querySelector('.mark').innerText.includes('edited')")
    assert "zoom: 2" in screen.text()
    screen.press("#tab-controls")
    screen.key("z", ctrl=True)
    screen.wait("!document.querySelector('.mark').innerText.includes('edited')")
    assert screen.text() == TEXT


def test_a_slider_is_fine_where_its_number_is_small(screen: Screen) -> None:
    """strength may be 0 to 20, and is 0.3: the slider reaches some times that, and further once it is at its end."""
    choose_preset(screen)
    screen.press(".preset-foot input")
    screen.press("#tab-controls")
    slider = '[data-slider="dream.strength"]'
    screen.wait(f"document.querySelector('{slider}')")
    assert screen.run(f"Number(document.querySelector('{slider}').max)") == pytest.approx(0.9)
    screen.slide(slider, 20)
    screen.run(f"document.querySelector('{slider}').dispatchEvent(new Event('change'))")
    assert screen.run(f"Number(document.querySelector('{slider}').max)") > 2


def test_a_mistake_is_marked_under_its_very_characters(screen: Screen) -> None:
    choose_preset(screen)
    screen.write(TEXT.replace("strength: 0.3", "strenth: 0.3"))
    screen.wait("document.querySelector('.cm-lintRange-error')")
    assert screen.words(".cm-lintRange-error") == "strenth"
    assert "1 mistake" in screen.words(".problems")
    assert "did you mean 'strength'" in screen.words(".problem")
    screen.press(".problem")
    assert screen.run("document.activeElement.closest('.cm-editor') !== null")


def test_keys_are_completed(screen: Screen) -> None:
    choose_preset(screen)
    screen.write("stages:\n  - stage: dream\n    stren")
    screen.wait("document.querySelector('.cm-lintRange-error')")
    screen.key("g")
    screen.wait("document.querySelector('.cm-tooltip-autocomplete')")
    assert "strength" in screen.words(".cm-tooltip-autocomplete")


def test_a_render_is_started_stopped_and_resumed(screen: Screen, page: Page) -> None:
    page.post("/api/presets", name="long", text=TEXT.replace("duration: 3s", "duration: 600s").replace("mine", "long"))
    screen.wait("[...document.querySelectorAll('.poster')].some((each) => each.innerText.includes('long'))")
    choose_preset(screen, "long")
    screen.press(".sides .button", "Render")
    screen.wait("document.querySelector('.run[aria-current=true] .state.rendering')")
    screen.wait("document.querySelector('.time').innerText.includes('frame 3')")
    screen.press(".transport .button", "Stop")
    screen.wait("document.querySelector('.run[aria-current=true] .state.stopped')")
    screen.press(".transport .button", "Resume")
    screen.wait("document.querySelector('.run[aria-current=true] .state.rendering')")
    screen.press(".tools .button", "Stop long")
    screen.wait("document.querySelector('.run[aria-current=true] .state.stopped')")


def test_all_finished_frames_can_be_looked_at(screen: Screen, page: Page, film: str) -> None:
    choose_run(screen, page, film)
    pictures = []
    for frame in (0, 10, 20):
        screen.slide(".scrub", frame)
        screen.wait(f"document.querySelector('.frame .picture').dataset.frame.includes('/{frame}.jpg')")
        pictures.append(screen.picture(".frame .picture"))
    assert len(set(pictures)) == 3
    screen.run("document.activeElement.blur()")
    screen.key("ArrowLeft")
    assert screen.frame() == 19
    screen.key("Home")
    screen.key("l")
    screen.wait("document.querySelector('.time').innerText.includes('frame 23')")
    screen.key(" ")
    screen.key("k")


def test_a_run_is_branched_at_a_second(screen: Screen, page: Page, film: str) -> None:
    name = choose_run(screen, page, film)
    screen.press(".preset-foot input")
    screen.slide(".scrub", 16)
    screen.write(TEXT.replace("strength: 0.3", "strength: 0.6"))
    screen.wait("document.querySelector('.problems').innerText.includes('No mistakes')")
    screen.press(".sides .button", "Branch here")
    screen.wait("document.querySelector('#ask-at')?.value === '2'")
    screen.key("Enter")
    screen.wait(f"document.querySelector('.names h2').innerText === '{name}-at-2s'")
    branch = next(each for each in page.get("/api/state")["runs"] if each["name"] == f"{name}-at-2s")
    about = page.finished(branch["id"])
    assert (about["parent"]["id"], about["parent"]["frame"]) == (film, 16)
    screen.wait("[...document.querySelectorAll('.compare option')].length > 1")
    screen.choose("select.compare", film)
    screen.slide(".scrub", 23)
    screen.wait("!document.querySelector('.wipe').hidden")
    screen.wait("document.querySelector('.over').width > 16")
    assert screen.words(".side.b") == f"B {name}"
    screen.run("document.querySelector('.wipe').focus()")
    before = screen.frame()
    screen.key("ArrowRight")
    assert screen.run("document.querySelector('.film .over').style.clipPath") == "inset(0px 0px 0px 52%)"
    assert screen.frame() == before


@pytest.mark.parametrize(("part", "seen"), [("atlas", ".layer"), ("stills", ".strip .thumb-button")])
def test_a_reload_finds_the_other_tabs_again(screen: Screen, page: Page, film: str, part: str, seen: str) -> None:
    picture = page.get(f"/api/runs/{film}/frames/20.jpg")
    still = page.ask("POST", "/api/stills?name=meadow.jpg", picture, Content_Type="image/jpeg").json
    about = f"[{{ id: '{still['id']}', name: 'meadow.jpg', size: [64, 48] }}]"
    change = f"{{ tab: '{part}', model: 'lite0', layer: 'blocks.3.1', stills: {about}, still: '{still['id']}' }}"
    screen.run(f"import('/page/js/store.js').then(({{ set }}) => set({change}))")
    screen.reload()
    screen.wait(f"document.querySelector('{seen}')")
    assert screen.run("document.querySelector('.drop').hidden") == (part == "stills")


def test_a_channel_of_the_atlas_goes_into_the_text_and_out_again(screen: Screen) -> None:
    choose_preset(screen)
    screen.press("#tab-atlas")
    screen.press(".layer", "blocks.3.1")
    screen.wait("document.querySelector('.atlas-head h2').innerText === 'blocks.3.1'")
    screen.press(".channel", "Channel 4")
    screen.wait("document.querySelector('[data-channel=\"4\"]').ariaPressed === 'true'")
    assert "{layer: blocks.3.1, channel: 4}" in screen.text()
    screen.press(".channel", "Channel 4")
    screen.wait("document.querySelector('[data-channel=\"4\"]').ariaPressed === 'false'")


def test_a_dropped_photograph_is_dreamt_over(screen: Screen, film: str) -> None:
    choose_preset(screen)
    screen.press("#tab-stills")
    assert "Drop a photograph here" in screen.words(".drop")
    screen.run(f"""(async () => {{
        const blob = await (await fetch('/api/runs/{film}/frames/20.jpg')).blob();
        const data = new DataTransfer();
        data.items.add(new File([blob], 'meadow.jpg', {{ type: 'image/jpeg' }}));
        document.querySelector('.stills').dispatchEvent(new DragEvent('drop', {{ dataTransfer: data, bubbles: true }}));
    }})()""")
    screen.wait("document.querySelector('.stills .time').innerText.includes('meadow.jpg · 64')")
    screen.press(".stills .button", "Dream over it")
    screen.wait("!document.querySelector('.stills .wipe').hidden")
    assert screen.picture(".stills .over") != screen.picture(".stills .picture")
    assert screen.run("document.querySelector('.stills a').download") == "meadow-dream.png"


def test_a_reload_finds_everything_again(screen: Screen, page: Page, film: str) -> None:
    name = choose_run(screen, page, film)
    screen.slide(".scrub", 7)
    screen.press(".preset-foot input")
    written = TEXT.replace("# how far", "# not saved")
    screen.write(written)
    screen.press("#tab-controls")
    screen.press(".transport .button", "Fit")
    screen.reload()
    screen.wait(f"document.querySelector('.names h2').innerText === '{name}'")
    assert (screen.frame(), screen.text()) == (7, written)
    assert screen.run("document.querySelector('#tab-controls').ariaSelected") == "true"
    assert "1:1" in screen.words(".transport")
    screen.wait("document.querySelector('.frame .picture').dataset.frame.includes('/7.jpg')")


@pytest.mark.parametrize("size", [(1280, 720), (390, 844)], ids=["desktop", "phone"])
def test_axe_finds_no_serious_fault(screen: Screen, page: Page, film: str, size: tuple[int, int]) -> None:
    screen.resize(*size)
    choose_run(screen, page, film)
    screen.run("import('/page/js/store.js').then((store) => store.set({ side: 'controls', all: true }))")
    screen.wait("document.querySelectorAll('.control').length > 20")
    for tab in ("film", "atlas", "stills"):
        screen.run(f"import('/page/js/store.js').then((store) => store.set({{ tab: '{tab}' }}))")
        screen.wait("document.querySelector('#panel-atlas').hidden || document.querySelector('.channel')")
        for pane in ("shelf", "work", "preset") if size[0] < 500 else ("work",):
            screen.run(f"import('/page/js/store.js').then((store) => store.set({{ pane: '{pane}' }}))")
            assert screen.barriers() == [], (tab, pane)
    screen.key("?")
    assert screen.barriers() == []
    screen.key("Escape")


def test_without_scripts_there_are_links_to_the_pictures(screen: Screen, page: Page, film: str) -> None:
    assert "/plain" in screen.go_without_scripts(page.link)
    listed = screen.go_without_scripts(f"http://{page.host}/plain")
    assert f"/api/runs/{film}/live.mjpg" in listed and f"/api/runs/{film}/films/1" in listed
    screen.open()


def test_the_page_fits_where_it_is_shown(screen: Screen) -> None:
    for width, height in ((1280, 720), (1920, 1080), (390, 844)):
        screen.resize(width, height)
        assert screen.run("document.documentElement.scrollWidth") == width
        assert screen.run("document.documentElement.scrollHeight") == height


def test_words_fit_where_they_are_said(screen: Screen) -> None:
    said = "The render has begun; it goes on when this page is closed, and when the browser is"
    screen.run(f"import('/page/js/dialogs.js').then((dialogs) => dialogs.toast({said!r}))")
    screen.wait("document.querySelector('.toast')")
    assert screen.run("document.querySelector('.toast').getBoundingClientRect().right") < 1280


def test_where_nothing_is_rendered_yet_it_says_what_to_do(screen: Screen) -> None:
    screen.run("import('/page/js/store.js').then(({ state, set }) => set({ world: { ...state.world, runs: [] } }))")
    assert "press Render" in screen.words(".runs")


def test_runs_that_belong_together_are_folded(screen: Screen) -> None:
    screen.run("""import('/page/js/store.js').then(({ state, set }) => set({ world: { ...state.world, runs:
        state.world.runs.map((run) => ({ ...run, group: 'batch' })) } }))""")
    assert "of" in screen.words(".run-group .about") and screen.words(".runs .grouped")
    screen.press(".run-group", "batch")
    assert not screen.words(".runs .grouped")


def test_a_strangers_preset_asks_before_it_opens_files(screen: Screen, page: Page, tmp_path: Path) -> None:
    secret = tmp_path / "letter.png"
    secret.write_bytes(b"no picture")
    choose_preset(screen)
    screen.write(TEXT.replace("stage: noise", f"stage: image\n    path: {secret}"))
    screen.wait("document.querySelector('.cm-lintRange-warning')")
    before = len(page.get("/api/state")["runs"])
    screen.press(".sides .button", "Render")
    screen.wait("document.querySelector('dialog[open]')")
    assert str(secret) in screen.words("dialog .files")
    screen.press("dialog .button", "Cancel")
    screen.wait("!document.querySelector('dialog')")
    assert len(page.get("/api/state")["runs"]) == before


def test_a_film_is_heard_as_it_plays(screen: Screen, page: Page, folder: Path) -> None:
    text = TEXT.partition("  - stage: dream")[0].replace("seed: 3", f"seed: 3\nlisten: {{path: {SONG}, start: 12s}}")
    run = page.post("/api/runs", text=text, name="heard")["id"]
    page.finished(run)
    choose_run(screen, page, run)
    screen.run("""const { play } = HTMLMediaElement.prototype;
        HTMLMediaElement.prototype.play = function () { window.heard = this; return play.call(this) }""")
    screen.press(".transport .button", "First frame")
    screen.press(".transport .button", "Play")
    screen.wait("window.heard?.currentTime > 0.3")
    assert screen.run("window.heard.currentSrc").endswith(f"/api/runs/{run}/films/1")
    screen.press(".transport .button", "Sound")
    screen.wait("window.heard.paused")


def test_every_bundle_has_its_licences(folder: Path) -> None:
    vendor = Path(__file__).parents[2] / "pipeline/studio/page/vendor"
    for bundle in vendor.glob("*.js"):
        assert "MIT" in bundle.with_suffix(".LICENSES.txt").read_text(encoding="utf-8"), bundle
