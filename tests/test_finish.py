"""The passes over finished pages: what each does, and that none notices when another is taken off the list."""

import pickle
import shutil
from dataclasses import replace

import check
import finish
import pytest
from bs4 import BeautifulSoup
from conftest import ROOT
from finish import chinese, facts, frames, leftovers, scripts, styles, typeset, webp
from little import Book
from sphinx.errors import ExtensionError

pytestmark = pytest.mark.xdist_group("build")
NAMES = [step.__name__.rpartition(".")[2] for step in finish.PASSES]
ICONS = "_static/vendor/fontawesome/webfonts/fa-solid-900.woff2"


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """The little book as Sphinx leaves it, with the frames beside the pages and no other pass: (site, folder)."""
    folder = tmp_path_factory.mktemp("raw")
    kept = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOOK_CACHE", str(folder / "cache"))
        patch.setattr(finish, "PASSES", [frames])
        patch.setattr(check, "site_faults", lambda site, noted: kept.append(pickle.dumps(site)) or [])
        book = Book(folder)
        book.pretend()
        assert book.render() == 0
    site = pickle.loads(kept[0])
    site.cards = {"part": ("part/one", "plot")}
    return site


@pytest.fixture
def copied(raw, tmp_path, monkeypatch):
    """A copy of it to finish; the style sheets are not purged, which takes long."""
    monkeypatch.setattr(styles, "purged", lambda css, words, modules: '.fa-search{content:"\\f002"}.used{}')
    shutil.copytree(raw.out, tmp_path / "html")
    (tmp_path / "html/part/gone.html").write_text("<h1>A lecture that left the book</h1>")
    site = replace(raw, out=tmp_path / "html", written={})
    site.written = {name: replace(page, site=site) for name, page in raw.written.items()}
    return site


def soup_of(site, name="part/one"):
    return BeautifulSoup((site.out / f"{name}.html").read_text(encoding="utf-8"), "html.parser")


def has_frames(site):
    named = soup_of(site).find("meta", attrs={"name": "book-frames"})
    return named["content"] == "one.frames.js" and (site.out / "part/one.frames.js").exists()


def has_few_scripts(site):
    loaded = soup_of(site).find_all("script", src=True)
    names = [scripts.file_name(script["src"]) for script in loaded]
    late = [script.has_attr("defer") for script in loaded]
    return not {"fontawesome.js", "searchindex.js"} & set(names) and late.count(False) == 1


def has_formulas(site):
    return len(soup_of(site).select("article mjx-container")) == 2 and not soup_of(site).select(".formula")


def has_one_sheet(site):
    links = soup_of(site).select('link[rel="stylesheet"]')
    return len(links) == 1 and "_static/site.css?v=" in links[0]["href"] and not links[0]["href"].endswith("?v=0")


MARKS = {  # of each pass: whether a site shows what it did
    "assets": lambda site: (site.static / "assets/widgets/embed.js").exists(),
    "frames": has_frames,
    "scripts": has_few_scripts,
    "sizes": lambda site: soup_of(site).select_one(".cell_output img[loading]")["width"] == "30",
    "webp": lambda site: soup_of(site).select_one(".cell_output img")["src"].endswith(".webp"),
    "labels": lambda site: not soup_of(site).select("summary[aria-label]"),
    "chinese": lambda site: soup_of(site).select_one('[lang="zh"]').get_text() == "结束",
    "tables": lambda site: soup_of(site).table.parent["class"] == ["table-scroll"],
    "facts": lambda site: len(soup_of(site).select(".lecture-facts")) == 2,
    "place": lambda site: soup_of(site).select_one('.lecture-map [aria-current="page"]')["href"] == "one.html",
    "missing": lambda site: soup_of(site, "404").select_one('article a[href="/intro.html"]'),
    "typeset": has_formulas,
    "cards": lambda site: (site.out / "_images/cards/part.webp").exists(),
    "leftovers": lambda site: not (site.out / "part/gone.html").exists(),
    "styles": has_one_sheet,
    "icons": lambda site: (site.out / ICONS).stat().st_size < 20_000,
    "status": lambda site: soup_of(site, "status").select_one("#status-table tbody tr th").get_text() == "part/one",
}


def shown(site, name) -> bool:
    try:
        return bool(MARKS[name](site))
    except (AttributeError, TypeError, KeyError, FileNotFoundError):
        return False


def test_all_passes_do_their_jobs(copied):
    finish.finish(copied)
    assert [name for name in NAMES if name in MARKS and not shown(copied, name)] == []


@pytest.mark.parametrize("off", [name for name in MARKS if name != "frames"])
def test_a_pass_can_be_switched_off(copied, monkeypatch, off):
    monkeypatch.setattr(finish, "PASSES", [step for step in finish.PASSES if not step.__name__.endswith(f".{off}")])
    finish.finish(copied)
    others = {"icons"} if off == "styles" else set()  # cuts the fonts by the one style sheet
    assert not shown(copied, off)
    assert [name for name in MARKS if name not in {off, *others} and not shown(copied, name)] == []


def test_the_pass_before_the_page_can_be_switched_off(little, monkeypatch, capfd):
    monkeypatch.setattr(finish, "PASSES", [step for step in finish.PASSES if step is not frames])
    little.pretend()
    assert little.render() != 0
    assert "does not say where its frames are" in capfd.readouterr().err
    soup = little.soup()
    assert soup.find("script", type=frames.STATE) and soup.select("article mjx-container")


