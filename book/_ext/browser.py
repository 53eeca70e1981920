"""Checks of a built page in a browser: each returns the faults it found, one sentence each.

`visit` makes all that every page needs in one visit; `touch_faults` and what follows it are for a few pages, which
together hold every kind of element (`few`).
"""

import contextlib
import functools
import gzip
import http.server
import os
import shutil
import threading
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Page, sync_playwright

import check

AXE = Path(__file__).resolve().parents[2] / "node_modules/axe-core/axe.min.js"
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}
PAPER = {"width": 718, "height": 1000}  # A4 with margins of a centimetre
FINGER = 24  # pixels that a target must have, by WCAG 2.5.8
COLOURS = ("color-contrast", "link-in-text-block")  # axe's rules whose outcome depends on the colour scheme
NARROW = {"width": 320, "height": 640}
LATE = ("embed.js", "frames.js")  # what is loaded when an explorer comes near
NEVER = ("fontawesome.js", "searchindex")  # what no page but the search page loads
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
# Axe's time grows with the number of elements, and thousands look alike: the tokens of code, formulas, the links of the
# sidebar, which grows with the book. The first two of each look stand for all, and the others are taken out meanwhile;
# so a block of code is out when other blocks have shown all its colours.
RUN_AXE = """async (options) => {
  const seen = {};
  const again = (look) => (seen[look] = (seen[look] || 0) + 1) > 2;
  const spare = (part) => {
    if (!part.checkVisibility()) return true; // in a folded cell: axe passes it over
    const tokens = part.matches(".highlight") ? [...part.querySelectorAll("span")] : [];
    const place = part.parentElement.closest("[class]").className;
    const say = (e) => [e.localName, e.className, e.getAttribute("style"), e.getAttribute("display"), place].join();
    const looks = [part, ...tokens].map(say);
    return looks.map(again).every(Boolean);
  };
  const parts = [...document.querySelectorAll(".highlight, mjx-container, .bd-links li")].filter(spare);
  const marks = parts.map(() => document.createComment(""));
  parts.forEach((part, i) => part.replaceWith(marks[i]));
  try {
    return await axe.run(document, options);
  } finally {
    marks.forEach((mark, i) => mark.replaceWith(parts[i]));
  }
}"""
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


@functools.lru_cache(maxsize=256)
def packed(file: Path, changed: int) -> bytes:
    """Return a file compressed; the scripts of all pages are compressed once."""
    return gzip.compress(file.read_bytes(), 6)


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
            page = gzip.compress(overrides[path], 6) if path in overrides else packed(file, file.stat().st_mtime_ns)
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
                said = handle.get_attribute("aria-valuetext")
                if said != value:
                    faults.append(f"{where} shows {value!r}, but is heard as {said!r}")
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


def axe_faults(page: Page, rules: tuple[str, ...] = ()) -> list[str]:
    """Run axe, all its rules or only some; return its serious and critical findings."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    options = {"resultTypes": ["violations"], "preload": False}
    if rules:
        options["runOnly"] = {"type": "rule", "values": list(rules)}
    found = page.evaluate(RUN_AXE, options)
    return [
        f"{v['id']} ({v['impact']}): {v['help']}: {v['nodes'][0]['html'][:150]}"
        for v in found["violations"]
        if v["impact"] in ("serious", "critical")
    ]


def width_faults(page: Page) -> list[str]:
    """Say by how much a page is wider than its window, and whether explorers are wider than their place."""
    extra = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    if extra > 0:  # a page whose window has just changed may need a moment
        page.wait_for_timeout(500)
        extra = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    live = "[...document.querySelectorAll('.explorer[data-ready]')]"
    cut = page.evaluate(f"{live}.filter((e) => e.scrollWidth > e.clientWidth + 1).length")
    faults = [f"the page is {extra} pixels wider than the window"] if extra > 0 else []
    return [*faults, f"{cut} explorers are cut"] if cut else faults


def visit(context: BrowserContext, origin: str, name: str, explorers: bool) -> list[str]:
    """Try a page once: what it loads and says, its sliders and players, accessibility light and dark, a phone's width.

    explorers: whether it must have some.
    """
    page = context.new_page()
    page.set_viewport_size(DESKTOP)
    faults = listen(page, origin)
    loaded = []
    page.on("request", lambda request: loaded.append(request.url))
    page.goto(f"{origin}/{name}.html", wait_until="load")
    page.wait_for_timeout(300)
    if name != "search":
        faults += early_faults(loaded)
    if explorers:
        faults += slider_faults(page)
        faults += play_faults(page)
    faults += axe_faults(page)
    faults += dark_faults(page)
    faults += motion_faults(page)
    faults += phone_faults(page)
    page.close()
    return faults


def early_faults(loaded: list[str]) -> list[str]:
    """Say what a page loads, before anyone has scrolled, that it should load later or never."""
    faults = []
    for url in loaded:
        if any(part in url for part in NEVER):
            faults.append(f"{url} is loaded for nothing")
        if any(part in url for part in LATE):
            faults.append(f"{url} is loaded before an explorer is near")
    return faults


def dark_faults(page: Page) -> list[str]:
    """Let the system turn dark under an open page: it must follow, and its colours must be readable there, too."""
    if not turns_dark(page):
        return ["the page does not turn dark"]
    page.wait_for_timeout(400)  # colours change slowly
    return [f"dark: {fault}" for fault in axe_faults(page, COLOURS)]


def turns_dark(page: Page) -> bool:
    page.emulate_media(color_scheme="dark")
    with contextlib.suppress(Exception):
        page.wait_for_function("document.documentElement.dataset.theme === 'dark'", timeout=3000)
    return page.evaluate("document.documentElement.dataset.theme") == "dark"


def motion_faults(page: Page) -> list[str]:
    """Who wants less motion sees no players."""
    page.emulate_media(reduced_motion="reduce")
    players = page.locator(".explorer .widget-play")
    shown = sum(players.nth(i).is_visible() for i in range(players.count()))
    return [f"{shown} players are shown to readers who want no motion"] if shown else []


def phone_faults(page: Page) -> list[str]:
    page.set_viewport_size(NARROW)
    page.wait_for_timeout(300)
    return [f"on a phone {fault}" for fault in width_faults(page)]


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


def unscripted_faults(html: str) -> list[str]:
    """The same of a page's HTML, without a browser: text, default pictures, typeset formulas."""
    article = check.lean_soup(html).find("article")
    faults = []
    if article is None or len(article.get_text()) < 2000:
        return ["the text is missing"]
    stills = article.select(".explorer-still img")
    if not stills:
        faults.append("there is no default picture")
    for number, still in enumerate(stills, 1):
        if any(map(hides, [still, *still.parents])) or not still.get("alt") or not still.get("src"):
            faults.append(f"default picture {number} is hidden or has no alt text")
    if "<mjx-math" not in html:
        faults.append("no formula is typeset")
    return faults


