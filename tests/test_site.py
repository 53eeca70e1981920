"""The site, built at smoke scale, in a browser: sliders, hosts, console, accessibility, phone, no JavaScript.

A page is visited once (`browser.visit`); what needs another kind of browser is tried on the fewest pages that together
hold every kind of element.
"""

import contextlib
import os
import re
from types import SimpleNamespace

import browser
import check
import pytest
import render
import run
from bs4 import BeautifulSoup
from conftest import LECTURES, ROOT

SITE = ROOT / "_build/preview"
RARE = {"quotation", "formula in a heading"}  # not every book has them
EVERY = pytest.mark.parametrize("name", LECTURES)
pytestmark = pytest.mark.xdist_group("site")  # one process: it builds and serves one site


@pytest.fixture(scope="module")
def site():
    """The site, as `make preview` builds it; once, also where two workers of one test run ask for it."""
    this_run = os.environ.get("PYTEST_XDIST_TESTRUNUID", "")
    built_by = SITE.with_name("preview.run")
    with run.alone(SITE.with_name("preview.lock")):
        if not this_run or not built_by.exists() or built_by.read_text() != this_run:
            built_by.unlink(missing_ok=True)
            assert run.fill("smoke") == []
            assert render.render(SITE, "smoke") == 0, "the build has errors or warnings"
            built_by.write_text(this_run)
    return SITE


@pytest.fixture(scope="module")
def overrides():
    return {}


@pytest.fixture(scope="module")
def server(site, overrides):
    with browser.serve(site, overrides) as origin:
        yield origin


@pytest.fixture(scope="module")
def context(chromium):
    """One for all visits, so that the browser reads the widget manager once."""
    context = chromium.new_context(viewport=browser.DESKTOP)
    yield context
    context.close()


@pytest.fixture
def page(context, server):
    page = context.new_page()
    page.faults = browser.listen(page, server)
    yield page
    page.close()


def pages():
    """All pages of the book, by the table of contents."""
    text = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    return re.findall(r"^\s*-?\s*(?:file|root): *(\S+)", text, re.M) + ["404", "search", "genindex"]


@pytest.mark.parametrize("name", pages())
def test_a_visit_finds_no_fault(context, server, name):
    assert browser.visit(context, server, name, explorers=name in LECTURES) == []