def test_finishing_twice_changes_nothing_more(copied):
    finish.finish(copied)
    first = {path: path.read_text(encoding="utf-8") for path in copied.pages()}
    copied.written = {}  # as when nothing has changed
    finish.finish(copied)
    assert first == {path: path.read_text(encoding="utf-8") for path in copied.pages()}


def test_scripts_are_known_by_their_files_alone():
    html = (
        '<script src="_static/scripts/fontawesome.js?digest=1"></script><script src="searchindex.js"></script>'
        '<script src="_static/a.js">fontawesome.js</script><script>"searchindex.js"</script>'
        '<script src="_static/documentation_options.js"></script>'
    )
    soup = BeautifulSoup(html, "html.parser")
    scripts.apply(soup, finish.Page("intro", None))
    assert [(s.get("src"), s.get("defer")) for s in soup.find_all("script")] == [
        ("_static/a.js", "defer"),
        (None, None),
        ("_static/documentation_options.js", None),
    ]
    search = BeautifulSoup(html, "html.parser")
    scripts.apply(search, finish.Page("search", None))
    assert "searchindex.js" in [s.get("src") for s in search.find_all("script")]


class State:
    """Sphinx's entry for a script that is written into the page."""

    def __init__(self, body, kind=frames.STATE):
        self.attributes = {"type": kind, "body": body}


def test_frames_may_spell_anything_and_weigh_little(copied):
    page = copied.written["part/one"]
    other = State("thebe", kind="text/javascript")
    context = {"script_files": [State('{"thebe": 1}'), other, "a.js"]}
    frames.context(page, context)
    assert context["script_files"] == [other, "a.js"] and 'content="one.frames.js"' in context["metatags"]
    assert page.frames.read_text() == 'window.bookFrames = {"thebe": 1};\n'
    with pytest.raises(ExtensionError, match="explorers of part/one weigh 900 kB"):
        frames.context(page, {"script_files": [State("x" * 900_001)]})
    frames.context(page, {"script_files": []})
    assert not page.frames.exists()


def test_formulas_keep_their_full_stops():
    soup = BeautifulSoup(
        '<p><span class="formula">x &lt; 3</span>., and <span class="formula">y</span> so</p>', "html.parser"
    )
    site = replace(blank(), typeset={("x < 3", False): "<mjx-container>X</mjx-container>", ("y", False): "<i>Y</i>"})
    typeset.apply(soup, finish.Page("intro", site))
    assert str(soup) == '<p><span class="unbroken"><mjx-container>X</mjx-container>.,</span> and <i>Y</i> so</p>'


def blank():
    return finish.Site(out=ROOT, modules=ROOT / "node_modules", scale="smoke", url="https://github.com/a/b", commit="c")


def test_formulas_are_read_aloud_as_mathml(little_site):
    inline, display = little_site.soup("intro").select("article mjx-container")
    assert inline.select_one("mjx-assistive-mml").get_text() == "x2<3" and not inline.has_attr("display")
    assert inline.parent["class"] == ["unbroken"] and inline.parent.get_text().endswith(".")
    assert display["display"] == "true" and display["tabindex"] == "0"
    assert "MathJax.js" not in little_site.text("intro") and "tex-chtml" not in little_site.text("intro")


def test_a_page_has_one_style_sheet_with_what_it_uses(little_site):
    css = (little_site.out / "_static/site.css").read_text(encoding="utf-8")
    for used in (".bd-article", 'html[data-theme="dark"] .highlight', ".fa-magnifying-glass", "mjx-math"):
        assert used in css, used
    assert ".sd-badge" not in css and ".fa-zhihu" not in css
    assert len(css) < 250_000


def test_addresses_in_style_sheets_survive_the_merger(tmp_path):
    (tmp_path / "styles").mkdir()
    (tmp_path / "basic.css").write_text("p { color: red; }")
    sheet = tmp_path / "styles/a.css"
    sheet.write_text('@import "../basic.css"; i { src: url(../f/i.woff2) } b { src: url("data:x,y") }')
    merged = styles.merged(sheet, tmp_path)
    assert "p { color: red; }" in merged and "url(f/i.woff2)" in merged and 'url("data:x,y")' in merged


def test_chinese_is_marked_once_and_not_in_code():
    html = (
        '<article><p>momentum (动量) and <span lang="zh">梯度</span></p><pre>代码</pre><svg><text>图</text></svg>'
        '<div class="formula">\\text{损失}</div></article><p>书</p>'
    )
    soup = BeautifulSoup(html, "html.parser")
    chinese.apply(soup, None)
    assert [span.get_text() for span in soup.select('[lang="zh"]')] == ["动量", "梯度"]
    assert soup.get_text() == "momentum (动量) and 梯度代码图\\text{损失}书"


def test_facts_stand_on_a_page_once():
    soup = BeautifulSoup("<article><h1>One</h1></article>", "html.parser")
    page = finish.Page("intro", blank())
    facts.apply(soup, page)
    facts.apply(soup, page)
    assert soup.article.get_text() == "OneVersion c · Report an error on this page"
    assert soup.find_all("a")[1]["href"] == "https://github.com/a/b/issues/new?title=intro:%20"


def test_figures_that_no_page_shows_leave_the_site(copied):
    figures = copied.out / "_images"
    (figures / "0123.webp").write_bytes(b"")
    shown_figures = {path.stem for path in figures.glob("*.png")}
    for name in copied.written:
        page = soup_of(copied, name)
        webp.apply(page, copied.written[name])
    leftovers.conclude(copied)
    webp.conclude(copied)
    assert {path.name for path in figures.glob("*.*")} == {f"{stem}.webp" for stem in shown_figures}