def hides(tag) -> bool:
    """Does an element of a page's HTML hide what it holds?"""
    return tag.has_attr("hidden") or "display" in tag.get("style", "")


# ---- for a few pages, which together hold every kind of element

KINDS = {
    "explorer": ".explorer-still",
    "figure": ".cell_output img",
    "printed text": ".cell_output pre",
    "code": ".cell_input pre",
    "folded cell": "details.hide",
    "summary in Chinese": "details[lang=zh]",
    "table": "table",
    "formula": "mjx-container[display]",
    "formula in a table": "table mjx-container",
    "formula in the text": "p mjx-container",
    "formula in a heading": "h2 mjx-container, h3 mjx-container",
    "map of a part": "svg.part-map",
    "cards": "ul.parts",
    "quotation": "blockquote",
    "list": "article ol",
}


def kinds(folder: Path, name: str) -> set[str]:
    """Return what kinds of elements a page has; an animation lies among its frames."""
    soup = check.lean_soup((folder / f"{name}.html").read_text(encoding="utf-8"))
    found = {kind for kind, selector in KINDS.items() if soup.select_one(selector)}
    frames = folder / f"{name}.frames.js"
    if frames.exists() and "PlayModel" in frames.read_text(encoding="utf-8"):
        found.add("animation")
    return found


def few(have: dict[str, set[str]]) -> list[str]:
    """Choose few pages that together hold every kind: again and again the one that adds most."""
    missing = {kind for found in have.values() for kind in found}
    chosen = []
    while missing:
        best = max(have, key=lambda name: len(have[name] & missing))
        chosen.append(best)
        missing -= have[best]
    return chosen


def touch_faults(page: Page) -> list[str]:
    """Tap on both ends of each explorer's first slider: the picture must follow the finger, and the handle fit it."""
    faults = []
    explorers = page.locator(".explorer[data-ready]:has(.noUi-target)")
    for number in range(explorers.count()):
        explorer = explorers.nth(number)
        track = explorer.locator(".noUi-target").first
        track.scroll_into_view_if_needed()
        handle = explorer.locator(".noUi-handle").first.bounding_box()
        if min(handle["width"], handle["height"]) < FINGER:
            size = f"{handle['width']:.0f} × {handle['height']:.0f}"
            faults.append(f"explorer {number + 1}: its handle has {size} pixels, but a finger needs {FINGER}")
        box = track.bounding_box()
        ends = []
        for x in (1, box["width"] - 1):
            track.tap(position={"x": x, "y": box["height"] / 2}, force=True)
            page.wait_for_timeout(400)  # the handle glides
            ends.append(explorer.evaluate("e => e.querySelector('img').src"))
        if ends[0] == ends[1]:
            faults.append(f"explorer {number + 1}: a tap on its slider does not change the picture")
    return faults


SAID = """(explorer) => {
  const said = explorer.parentElement.querySelector(".explorer-said");
  return [said ? said.textContent : "", explorer.querySelector("img").alt];
}"""


# 100 ms after the next key, keep what is said by then
LISTEN = f"""explorer => explorer.addEventListener(
    "keydown", () => setTimeout(() => explorer.saidEarly = ({SAID})(explorer)[0], 100), {{once: true, capture: true}}
)"""


