"""The explorer as a reader has it: the chapter in JupyterLab, in a real browser, by keyboard.

What the page says is held to the committed clip table. Each test goes on from where the one before
it left the page: opening it takes longer than all of them. Skipped where Debian's chromium is
missing, but not in continuous integration, which installs it.
"""

import os
import re
import shutil
from collections.abc import Iterator

import numpy as np
import pytest
from lab_browser import CHECKOUT, CHROMIUM, Browser, browser, jupyter_lab
from playwright.sync_api import expect

from condi_lib.explore import Setting, SplitAnswers
from condi_lib.explore.scores import ScoreReports
from condi_lib.explore.svg import share
from condi_lib.study import open_study

NOTEBOOK = "11_explorer.ipynb"
SHOTS = CHECKOUT / "build"  # screenshots, to be looked at
IN_CI = bool(os.environ.get("CI"))

expect.set_options(timeout=60_000)  # other tests keep all cores busy

pytestmark = pytest.mark.skipif(
    CHROMIUM is None and not IN_CI, reason="needs Debian's chromium: apt-get install chromium"
)


@pytest.fixture(scope="module")
def split():
    """What the page is to say."""
    return SplitAnswers(open_study("reference").table("condi_sr", 0))


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[Browser]:
    """The chapter, executed on the committed tables in a project of its own."""
    assert CHROMIUM is not None, "continuous integration must have chromium"
    root = tmp_path_factory.mktemp("project")
    (root / "notebooks").mkdir()
    (root / "data").symlink_to(CHECKOUT / "data")
    shutil.copy(CHECKOUT / "notebooks" / NOTEBOOK, root / "notebooks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONDI_ROOT", str(root))
        with jupyter_lab(root / "notebooks", root / "home") as address, browser() as chromium:
            chromium.open(address.format(NOTEBOOK))
            chromium.run_all()
            yield chromium


@pytest.fixture(autouse=True)
def nothing_went_wrong(request):
    """After each test: no callback raised, no script failed, nothing outside was asked for."""
    yield
    if "lab" in request.fixturenames and "callback" not in request.node.name:
        lab = request.getfixturevalue("lab")
        assert (lab.failures(), lab.errors, lab.outside) == ([], [], [])


def explorer(lab: Browser):
    return lab.page.locator(".condi-explorer").first


def slider(lab: Browser, name: str):
    """The handle of a slider, which takes arrow keys."""
    named = lab.page.get_by_text(name, exact=True)
    return explorer(lab).locator(".widget-slider").filter(has=named).first.locator(".noUi-handle")


def dropdown(lab: Browser, name: str):
    named = lab.page.get_by_text(name, exact=True)
    return explorer(lab).locator(".widget-dropdown").filter(has=named).first.locator("select")


def expect_answer(lab: Browser, split: SplitAnswers, setting: Setting, video: int) -> None:
    """The page shows this setting's answer and marks the clips that it uses."""
    probs = split.probabilities(setting, video)
    answer = int(probs.argmax())
    verdict = "✓ right" if answer == int(split.view.label[video]) else "✗ wrong"
    name = split.table.classes[answer].replace("_", " ")
    said = explorer(lab).locator(".condi-answer").first
    expect(said).to_have_text(f"{verdict}: {name}, {share(float(probs[answer]))}")
    clips = split.clips(setting, video)
    for network in ("teacher", "student"):
        used = np.flatnonzero(clips[f"{network}_weight"]).tolist()
        tiles = explorer(lab).locator(f".condi-tile:has(.condi-tab:text-is('{network}'))")
        expect(tiles).to_have_count(len(used))
        for tile, clip in zip(tiles.all(), used, strict=True):
            expect(tile).to_have_attribute("data-key", f"clip-{clip}")
    bars = explorer(lab).locator("svg[aria-label^='most probable classes']").first
    expect(bars).to_have_attribute("aria-label", re.compile(re.escape(share(float(probs[answer])))))


@pytest.fixture(scope="module")
def video(split):
    """The video that the chapter leaves open: the one that choosing improves most."""
    return int(split.videos("improved", Setting())[0])


def test_k_and_k_s_move_by_keyboard(lab, split, video):
    expect_answer(lab, split, Setting(), video)
    slider(lab, "K").focus()
    lab.page.keyboard.press("ArrowRight")
    lab.page.keyboard.press("ArrowRight")
    expect_answer(lab, split, Setting(k_clips=3), video)
    slider(lab, "K_s").focus()
    lab.page.keyboard.press("ArrowRight")
    expect_answer(lab, split, Setting(k_clips=3, k_student=1), video)


def test_another_sampler_and_another_video(lab, split):
    dropdown(lab, "clips").select_option(label="equidistant")
    expect(explorer(lab).get_by_text("K_s is off").first).to_be_visible()
    videos = explorer(lab).locator(".widget-select select").first
    videos.select_option(label=split.view.video_id[7])
    expect_answer(lab, split, Setting("equidistant", k_clips=3), 7)
    videos.focus()
    lab.page.keyboard.press("ArrowDown")
    expect_answer(lab, split, Setting("equidistant", k_clips=3), 8)


