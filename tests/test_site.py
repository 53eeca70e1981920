"""The site, built at smoke scale, in a browser: sliders, hosts, console, accessibility, phone, no JavaScript."""

import os
import re

import browser
import build
import execute
import pytest
from bs4 import BeautifulSoup
from conftest import LECTURES, ROOT

SITE = ROOT / "_build/preview"
AXE = ROOT / "node_modules/axe-core/axe.min.js"
EVERY = pytest.mark.parametrize("name", LECTURES)
pytestmark = pytest.mark.xdist_group("site")  # one process: it builds and serves one site


@pytest.fixture(scope="module")
def site():
    """The site, as `make preview` builds it."""
    assert execute.fill("smoke") == []
    assert build.build(SITE, "smoke") == 0, "the build has errors or warnings"
    return SITE


@pytest.fixture(scope="module")
def overrides():
    return {}


@pytest.fixture(scope="module")
def server(site, overrides):
    with browser.serve(site, overrides) as origin:
        yield origin


@pytest.fixture(scope="module")
def chromium():
    if browser.find() is None:
        pytest.fail(browser.HELP) if os.environ.get("CI") else pytest.skip(browser.HELP)
    with browser.launch() as chromium:
        yield chromium


@pytest.fixture
def page(chromium, server):
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.faults = browser.listen(page, server)
    yield page
    context.close()


def pages():
    """All pages of the book, by the table of contents."""
    text = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    return re.findall(r"^\s*-?\s*(?:file|root): *(\S+)", text, re.M) + ["404", "search", "genindex"]


@EVERY
def test_sliders_move_and_pictures_change(page, server, name):
    page.goto(f"{server}/{name}.html")
    assert browser.slider_faults(page) + browser.play_faults(page) == []
    assert page.faults == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", pages())
def test_accessible_silent_and_alone(chromium, server, name, scheme):
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    faults = browser.listen(page, server)
    page.goto(f"{server}/{name}.html", wait_until="load")
    if name in LECTURES:
        faults += browser.wake(page)
    page.wait_for_timeout(400)
    faults += browser.axe_faults(page, AXE.read_text(encoding="utf-8"))
    context.close()
    assert faults == []


@pytest.mark.parametrize("name", pages())
def test_fits_a_phone(chromium, server, name):
    context = chromium.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    page = context.new_page()
    page.goto(f"{server}/{name}.html", wait_until="load")
    faults = browser.wake(page) if name in LECTURES else []
    page.wait_for_timeout(300)
    faults += browser.width_faults(page)
    context.close()
    assert faults == []


@EVERY
def test_without_javascript(chromium, server, name):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{server}/{name}.html")
    faults = browser.still_faults(page)
    formulas = page.locator("mjx-container mjx-math").count()
    context.close()
    assert faults == [] and formulas > 0


@EVERY
def test_a_page_is_light_and_its_scripts_come_late(page, server, site, name):
    loaded = []
    page.on("request", lambda request: loaded.append(request.url))
    page.goto(f"{server}/{name}.html", wait_until="load")
    page.wait_for_timeout(300)
    assert not [url for url in loaded if "fontawesome.js" in url or "searchindex" in url]
    early = [url for url in loaded if "embed.js" in url or "frames.js" in url]
    assert not early, "the widget manager or the frames are loaded before an explorer is near"
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
    assert any("optimization/momentum-adaptive" in href for href in found), found
    assert page.faults == []


def test_reduced_motion_hides_the_player(chromium, server):
    seen = 0
    for name in LECTURES:
        context = chromium.new_context(reduced_motion="reduce")
        page = context.new_page()
        page.goto(f"{server}/{name}.html")
        assert browser.wake(page) == []
        players = page.locator(".explorer .widget-play")
        seen += players.count()
        assert not any(players.nth(i).is_visible() for i in range(players.count()))
        context.close()
    assert seen > 0


