"""What a visit costs: bytes and requests of each page, the delay of a slider, and Lighthouse's marks."""

import gzip
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "book/_ext")]

import browser  # noqa: E402 - the path is set above
import run  # noqa: E402

SITE = ROOT / "_build/html"
LIGHTHOUSE = "lighthouse@13.5.0"
PACKED = (".woff2", ".png", ".webp")  # already compressed
DELAY = """async ([index, key]) => {
    const box = document.querySelectorAll('.explorer[data-ready]')[index];
    const source = () => box.querySelector('img')?.src;
    const before = source(), start = performance.now();
    const changed = new Promise((done) => {
        const look = () => source() && source() !== before && done(performance.now() - start);
        new MutationObserver(look).observe(box, {childList: true, subtree: true, attributes: true});
        setTimeout(() => done(null), 300);  // the slider was at that end already
    });
    const press = new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true});
    box.querySelector('.noUi-handle').dispatchEvent(press);
    return await changed;
}"""
SCROLL = """async () => {
    for (let y = 0; y < document.body.scrollHeight; y += 600) {
        scrollTo(0, y);
        await new Promise((done) => setTimeout(done, 60));
    }
}"""


def weigh(page, origin, name):
    """Visit a page and scroll through it; return requests, its HTML, and all bytes (raw and compressed)."""
    bodies = {}

    def keep(response):
        if response.url.startswith(origin) and response.status == 200:
            bodies[response.url] = response

    page.on("response", keep)
    page.goto(f"{origin}/{name}.html", wait_until="load")
    if page.locator(".explorer-still").count():
        browser.wake(page)
    page.evaluate(SCROLL)
    page.wait_for_timeout(500)
    raw = packed = 0
    for url, response in bodies.items():
        body = response.body()
        raw += len(body)
        packed += len(body) if url.partition("?")[0].endswith(PACKED) else len(gzip.compress(body, 6))
    html = (SITE / f"{name}.html").read_bytes()
    return [len(bodies), len(html) / 1e6, len(gzip.compress(html, 6)) / 1e6, raw / 1e6, packed / 1e6]


def lighthouse(url):
    """Return Lighthouse's marks: performance, accessibility, best practices; 0 to 100."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        flags = f"--chrome-flags=--headless=new {' '.join(browser.FLAGS)} --user-data-dir={folder}/profile"
        kinds = "--only-categories=performance,accessibility,best-practices"
        command = ["npx", "--yes", LIGHTHOUSE, url, "--output=json", f"--output-path={report}", "--quiet", flags, kinds]
        path = {"CHROME_PATH": browser.find(), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        done = subprocess.run(command, env={**os.environ, **path}, capture_output=True, text=True)
        if not report.exists():
            return [done.stderr.strip().splitlines()[-1][:60] if done.stderr else "no report", "", ""]
        marks = json.loads(report.read_text())["categories"]
        return [round(100 * (marks[k]["score"] or 0)) for k in ("performance", "accessibility", "best-practices")]


def tables():
    if browser.find() is None:
        print(browser.HELP)
        return
    names = re.findall(r"(?:file|root): *(\S+)", (ROOT / "_toc.yml").read_text(encoding="utf-8"))
    sizes, delays = [], []
    with browser.serve(SITE, {}) as origin, browser.launch() as chromium:
        for name in names:
            context = chromium.new_context(viewport={"width": 1280, "height": 900})
            page = context.new_page()
            sizes.append([name, *weigh(page, origin, name)])
            for index in range(page.locator(".explorer[data-ready]").count()):
                times = [page.evaluate(DELAY, [index, key]) for key in ["Home", "End", "ArrowLeft", "ArrowRight"] * 3]
                times = [ms for ms in times if ms is not None]
                delays.append([name, index + 1, statistics.median(times), max(times)])
            context.close()
        heads = ["page", "requests", "HTML, MB", "HTML gzip, MB", "all, MB", "all gzip, MB"]
        yield "A first visit, scrolled to the end", heads, sizes
        yield "From key press to changed picture", ["page", "explorer", "median, ms", "largest, ms"], delays
        if shutil.which("npx"):
            rows = [[name, *lighthouse(f"{origin}/{name}.html")] for name in ["intro", *run.lectures()[:2]]]
            yield "Lighthouse (phone)", ["page", "performance", "accessibility", "best practices"], rows
        else:
            print("\nLighthouse needs npx: not measured.")