def test_a_clip_is_played_by_click_and_by_key(lab):
    tiles = explorer(lab).locator(".condi-tile")
    tiles.nth(3).click()
    card = explorer(lab).get_by_text(re.compile(r"^Clip 4: frames 48 to 63")).first
    expect(card).to_be_visible()
    playing = explorer(lab).locator("img[alt^='clip 4']").first
    assert playing.get_attribute("src").startswith("data:image/webp")
    assert playing.evaluate("image => image.decode().then(() => image.naturalWidth)") == 128
    expect(tiles.nth(3)).to_have_attribute("aria-pressed", "true")
    tiles.nth(4).focus()
    lab.page.keyboard.press("Enter")
    expect(tiles.nth(4)).to_have_attribute("aria-pressed", "true")
    expect(tiles.nth(4)).to_be_focused()


def test_a_second_setting_stands_beside_the_first(lab, split):
    lab.page.get_by_role("tab", name="Compare").click()
    for side, setting in (("A", Setting("equidistant", k_clips=3)), ("B", Setting("equidistant"))):
        answer = share(float(split.probabilities(setting, 8).max()))
        said = explorer(lab).locator(".widget-html").filter(has_text=f"{side}: {setting}").first
        expect(said).to_contain_text(answer)


def test_the_data_set_follows_the_setting_and_a_bar_lists_its_clips(lab, split):
    lab.page.get_by_role("tab", name="Data set").click()
    dropdown(lab, "clips").select_option(label="best by score")
    summary = explorer(lab).locator(".condi-accuracy")
    accuracy = share(split.accuracy(Setting(k_clips=3)))
    expect(summary).to_contain_text(f"K = 3, best by z̃: {accuracy} of 960 videos right")
    curve = explorer(lab).locator("svg[aria-label^='video accuracy over K']")
    assert f"{accuracy} at K = 3" in curve.get_attribute("aria-label")
    report = ScoreReports(split).of("confidence")
    explorer(lab).locator("[data-key='bin-12']").focus()
    lab.page.keyboard.press("Enter")
    n_clips = report.histogram.loc[12].sum()
    expect(explorer(lab).locator(".condi-listed")).to_contain_text(f"{n_clips} clips with z̃ from")
    rows = report.clips_in(12)[:12]
    listed = explorer(lab).locator(".condi-tile:visible")
    expect(listed).to_have_count(12)
    assert [tile.get_attribute("data-key") for tile in listed.all()] == [f"clip-{r}" for r in rows]
    expect(listed.locator("img")).to_have_count(12)


def test_the_page_needs_no_sideways_scrolling_at_1280_px(lab):
    for name in ("Your video", "Compare", "Data set", "Video"):
        lab.page.get_by_role("tab", name=name, exact=True).click()
        widths = "e => [e.scrollWidth, e.clientWidth]"
        for part in (".condi-explorer", ".jp-WindowedPanel-outer"):
            needed, there = lab.page.locator(part).first.evaluate(widths)
            assert needed <= there, (name, part)


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_texts_are_legible(lab, theme):
    """Contrast of 4.5 to 1 at least (WCAG 2) on the page's own background; a picture is kept."""
    change = "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"
    lab.page.evaluate(change, f"JupyterLab {theme}")
    lab.page.wait_for_function(
        "light => document.body.dataset.jpThemeLight === light", arg=str(theme == "Light").lower()
    )
    SHOTS.mkdir(exist_ok=True)
    lab.page.set_viewport_size({"width": 1280, "height": 1500})
    explorer(lab).screenshot(path=SHOTS / f"explorer_{theme.lower()}.png")
    lab.page.set_viewport_size({"width": 1280, "height": 900})
    pairs = []
    for name in ("Compare", "Data set", "Video"):
        lab.page.get_by_role("tab", name=name, exact=True).click()
        lab.page.wait_for_timeout(300)
        pairs += lab.page.evaluate(_COLOURS)
    assert len(pairs) > 100
    assert [(text, ratio) for text, ratio in map(_contrast, pairs) if ratio < 4.5] == []


_COLOURS = """() => {
  const probe = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const pixel = (...layers) => {
    for (const colour of layers) { probe.fillStyle = colour; probe.fillRect(0, 0, 1, 1); }
    return [...probe.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const page = getComputedStyle(document.body).getPropertyValue("--jp-layout-color1");
  const found = [];
  for (const e of document.querySelectorAll(
      ".condi-explorer svg text, .condi-explorer .condi-tile *, .condi-explorer .condi-quiet")) {
    const text = [...e.childNodes].filter(n => n.nodeType === 3).map(n => n.data).join("").trim();
    if (!text || !e.checkVisibility() || "TS".includes(text) && e.getAttribute("fill")) continue;
    const look = getComputedStyle(e), tile = e.closest(".condi-tile");
    const behind = [page, tile ? getComputedStyle(tile).backgroundColor : page,
                    tile ? look.backgroundColor : page];
    const ink = e instanceof SVGElement ? look.fill : look.color;
    found.push([text, pixel(...behind, ink), pixel(...behind)]);
  }
  return found;
}"""


def _contrast(pair) -> tuple[str, float]:
    text, *colours = pair
    first, second = sorted(map(_luminance, colours))
    return text, round((second + 0.05) / (first + 0.05), 2)


def _luminance(rgb) -> float:
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
              for v in (np.array(rgb) / 255)]  # fmt: skip
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def test_a_callback_that_raises_is_seen(lab):
    """Last, since it breaks the explorer: what the other tests would say if one did."""
    assert lab.failures() == []
    lab.execute("explorer.desk.split.clips = None")
    slider(lab, "K").focus()
    lab.page.keyboard.press("ArrowRight")
    expect(explorer(lab).locator(".condi-error")).to_contain_text("'NoneType' object is not")
    assert len(lab.failures()) >= 1
