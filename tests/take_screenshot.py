"""Make the README's picture of the explorer: ``make screenshot``, with Debian's chromium."""

import os
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from lab_browser import CHECKOUT, CHROMIUM, browser, jupyter_lab

PICTURE = CHECKOUT / "figures" / "reference" / "explorer.png"
SIZE = (1280, 1400)  # high enough for the explorer to be seen whole


def take(picture: Path) -> None:
    """Run the chapter on the committed tables and take a picture of its first page."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "notebooks").mkdir()
        (root / "data").symlink_to(CHECKOUT / "data")
        shutil.copy(CHECKOUT / "notebooks" / "11_explorer.ipynb", root / "notebooks")
        os.environ["CONDI_ROOT"] = folder
        with (
            jupyter_lab(root / "notebooks", root / "home") as address,
            browser(size=SIZE) as chromium,
        ):
            chromium.open(address.format("11_explorer.ipynb"))
            chromium.run_all()
            explorer = chromium.page.locator(".condi-explorer").first
            handles = explorer.locator(".noUi-handle")
            for slider, steps in ((0, 2), (1, 1)):  # K = 3, K_s = 1
                handles.nth(slider).focus()
                for _ in range(steps):
                    chromium.page.keyboard.press("ArrowRight")
            explorer.locator(".condi-tile").first.click()
            explorer.get_by_text("Clip 1", exact=True).wait_for()
            chromium.idle()
            chromium.page.mouse.move(0, 0)
            explorer.screenshot(path=picture)
            if wrong := [*chromium.failures(), *chromium.errors, *chromium.outside]:
                raise RuntimeError(f"the explorer is not as it should be: {wrong}")


if __name__ == "__main__":
    if CHROMIUM is None:
        sys.exit("make screenshot: needs Debian's chromium (apt-get install chromium)")
    take(PICTURE)
    print(PICTURE)
