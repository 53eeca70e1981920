"""Checks of a built page in a browser: each returns the faults it found, one sentence each."""

import contextlib
import gzip
import http.server
import os
import shutil
import threading
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MAC = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HELP = (
    "No Chromium or Chrome was found: install one (Debian: apt install chromium) or name it with CHROMIUM=/path/to/it."
)


def find() -> str | None:
    """Return the path of a browser: the variable CHROMIUM, else what is installed."""
    named = os.environ.get("CHROMIUM")
    if named:
        return named
    return next((p for p in map(shutil.which, NAMES) if p), None) or next((p for p in MAC if Path(p).exists()), None)


@contextlib.contextmanager
def launch():
    """Start a headless browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=FLAGS)
        yield browser
        browser.close()


@contextlib.contextmanager
def serve(folder: Path, overrides: dict[str, bytes]):
    """Serve a site on localhost; `overrides` may replace pages by other bytes while it runs."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def __init__(self, *args):
            super().__init__(*args, directory=str(folder))

        def do_GET(self):
            """Compress text, as every public host does."""
            path = urlsplit(self.path).path
            file = Path(self.translate_path(path))
            text = file.suffix in (".html", ".css", ".js", ".svg", ".json")
            if path not in overrides and not (text and file.is_file()):
                return super().do_GET()
            page = gzip.compress(overrides.get(path) or file.read_bytes(), 6)
            self.send_response(200)
            self.send_header("Content-Type", self.guess_type(path))
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def listen(page: Page, origin: str) -> list[str]:
    """Collect, while a page is used, what it asks from other hosts, what fails, and what its console says."""
    faults = []

    def request(request):
        if not request.url.startswith((origin, "data:", "blob:")):
            faults.append(f"a request leaves the host: {request.url}")

    def response(response):
        if response.status >= 400:
            faults.append(f"a request fails with {response.status}: {response.url}")

    def console(message):
        if message.type in ("error", "warning"):
            faults.append(f"the console says: {message.text[:200]}")

    page.on("request", request)
    page.on("response", response)
    page.on("requestfailed", lambda r: faults.append(f"a request fails: {r.url}"))
    page.on("console", console)
    page.on("pageerror", lambda error: faults.append(f"a script fails: {str(error)[:200]}"))
    return faults


def wake(page: Page) -> list[str]:
    """Scroll to every explorer and wait until all are live; say which are not after ten seconds."""
    stills = page.locator(".explorer-still")
    count = stills.count()
    for i in range(count):
        stills.nth(i).evaluate("e => e.scrollIntoView()")
        page.wait_for_timeout(100)
    with contextlib.suppress(Exception):
        page.wait_for_function(f"document.querySelectorAll('.explorer[data-ready]').length >= {count}", timeout=10_000)
    live = page.locator(".explorer[data-ready]").count()
    faults = [] if live == count else [f"{live} of {count} explorers came to life"]
    if count == 0:
        faults.append("there is no explorer on the page")
    return faults


def slider_faults(page: Page) -> list[str]:
    """Move every slider to both ends by the keyboard; the picture must change, and each frame needs an alt text."""
    faults = wake(page)
    for number in range(page.locator(".explorer[data-ready]").count()):
        explorer = page.locator(".explorer[data-ready]").nth(number)
        picture = "e => { const i = e.querySelector('img'); return [i.src, i.alt, i.complete && i.naturalWidth > 0]; }"
        for k in range(explorer.locator(".noUi-handle").count()):
            handle = explorer.locator(".noUi-handle").nth(k)
            name = handle.get_attribute("aria-label") or ""
            where = f"explorer {number + 1}, slider {k + 1} ({name})"
            start = handle.get_attribute("aria-valuenow")
            ends = []
            for key in ("Home", "End"):
                handle.focus()
                page.keyboard.press(key)
                page.wait_for_timeout(60)
                source, alt, drawn = explorer.evaluate(picture)
                value = explorer.locator(".widget-readout").nth(k).text_content()
                ends.append((source, value))
                if not drawn or len(alt) < 10:
                    faults.append(f"{where} at {key}: the picture is not drawn or has no alt text")
            if not name:
                faults.append(f"{where} has no accessible name")
            if ends[0][0] == ends[1][0]:
                faults.append(f"{where} moves, but its picture does not change")
            if ends[0][1] == ends[1][1]:
                faults.append(f"{where}: the visible value does not change")
            while float(handle.get_attribute("aria-valuenow")) > float(start):  # leave the others where they were
                before = handle.get_attribute("aria-valuenow")
                page.keyboard.press("ArrowLeft")
                page.wait_for_timeout(20)
                if handle.get_attribute("aria-valuenow") == before:
                    faults.append(f"{where} does not move by arrow keys")
                    break
    return faults


def play_faults(page: Page) -> list[str]:
    """Press each play button; the picture must change by itself, and not before."""
    faults = []
    players = page.locator(".explorer[data-ready]:has(.widget-play)")
    for number in range(players.count()):
        explorer = players.nth(number)
        explorer.evaluate("e => e.scrollIntoView()")
        source = "e => e.querySelector('img').src"
        handle = explorer.locator(".noUi-handle").first
        handle.focus()
        page.keyboard.press("Home")
        first = explorer.evaluate(source)
        page.wait_for_timeout(700)
        if explorer.evaluate(source) != first:
            faults.append(f"animation {number + 1} moves before it is asked to")
        explorer.locator(".widget-play button").first.click()
        page.wait_for_timeout(1500)
        if explorer.evaluate(source) == first:
            faults.append(f"animation {number + 1} does not play")
    return faults


def axe_faults(page: Page, script: str) -> list[str]:
    """Run axe; return its serious and critical findings."""
    page.evaluate(script)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{v['id']} ({v['impact']}): {v['help']}: {v['nodes'][0]['html'][:150]}"
        for v in found["violations"]
        if v["impact"] in ("serious", "critical")
    ]


def width_faults(page: Page) -> list[str]:
    """Say by how much a page is wider than its window."""
    extra = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return [f"the page is {extra} pixels wider than the window"] if extra > 0 else []


def still_faults(page: Page) -> list[str]:
    """Without JavaScript: the text is there, and each explorer shows its default picture."""
    faults = []
    if len(page.locator("article").inner_text()) < 2000:
        faults.append("the text is missing")
    stills = page.locator(".explorer-still img")
    if stills.count() == 0:
        faults.append("there is no default picture")
    for i in range(stills.count()):
        if not stills.nth(i).is_visible() or not stills.nth(i).get_attribute("alt"):
            faults.append(f"default picture {i + 1} is hidden or has no alt text")
    return faults