def internal_link_faults(folder) -> list[str]:
    """Links and anchors of built pages that lead nowhere."""
    faults, soups = [], {}

    def soup(path):
        if path not in soups:
            soups[path] = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        return soups[path]

    for path in folder.rglob("*.html"):
        if "_static" in path.parts or path.name == "404.html":
            continue
        for tag in soup(path).find_all(["a", "img", "link", "script"]):
            target = tag.get("href") or tag.get("src") or ""
            if not target or re.match(r"[a-z-]+:|//", target):
                continue
            file, _, anchor = target.partition("#")
            goal = (path.parent / file.partition("?")[0]).resolve() if file else path
            if not goal.exists():
                faults.append(f"{path.relative_to(folder)}: {target} leads nowhere")
            elif anchor and goal.suffix == ".html" and not soup(goal).find(id=anchor):
                faults.append(f"{path.relative_to(folder)}: {target} has no such place")
    return faults


def test_every_link_of_the_site_resolves(site, tmp_path):
    assert internal_link_faults(site) == []
    (tmp_path / "a.html").write_text('<p id="x"><a href="b.html">b</a><a href="#y">y</a><a href="#x">x</a>')
    assert internal_link_faults(tmp_path) == ["a.html: b.html leads nowhere", "a.html: #y has no such place"]


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


def one_picture(text):
    """All frames get the same picture."""
    return re.sub(
        r"data:image/webp;base64,[A-Za-z0-9+/=]+",
        "data:image/webp;base64,UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==",
        text,
    )


def no_frames(text):
    return "window.bookFrames = {};"


@pytest.mark.parametrize(
    "change, frames, expected",
    [
        (None, no_frames, "explorers came to life"),
        (None, one_picture, "its picture does not change"),
        (lambda text: text.replace("/js/book.js", "/js/gone.js"), None, "explorers came to life"),
        (lambda text: text.replace("explorer-still", "explorer-gone"), None, "no explorer on the page"),
    ],
)
def test_broken_sliders_are_noticed(page, server, site, overrides, change, frames, expected):
    page.goto(server + spoil(site, overrides, change, frames))
    found = browser.slider_faults(page)
    assert any(expected in text for text in found), found


@pytest.mark.parametrize(
    "html, expected",
    [
        ('<img alt="x" src="http://127.0.0.2:9/picture.png">', "leaves the host"),
        ('<script src="../_static/gone.js"></script>', "fails with 404"),
        ("<script>console.error('oh')</script>", "the console says: oh"),
        ("<script>console.warn('hm')</script>", "the console says: hm"),
        ("<script>nothing.here()</script>", "a script fails"),
    ],
)
def test_noise_is_noticed(page, server, site, overrides, html, expected):
    page.goto(server + spoil(site, overrides, at_end(html)), wait_until="load")
    page.wait_for_timeout(300)
    assert any(expected in text for text in page.faults), page.faults


def test_faults_of_accessibility_and_width_are_noticed(page, server, site, overrides):
    html = '<main><img src="../_static/logo.svg"><div style="width: 3000px">wide</div></main>'
    page.goto(server + spoil(site, overrides, at_end(html)), wait_until="load")
    assert any("image-alt" in text for text in browser.axe_faults(page, AXE.read_text(encoding="utf-8")))
    assert browser.width_faults(page)


def test_a_page_that_needs_javascript_is_noticed(chromium, server, site, overrides):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(server + spoil(site, overrides, lambda text: text.replace("explorer-still", "explorer-gone")))
    assert browser.still_faults(page) == ["there is no default picture"]
    context.close()


def test_an_animation_that_does_not_play_is_noticed(page, server, site, overrides):
    name = next(n for n in LECTURES if "PlayModel" in (site / f"{n}.frames.js").read_text(encoding="utf-8"))
    page.goto(server + spoil(site, overrides, frames=one_picture, name=name))
    browser.wake(page)
    assert "animation 1 does not play" in browser.play_faults(page)
