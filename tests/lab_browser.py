"""JupyterLab on this machine and Debian's chromium to look at it; nothing else is reached.

For the test of the explorer, and for the README's picture of it.
"""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeout

CHROMIUM = shutil.which("chromium")
CHECKOUT = Path(__file__).resolve().parents[1]
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
START_SEC, RUN_SEC, ATTEMPTS = 180, 300, 3
LOCAL = {"127.0.0.1", "localhost", ""}


@contextmanager
def jupyter_lab(folder: Path, home: Path, dark: bool = False) -> Iterator[str]:
    """Serve a folder and yield the address, with its token.

    Args:
        folder: With the notebooks.
        home: For JupyterLab's own files, so that no setting of the reader's matters.
        dark: Its theme.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(8)
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR",
             "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR")  # fmt: skip
    places = {name: str(home / name.lower()) for name in names}
    path = os.pathsep.join([str(CHECKOUT), os.environ.get("PYTHONPATH", "")])
    options = [
        "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={folder}", "--LabApp.expose_app_in_browser=True",
        "--LabApp.news_url=None",
    ]  # fmt: skip
    settings = home / "jupyterlab_settings_dir" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True, exist_ok=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
    theme = {"theme": f"JupyterLab {'Dark' if dark else 'Light'}"}
    (settings / "themes.jupyterlab-settings").write_text(json.dumps(theme))
    with (home / "lab.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            stdout=log, stderr=log, env=os.environ | places | {"PYTHONPATH": path},
        )  # fmt: skip
        try:
            base = f"http://127.0.0.1:{port}"
            _wait_for(f"{base}/api/status?token={token}", server, home / "lab.log")
            yield f"{base}/lab/tree/{{}}?token={token}"
        finally:
            server.terminate()
            try:
                server.wait(60)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait_for(address: str, server: subprocess.Popen, log: Path) -> None:
    latest = time.monotonic() + START_SEC
    while time.monotonic() < latest and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


class Browser:
    """One page of chromium that knows how to run a notebook.

    Attributes:
        page: Playwright's page.
        outside: Addresses beyond this machine that were asked for; none should be.
        errors: What went wrong in the page's own scripts.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.outside: list[str] = []
        self.errors: list[str] = []
        page.on("request", self._asked)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.set_default_timeout(60_000)

    def _asked(self, request) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https", "ws", "wss") and address.hostname not in LOCAL:
            self.outside.append(request.url)

    def open(self, address: str) -> None:
        """Open a notebook and wait for its kernel."""
        self.page.goto(address, timeout=1000 * START_SEC)
        self.page.wait_for_function(_SESSION_IS_READY, timeout=1000 * START_SEC)

    def run_all(self) -> None:
        """Run all cells and wait until the kernel has nothing more to do."""
        waiting = self.page.locator(".jp-CodeCell .jp-InputPrompt").filter(has_text="[*]")
        for _ in range(ATTEMPTS):  # on a busy machine the command was once lost
            self.page.evaluate(_RUN_ALL)
            try:
                waiting.first.wait_for(timeout=1000 * START_SEC / ATTEMPTS)
                break
            except PlaywrightTimeout:
                continue
        try:
            self.page.locator(".condi-explorer").first.wait_for(timeout=1000 * RUN_SEC)
        except PlaywrightTimeout as error:
            raise RuntimeError(f"the explorer did not appear: {self.failures()}") from error
        self.idle()

    def idle(self) -> None:
        """Wait until the kernel is idle."""
        self.page.wait_for_function(_KERNEL_IS_IDLE, timeout=1000 * RUN_SEC)

    def execute(self, code: str) -> None:
        """Run code in the kernel, without a cell."""
        run = f"code => {_SESSION}.session.kernel.requestExecute({{code}}).done.then(() => true)"
        self.page.evaluate(run, code)

    def failures(self) -> list[str]:
        """What the notebook's outputs and the explorer itself say went wrong."""
        wrong = self.page.locator(
            ".condi-error, .jp-OutputArea-output[data-mime-type*='error'], .jp-RenderedText"
            "[data-mime-type='application/vnd.jupyter.stderr']"
        )
        return wrong.all_inner_texts()


_RUN_ALL = "() => { void window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
_SESSION = "window.jupyterapp?.shell?.currentWidget?.sessionContext"
_SESSION_IS_READY = f"() => {_SESSION}?.isReady && {_SESSION}?.session?.kernel"
_KERNEL_IS_IDLE = f"() => {_SESSION}?.session?.kernel?.status === 'idle'"


@contextmanager
def browser(dark: bool = False, size: tuple[int, int] = (1280, 900)) -> Iterator[Browser]:
    """Start chromium and yield one page of it."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(FLAGS), timeout=1000 * START_SEC
        )
        viewport = {"width": size[0], "height": size[1]}
        page = chromium.new_page(viewport=viewport, color_scheme="dark" if dark else "light")
        try:
            yield Browser(page)
        finally:
            chromium.close()
