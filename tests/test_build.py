"""The build: a lecture that fails, a lecture that was not run, a warning, and what a rebuild runs again."""

import re
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import author
import build
import execute
import lectures
import lighten
import nbformat
import pytest
from bs4 import BeautifulSoup
from conftest import ROOT
from sphinx.errors import ExtensionError

pytestmark = pytest.mark.xdist_group("build")

LECTURE = """=== md title
# Title

=== setup

=== code first
print("one")

=== code last
{last}
"""


@pytest.fixture
def little(tmp_path):
    """A book of one page and one lecture inside the repository's rules; returns a function that builds it."""
    source = tmp_path / "book"
    (tmp_path / "utils").symlink_to(ROOT / "utils")  # where the setup cell looks for it
    (source / "part").mkdir(parents=True)
    (source / "_static").mkdir()
    for name in ("logo.svg", "favicon.svg"):
        (source / "_static" / name).write_text((ROOT / "book/_static" / name).read_text())
    (source / "intro.md").write_text("# A little book\n\nSee [the lecture](part/one.ipynb).\n")
    toc = tmp_path / "_toc.yml"
    toc.write_text("format: jb-book\nroot: intro\nchapters:\n  - file: part/one\n")

    class Book:
        out, folder = tmp_path / "html", tmp_path / "cache"

        @staticmethod
        def write(last="print(2)"):
            author.save(author.write(LECTURE.format(last=last), author.repository()), source / "part/one.ipynb")

        def run(self):
            return execute.fill("smoke", source, toc, self.folder)

        def render(self):
            return build.build(self.out, "smoke", source, toc, str(self.folder))

        def printed(self):
            text = (self.out / "part/one.html").read_text(encoding="utf-8")
            return "".join(pre.get_text() for pre in BeautifulSoup(text, "html.parser").select(".cell_output pre"))

    book = Book()
    book.source = source
    book.write()
    return book


def test_a_failing_lecture_names_lecture_cell_and_error(little, capfd):
    little.write("1 / 0")
    failures = little.run()
    assert len(failures) == 1
    assert failures[0].startswith("part/one, cell 'last': ZeroDivisionError: division by zero")
    assert "[1/1] part/one: FAILED" in capfd.readouterr().out
    assert little.render() != 0
    assert "These lectures have not been run: part/one" in capfd.readouterr().err


def test_a_frame_that_fails_stops_the_build(little):
    little.write("from utils.widgets import explore\nexplore(lambda a: None, {'a': [1, 2]}, alt='x')")
    assert "TypeError: draw must return a Matplotlib figure, but at a = 1" in little.run()[0]


def test_only_what_changed_runs_again(little, capfd):
    assert little.run() == [] and little.render() == 0
    assert little.printed() == "one\n2\n"
    capfd.readouterr()
    assert little.run() == []
    assert "0 to run" in capfd.readouterr().out
    little.write("print(3)")
    assert little.run() == [] and little.render() == 0
    assert "1 to run" in capfd.readouterr().out
    assert little.printed() == "one\n3\n"


def test_two_builds_at_once_share_the_work(little, capfd):
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda _: little.run(), range(2))) == [[], []]
    out = capfd.readouterr().out
    assert out.count("1 to run") == 1 and out.count("0 to run") == 1


def test_a_new_run_of_an_unchanged_lecture_reaches_its_page(little):
    little.write("import pathlib; print(pathlib.Path('../value').read_text())")
    (little.source / "value").write_text("before")
    assert little.run() == [] and little.render() == 0
    assert little.printed() == "one\nbefore\n"
    (little.source / "value").write_text("after")
    little.folder = little.folder.with_name("other-cache")  # as when utils changes
    assert little.run() == [] and little.render() == 0
    assert little.printed() == "one\nafter\n"


def test_a_warning_is_an_error(little, capfd):
    (little.source / "intro.md").write_text("# A little book\n\nSee [nothing](part/gone.ipynb).\n")
    assert little.run() == [] and little.render() != 0
    assert "gone" in capfd.readouterr().err