@EVERY
def test_without_javascript(site, name):
    assert browser.unscripted_faults((site / f"{name}.html").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("name", LECTURES[:2])
def test_without_javascript_in_a_browser(chromium, server, name):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{server}/{name}.html")
    faults = browser.still_faults(page)
    formulas = page.locator("mjx-container mjx-math").count()
    context.close()
    assert faults == [] and formulas > 0


def test_few_pages_under_a_finger_on_paper_and_otherwise(chromium, server, site):
    have = {name: browser.kinds(site, name) for name in pages()}
    chosen = browser.few(have)
    assert len(chosen) <= 6
    assert {kind for name in chosen for kind in have[name]} >= {"animation", *browser.KINDS} - RARE
    faults = {}
    for name in chosen:
        context = chromium.new_context(viewport=browser.PHONE, has_touch=True)
        page = context.new_page()
        page.goto(f"{server}/{name}.html", wait_until="load")
        found = browser.width_faults(page) + browser.print_faults(page)
        page.set_viewport_size(browser.PHONE)
        if name in LECTURES:
            found += browser.wake(page) + browser.touch_faults(page) + browser.speech_faults(page)
        for other in (browser.forced_colour_faults, browser.print_faults, browser.large_text_faults):
            found += other(page)
        faults[name] = found
        context.close()
    assert not any(faults.values()), faults


def test_few_pages_hold_every_kind():
    have = {"a": {"table"}, "b": {"table", "code"}, "c": {"code", "map"}, "d": set()}
    assert browser.few(have) == ["b", "c"]


@EVERY
def test_a_page_with_its_frames_is_light(site, name):
    assert sum((site / f"{name}{end}").stat().st_size for end in (".html", ".frames.js")) <= 1_500_000


def test_a_wrong_address_gets_a_page_that_leads_back(site):
    soup = BeautifulSoup((site / "404.html").read_text(encoding="utf-8"), "html.parser")
    assert soup.h1.get_text().startswith("Page not found")
    links = [a["href"] for a in soup.select("article a[href]") if not a["href"].startswith(("http", "#"))]
    assert {"/intro.html", "/reading-paths.html", "/search.html"} <= set(links)


def test_search_finds_a_lecture(page, server):
    page.goto(f"{server}/search.html?q=momentum")
    page.wait_for_selector("#search-results li a")
    found = page.locator("#search-results li a").evaluate_all("links => links.map(a => a.getAttribute('href'))")
    assert any("optimization/momentum.html" in href for href in found), found
    assert page.faults == []


def places_and_targets(page) -> tuple[set[str], set[str]]:
    """The anchors of a page, and what it points to."""
    soup = check.lean_soup(page.read_text(encoding="utf-8"))
    places = {tag["id"] for tag in soup.find_all(id=True)}
    tags = soup.find_all(["a", "img", "link", "script"])
    return places, {tag.get("href") or tag.get("src") or "" for tag in tags}


def internal_link_faults(folder) -> list[str]:
    """Links and anchors of built pages that lead nowhere."""
    faults = []
    read = {page: places_and_targets(page) for page in folder.rglob("*.html") if "_static" not in page.parts}
    for page, (_, targets) in read.items():
        for target in sorted(targets):
            if not target or re.match(r"[a-z-]+:|//", target) or page.name == "404.html":
                continue
            file, _, anchor = target.partition("#")
            goal = (page.parent / file.partition("?")[0]).resolve() if file else page
            if not goal.exists():
                faults.append(f"{page.relative_to(folder)}: {target} leads nowhere")
            elif anchor and goal in read and anchor not in read[goal][0]:
                faults.append(f"{page.relative_to(folder)}: {target} has no such place")
    return faults


def test_every_link_of_the_site_resolves(site, tmp_path):
    assert internal_link_faults(site) == []
    (tmp_path / "a.html").write_text('<p id="x"><a href="b.html">b</a><a href="#y">y</a><a href="#x">x</a>')
    assert internal_link_faults(tmp_path) == ["a.html: #y has no such place", "a.html: b.html leads nowhere"]


@EVERY
def test_each_page_says_how_to_get_and_mend_it(site, name):
    soup = BeautifulSoup((site / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
    links = {a.get_text(): a.get("href") for a in soup.select(".lecture-facts a")}
    assert links["Open in Colab"].endswith(f"/blob/main/book/{name}.ipynb")
    assert (site / f"{name}.html").parent.joinpath(links["Download the notebook"]).resolve().exists()
    assert "issues/new" in links["Report an error on this page"]
    assert re.search(r"runs in \d+ s at smoke scale", soup.select_one(".lecture-facts").get_text())
    assert soup.select('[lang="zh"]')
    assert all(len(image.get("alt", "")) > 15 for image in soup.select("article img"))


def test_the_status_page_has_a_row_per_lecture(site):
    soup = BeautifulSoup((site / "status.html").read_text(encoding="utf-8"), "html.parser")
    rows = {row.th.get_text(): [td.get_text() for td in row.find_all("td")] for row in soup.select("tbody tr")}
    assert sorted(rows) == LECTURES
    assert all(float(figure) > 0 for row in rows.values() for figure in row)


# Each check is seen to fail on a broken copy of a real page.


def spoil(site, overrides, change=None, frames=None, name=LECTURES[0]):
    """Serve a changed copy of a lecture's page, and of its frames, beside it; return its address."""
    folder = name.rpartition("/")[0]
    text = (site / f"{name}.html").read_text(encoding="utf-8")
    pictures = (site / f"{name}.frames.js").read_text(encoding="utf-8")
    broken = change(text) if change else text
    spoilt = frames(pictures) if frames else pictures
    assert (broken, spoilt) != (text, pictures)
    broken = broken.replace(f'content="{name.rpartition("/")[2]}.frames.js"', 'content="broken.frames.js"')
    overrides[f"/{folder}/broken.html"] = broken.encode()
    overrides[f"/{folder}/broken.frames.js"] = spoilt.encode()
    return f"/{folder}/broken.html"


def at_end(html):
    return lambda text: text.replace("</body>", f"{html}</body>")


def in_head(html):
    return lambda text: text.replace("<head>", f"<head>{html}", 1)


def one_picture(text):
    """All frames get the same picture."""
    return re.sub(
        r"data:image/webp;base64,[A-Za-z0-9+/=]+",
        "data:image/webp;base64,UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==",
        text,
    )


def no_frames(text):
    return "window.bookFrames = {};"


MUTE = """<script>
const set = Element.prototype.setAttribute;
Element.prototype.setAttribute = function (name, value) { if (name !== "aria-valuetext") set.call(this, name, value); };
</script>"""


@pytest.mark.parametrize(
    "change, frames, expected",
    [
        (None, no_frames, "explorers came to life"),
        (None, one_picture, "its picture does not change"),
        (lambda text: text.replace("/js/book.js", "/js/gone.js"), None, "explorers came to life"),
        (lambda text: text.replace("explorer-still", "explorer-gone"), None, "no explorer on the page"),
        (in_head(MUTE), None, "but is heard as None"),
    ],
)
def test_broken_sliders_are_noticed(page, server, site, overrides, change, frames, expected):
    page.goto(server + spoil(site, overrides, change, frames))
    found = browser.slider_faults(page)
    assert any(expected in text for text in found), found


NOISE = {
    "leaves the host": '<img alt="x" src="http://127.0.0.2:9/picture.png">',
    "fails with 404": '<script src="../_static/gone.js"></script>',
    "the console says: oh": "<script>console.error('oh')</script>",
    "the console says: hm": "<script>console.warn('hm')</script>",
    "a script fails": "<script>nothing.here()</script>",
    "fontawesome.js is loaded for nothing": '<script src="../_static/scripts/fontawesome.js"></script>',
    "embed.js is loaded before": '<script src="../_static/assets/widgets/embed.js"></script>',
    "image-alt": '<main><img src="../_static/logo.svg"></main>',
    "dark: color-contrast": '<style>html[data-theme="dark"] article p {color: #333 !important}</style>',
    "does not turn dark": "<script>matchMedia = () => ({matches: false, addEventListener() {}})</script>",
    "on a phone the page is": '<div style="width: 340px">wide</div>',
}


def test_each_fault_of_a_visit_is_noticed(context, server, site, overrides):
    """One visit of a page with all of them, since none hides another."""
    address = spoil(site, overrides, at_end("".join(NOISE.values()).replace(NOISE["does not turn dark"], "")))
    found = browser.visit(context, server, address.removesuffix(".html").lstrip("/"), explorers=False)
    missed = [fault for fault in NOISE if not any(fault in text for text in found)]
    assert missed == ["does not turn dark"], found


def test_a_page_that_stays_light_is_noticed(page, server, site, overrides):
    page.goto(server + spoil(site, overrides, in_head(NOISE["does not turn dark"])), wait_until="load")
    assert browser.dark_faults(page) == ["the page does not turn dark"]


ODD = """() => {
  const numbers = [...document.querySelectorAll(".highlight .mi")].filter((e) => e.checkVisibility());
  numbers.at(-1).style.color = "#eee";
}"""


def test_what_looks_alike_is_tested_once_and_put_back(page, server, site, overrides):
    page.goto(f"{server}/{LECTURES[0]}.html", wait_until="load")
    assert browser.axe_faults(page, browser.COLOURS) == []
    page.evaluate(ODD)
    before = page.content()
    assert "color-contrast" in browser.axe_faults(page, browser.COLOURS)[0]
    assert page.content() == before
    pale = in_head("<style>.highlight .mi {color: #eee !important}</style>")
    page.goto(server + spoil(site, overrides, pale), wait_until="load")
    assert "color-contrast" in browser.axe_faults(page, browser.COLOURS)[0]


def test_a_page_that_needs_javascript_is_noticed(chromium, server, site, overrides):
    def change(text):
        return text.replace("explorer-still", "explorer-gone")

    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(server + spoil(site, overrides, change))
    assert browser.still_faults(page) == ["there is no default picture"]
    context.close()
    text = (site / f"{LECTURES[0]}.html").read_text(encoding="utf-8")
    assert browser.unscripted_faults(change(text)) == ["there is no default picture"]
    hidden = text.replace('class="explorer-still"', 'class="explorer-still" hidden')
    assert "default picture 1 is hidden or has no alt text" in browser.unscripted_faults(hidden)
    assert browser.unscripted_faults(text.replace("mjx-math", "span")) == ["no formula is typeset"]
    assert browser.unscripted_faults("<article>Nothing.</article>") == ["the text is missing"]


def animated(site):
    return next(n for n in LECTURES if "PlayModel" in (site / f"{n}.frames.js").read_text(encoding="utf-8"))


def test_faults_of_an_animation_are_noticed(page, server, site, overrides):
    style = at_end("<style>.explorer .widget-play {display: flex !important}</style>")
    page.goto(server + spoil(site, overrides, style, one_picture, animated(site)))
    browser.wake(page)
    assert "animation 1 does not play" in browser.play_faults(page)
    assert "players are shown to readers who want no motion" in browser.motion_faults(page)[0]


def test_faults_on_a_few_pages_are_noticed(chromium, server, site, overrides):
    style = (
        "<style>@media print {.cell_output img {display: none !important}}"
        ".bd-article .explorer .noUi-handle {border: 0 !important; height: 16px !important; width: 16px !important}"
        ".bd-article pre {font-size: 13px !important}"
        "</style>"
    )
    context = chromium.new_context(viewport=browser.PHONE, has_touch=True)
    page = context.new_page()
    page.goto(server + spoil(site, overrides, at_end(style), one_picture))
    assert "explorer 1 is not printed" in browser.print_faults(page)
    assert browser.wake(page) == []
    touched = browser.touch_faults(page)
    assert "explorer 1: its handle has 16 × 16 pixels, but a finger needs 24" in touched
    assert "explorer 1: a tap on its slider does not change the picture" in touched
    assert "handles are invisible in forced colours" in browser.forced_colour_faults(page)[0]
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<div style=\"width: 50rem\">wide</div>')")
    large = browser.large_text_faults(page)
    assert "with large text the page is" in large[0] and "with large text code stays small" in large
    context.close()


def test_the_site_is_driven_as_a_whole(site, overrides, tmp_path, monkeypatch, capsys):
    """`make check` visits every page, names what is wrong, and fails."""
    seen = []
    fake = SimpleNamespace(new_context=lambda: None)
    monkeypatch.setattr(browser, "find", lambda: "chromium")
    monkeypatch.setattr(browser, "launch", lambda: contextlib.nullcontext(fake))
    monkeypatch.setattr(browser, "visit", lambda context, origin, name, explorers: seen.append(name) or SAID.get(name))
    assert check.drive(site, []) == 1
    assert set(seen) >= set(pages()) and "index" not in seen
    assert re.search(r"^cnn/lenet: \d+\.\d s, it is broken$", capsys.readouterr().out, re.M)
    monkeypatch.setattr(check, "drive", lambda folder, names: len(names))
    with pytest.raises(SystemExit, match="1 page"):
        check.main(["site", str(site), "cnn/lenet"])
    check.main(["site", str(site)])
    with pytest.raises(SystemExit, match="There is no site"):
        check.main(["site", str(tmp_path / "gone")])


SAID = {"cnn/lenet": ["it is broken"]}
