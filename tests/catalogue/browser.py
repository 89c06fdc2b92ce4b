"""A real browser without a window: the chromium of DIGLOT_CHROMIUM, or one on the PATH."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NOT_FOUND = (
    "no chromium to open the page with: install one (Debian: apt install chromium) or name it in DIGLOT_CHROMIUM"
)


def chromium() -> str | None:
    """Its path; None where there is none. One that is named and is not there is an error, and not passed over."""
    named = os.environ.get("DIGLOT_CHROMIUM")
    if not named:
        return next(filter(None, map(shutil.which, NAMES)), None)
    found = shutil.which(named)
    if found is None:
        raise FileNotFoundError(f"DIGLOT_CHROMIUM={named} is no program")
    return found


@contextmanager
def started(path: str) -> Iterator[Browser]:
    """The browser, with no way to any network but this machine."""
    # Its sandbox needs user namespaces, which root and many containers lack; it opens nothing but our own pages.
    options = [
        "--no-sandbox",
        "--disable-background-networking",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=options)
        try:
            yield browser
        finally:
            browser.close()


class Opened:
    """A page in a window of its own, and everything that it complained of or asked the network for."""

    def __init__(self, browser: Browser, file: Path, fragment: str = "", **window: Any) -> None:
        self.context = browser.new_context(**window)
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.address = file.as_uri()
        self.page.goto(self.address + fragment)

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()