def test_the_cache_is_named_by_all_that_a_result_depends_on(tmp_path, monkeypatch):
    for path in ("utils/a.py", "requirements.txt", "constraints.txt"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("x")
    monkeypatch.setattr(execute, "ROOT", tmp_path)
    names = {execute.cache_folder("smoke"), execute.cache_folder("book")}
    for path in ("utils/a.py", "requirements.txt", "constraints.txt"):
        (tmp_path / path).write_text("y")
        names.add(execute.cache_folder("book"))
    assert len(names) == 5


def test_a_finished_page_has_sizes_languages_and_scrolling_tables(tmp_path):
    from PIL import Image

    Image.new("RGB", (30, 20)).save(tmp_path / "a.png")
    html = '<p>momentum (动量) and <span lang="zh">梯度</span></p><img alt="x" src="../_images/a.png"><table></table>'
    soup = BeautifulSoup(lectures.finish_body(html, {"a.png": tmp_path / "a.png"}), "html.parser")
    assert [span.get_text() for span in soup.select('[lang="zh"]')] == ["动量", "梯度"]
    assert (soup.img["width"], soup.img["height"], soup.img["loading"]) == ("30", "20", "lazy")
    assert soup.table.parent["class"] == ["table-scroll"] and soup.get_text() == "momentum (动量) and 梯度"


def test_formulas_are_typeset_by_the_build(little, capfd):
    intro = little.source / "intro.md"
    intro.write_text("# Book\n\nSee [it](part/one.ipynb), $x^2 < 3$.\n\n$$ \\mathbb{E}[x] $$\n")
    assert little.run() == [] and little.render() == 0
    text = (little.out / "intro.html").read_text(encoding="utf-8")
    page = BeautifulSoup(text, "html.parser")
    inline, display = page.select("mjx-container")
    assert inline.select_one("mjx-assistive-mml").get_text() == "x2<3" and not inline.has_attr("display")
    assert inline.parent["class"] == ["unbroken"] and inline.parent.get_text().endswith(".")
    assert display["display"] == "true" and display["tabindex"] == "0"
    assert "MathJax.js" not in text and "tex-chtml" not in text and 'class="formula"' not in text
    intro.write_text("# Book\n\nSee [it](part/one.ipynb), $\\nosuchcommand{2}$.\n")
    assert little.render() != 0
    assert r"Undefined control sequence \nosuchcommand" in capfd.readouterr().err


def test_a_page_has_one_style_sheet_with_what_it_uses(little):
    (little.source / "intro.md").write_text("# Book\n\nSee [it](part/one.ipynb), $x$.\n")
    for _ in range(2):  # a second build, with nothing to do, must not lose a rule
        assert little.run() == [] and little.render() == 0
        soup = BeautifulSoup((little.out / "part/one.html").read_text(encoding="utf-8"), "html.parser")
        (link,) = soup.select('link[rel="stylesheet"]')
        assert link["href"].startswith("../_static/site.css?v=")
        css = (little.out / "_static/site.css").read_text(encoding="utf-8")
        for used in (".bd-article", 'html[data-theme="dark"] .highlight', ".fa-magnifying-glass", "mjx-math"):
            assert used in css, used
        assert ".sd-badge" not in css and ".fa-zhihu" not in css
        assert len(css) < 250_000
        assert all(s.has_attr("defer") for s in soup.select("script[src]") if "documentation_options" not in s["src"])


def test_addresses_in_style_sheets_survive_the_merger(tmp_path):
    (tmp_path / "styles").mkdir()
    (tmp_path / "basic.css").write_text("p { color: red; }")
    (tmp_path / "styles/a.css").write_text(
        '@import "../basic.css"; i { src: url(../f/i.woff2) } b { src: url("data:x,y") }'
    )
    merged = lighten._merged(tmp_path / "styles/a.css", tmp_path)
    assert "p { color: red; }" in merged and "url(f/i.woff2)" in merged and 'url("data:x,y")' in merged


def test_the_explorers_of_a_page_together_are_kept_small(tmp_path):
    kind = "application/vnd.jupyter.widget-state+json"
    text = f'<script type="{kind}">{"x" * 900_001}</script>'
    with pytest.raises(ExtensionError, match="explorers of one weigh 900 kB"):
        lectures.move_state(text, tmp_path / "one.html")
    assert "one.frames.js" in lectures.move_state(text.replace("xx", "", 1), tmp_path / "one.html")


def test_scripts_that_a_page_does_not_use_are_dropped():
    html = '<script defer src="_static/scripts/fontawesome.js?digest=1"></script><script src="searchindex.js"></script>'
    assert lectures.finish_html(html, "intro.html") == ""
    assert "searchindex" in lectures.finish_html(html, "search.html")


def test_the_lock_file_records_no_address():
    text = (ROOT / "package-lock.json").read_text(encoding="utf-8")
    assert "resolved" not in text
    assert not re.search(r"https?://[^\"]*\.tgz", text)
    assert not re.search(r"@ (file|http)", (ROOT / "constraints.txt").read_text(encoding="utf-8"))


def test_the_text_view_round_trip():
    text = LECTURE.format(last="print(2)") + "\n=== solution sum\nassert True\n"
    nb = author.write(text, author.repository())
    assert [(c.id, c.source) for c in author.write(author.view(nb), author.repository()).cells] == [
        (c.id, c.source) for c in nb.cells
    ]
    nbformat.validate(nb)


def test_a_new_run_renews_the_status_page():
    env = SimpleNamespace(found_docs={"part/one", "status"}, book_runs={"part/one": "a"})
    app = SimpleNamespace(book_records={"part/one": {"id": "a"}})
    assert lectures.outdated(app, env, set(), set(), set()) == []
    assert lectures.outdated(app, env, set(), {"part/one"}, set()) == ["status"]
    app.book_records["part/one"]["id"] = "b"
    assert lectures.outdated(app, env, set(), set(), set()) == ["part/one", "status"]
