"""How long the explorer takes as its reader sees it: from a key press to the last new pixel.

Opens the chapter in JupyterLab and Debian's chromium, as `make lab` does. Goals: open 5 s after
the kernel is up, answer a control in 100 ms (one video) and 300 ms (data set). Kernel, server and
browser share this machine's cores.

    python benchmarks/explorer_page.py [--study embedded]
"""

import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import tyro

from condi_lib import paths
from condi_lib.explore.lab import prepare_chapter

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from lab_browser import CHROMIUM, Browser, browser, jupyter_lab

ROUNDS = 11
QUIET_MS = 600  # nothing has changed for so long: all is drawn

# Notes when a key went down, and when the last change after it had been painted.
WATCH = """() => {
  const page = document.querySelector('.condi-explorer');
  const now = () => { window.lastChange = performance.now(); };
  const painted = () => requestAnimationFrame(() => setTimeout(now));
  new MutationObserver(painted).observe(
    page, {childList: true, subtree: true, characterData: true, attributes: true});
  document.addEventListener('keydown', () => { window.pressed = performance.now(); }, true);
}"""


def press(lab: Browser, key: str) -> float:
    """Press a key and return the milliseconds until nothing changes any more."""
    lab.page.keyboard.press(key)
    lab.page.wait_for_timeout(QUIET_MS)
    while lab.page.evaluate(f"() => performance.now() - window.lastChange < {QUIET_MS}"):
        lab.page.wait_for_timeout(QUIET_MS / 4)
    return lab.page.evaluate("() => window.lastChange - window.pressed")


def measure(lab: Browser, what: str, keys: list[str]) -> None:
    """Press keys on whatever has focus, and print median and worst; the first one warms up."""
    times = [press(lab, key) for key in keys][1:]
    print(f"{what:<28} median {statistics.median(times):5.0f} ms   worst {max(times):5.0f} ms")


def main(study: str = "reference") -> None:
    """Measure all of it.

    Args:
        study: What the chapter opens; it must be computed.
    """
    if CHROMIUM is None:
        print("not measured: needs Debian's chromium (apt-get install chromium)")
        return
    notebook = prepare_chapter({"study": study}).relative_to(paths.project_root())
    with (
        TemporaryDirectory() as home,
        jupyter_lab(paths.project_root(), Path(home)) as address,
        browser() as lab,
    ):
        lab.open(address.format(notebook))
        start = time.perf_counter()
        lab.run_all()
        print(f"study {study}: all cells run {time.perf_counter() - start:.1f} s after the kernel")
        lab.page.evaluate(WATCH)
        explorer = lab.page.locator(".condi-explorer").first
        back_and_forth = ["ArrowRight"] * 5 + ["ArrowLeft", "ArrowRight"] * (ROUNDS // 2)
        for title in ("Video", "Compare", "Data set"):
            explorer.get_by_role("tab", name=title, exact=True).click()
            lab.page.wait_for_timeout(2 * QUIET_MS)
            handles = explorer.locator(".noUi-handle")
            for slider, name in ((0, "K"), (1, "K_s")):
                handles.nth(slider).focus()
                measure(lab, f"{title}: {name}", back_and_forth)
        explorer.get_by_role("tab", name="Video", exact=True).click()
        explorer.locator(".widget-select select").first.focus()
        measure(lab, "another video", ["ArrowDown"] * ROUNDS)
        assert lab.failures() == []


if __name__ == "__main__":
    tyro.cli(main)