def speech_faults(page: Page) -> list[str]:
    """Move the first slider of each explorer: once it rests, and not before, the new picture's text must be said."""
    faults = []
    explorers = page.locator(".explorer[data-ready]:has(.noUi-handle)")
    for number in range(explorers.count()):
        explorer = explorers.nth(number)
        handle = explorer.locator(".noUi-handle").first
        before, _ = explorer.evaluate(SAID)
        last = handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax")
        explorer.evaluate(LISTEN)  # the page looks by its own clock, however slow the machine is
        handle.press("Home" if last else "End")
        page.wait_for_timeout(1100)
        early = explorer.evaluate("explorer => explorer.saidEarly")
        said, alt = explorer.evaluate(SAID)
        if early != before:
            faults.append(f"explorer {number + 1} speaks while its slider moves")
        if said != alt:
            faults.append(f"explorer {number + 1} does not say what its new picture shows")
    return faults + flood_faults(page)


def flood_faults(page: Page) -> list[str]:
    """An animation that plays must not speak."""
    players = page.locator(".explorer[data-ready]:has(.widget-play)")
    if players.count() == 0:
        return []
    explorer = players.first
    button = explorer.locator(".widget-play button").first
    before, _ = explorer.evaluate(SAID)
    button.click()
    page.wait_for_timeout(1300)
    playing = explorer.locator(".widget-play .fa-pause").count() > 0
    said, _ = explorer.evaluate(SAID)
    if playing:
        button.click()
    return ["the animation speaks while it plays"] if playing and said != before else []


SIZES = """() => {
  const kinds = "p, li, td, pre, code, summary, button, .widget-label, .widget-readout";
  const sizes = {};
  for (const part of document.querySelectorAll(`article :is(${kinds})`)) {
    if (!part.textContent.trim() || !part.checkVisibility()) continue;
    const name = part.closest("pre") ? "code" : part.className || part.localName;
    sizes[name] = Math.min(sizes[name] || 1000, parseFloat(getComputedStyle(part).fontSize));
  }
  return sizes;
}"""


def large_text_faults(page: Page) -> list[str]:
    """Where a reader has doubled the size of letters, all of them must grow, and the page must not."""
    page.set_viewport_size(DESKTOP)
    before = page.evaluate(SIZES)
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    page.wait_for_timeout(200)
    after = page.evaluate(SIZES)
    faults = width_faults(page)
    page.evaluate("document.documentElement.style.fontSize = ''")
    faults += [f"{name} stays small" for name in before if name in after and after[name] < 1.9 * before[name]]
    return [f"with large text {fault}" for fault in faults]


def forced_colour_faults(page: Page) -> list[str]:
    """Where the system forces its colours, a handle without a border would be invisible."""
    page.emulate_media(forced_colors="active")
    bare = page.evaluate(
        "[...document.querySelectorAll('.noUi-handle')].map((e) => getComputedStyle(e))"
        ".filter((style) => style.borderStyle === 'none' || !parseFloat(style.borderWidth)).length"
    )
    page.emulate_media(forced_colors="none")
    return [f"{bare} handles are invisible in forced colours"] if bare else []


def print_faults(page: Page) -> list[str]:
    """On paper, also that of a dark screen, all is there, in light colours, and each explorer shows one picture."""
    page.set_viewport_size(PAPER)
    turns_dark(page)
    page.emulate_media(media="print", color_scheme="dark")
    page.wait_for_timeout(200)
    before = page.evaluate(FOLDED)
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    faults = [] if page.locator("article").is_visible() else ["the text is not printed"]
    faults += page.evaluate(PRINTED)
    outputs = page.locator(".cell_output:has(.explorer-still)")
    for number in range(outputs.count()):
        pictures = outputs.nth(number).locator("img")
        if not any(pictures.nth(i).is_visible() for i in range(pictures.count())):
            faults.append(f"explorer {number + 1} is not printed")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    if page.evaluate(FOLDED) != before:
        faults.append("after printing the page is not as it was before")
    page.emulate_media(media="screen", color_scheme="light")
    return faults


FOLDED = "[document.querySelectorAll('article details[open]').length, document.documentElement.dataset.theme]"
PRINTED = """() => {
  const faults = [];
  const parts = [...document.querySelectorAll("article :is(pre, .table-scroll, mjx-container[display])")];
  const cut = parts.filter((part) => part.checkVisibility() && part.scrollWidth > part.clientWidth + 1);
  for (const name of new Set(cut.map((part) => part.localName))) {
    const some = cut.filter((part) => part.localName === name);
    faults.push(`on paper ${some.length} <${name}> are cut`);
  }
  const closed = document.querySelectorAll("article details:not([open])").length;
  if (closed) faults.push(`on paper ${closed} folded parts stay folded`);
  const light = (part) => getComputedStyle(part).color.match(/[0-9.]+/g).slice(0, 3).some((value) => value > 140);
  const text = document.querySelector("article p") || document.body;
  if (light(text)) faults.push("on paper the text has the colours of a dark screen");
  return faults;
}"""
