"""The counts on finished pages: each deliberately broken page is caught, and a whole one is not."""

import json
import re
import shutil

import check
import finish
import pytest
from finish import Page, Site
from little import STATE, VIEW

pytestmark = pytest.mark.xdist_group("build")
WANTED = check.Expected(formulas=2, scripts=["book.js"], lecture=True, explorers=[3], figures=1)


@pytest.fixture
def page(little_site, tmp_path):
    """A copy of a finished page, with what lies around it."""
    shutil.copytree(little_site.out, tmp_path / "html", ignore=shutil.ignore_patterns("_static"))
    return tmp_path / "html/part/one.html"


def test_a_whole_page_has_no_fault(page):
    assert check.page_faults(page, WANTED) == []


def put(old, new, file="one.html"):
    """Return a function that changes a page, or its frames."""

    def change(page):
        path = page.parent / file
        text = path.read_text(encoding="utf-8")
        broken = re.sub(old, new, text, count=1, flags=re.S)
        assert broken != text
        path.write_text(broken, encoding="utf-8")

    return change


def remove(pattern):
    return lambda page: [path.unlink() for path in page.parent.glob(pattern)][0]


def fewer_options(page):
    """The frames are there, but the widgets that show them are others than those of the run."""
    put('"box"', '"another"', "one.frames.js")(page)


BROKEN = {
    "the page is missing": remove("one.html"),
    "explorer 1: 3 positions of its sliders, but 0 frames": remove("one.frames.js"),
    "explorer 1: 3 positions of its sliders, but 2 frames": put(r"<img [^>]*alt=[^>]*>", "", "one.frames.js"),
    "3 positions of its sliders, but 0 frames": fewer_options,
    "the page does not say where its frames are": put(r'<meta [^>]*name="book-frames"[^>]*>', ""),
    "1 explorers in the run, but 0 still pictures and 1 places": put("explorer-still", "explorer-gone"),
    "1 explorers in the run, but 1 still pictures and 0 places": put(f'<script type="{re.escape(VIEW)}">', "<script>"),
    "the script book.js is not loaded": put(r"<script[^>]*book\.js[^>]*></script>", ""),
    "1 figures in the run, but 0 on the page": put(r'<img [^>]*src="\.\./_images/[^>]*>', ""),
    "is missing": remove("../_images/*.webp"),
    "the link to Colab is missing": put(r"<a [^>]*>Open in Colab</a>", ""),
    "the notebook cannot be downloaded": remove("../_sources/part/one.ipynb"),
    "1 formulas are not typeset": put(r"<mjx-container.*?</mjx-container>", '<span class="formula">n</span>'),
    "2 formulas in the text, but 1 typeset": put(r"(</h1>.*?)<mjx-container.*?</mjx-container>", r"\1"),
    "there is no heading <h1>": put(r"(<article.*?)<h1>(.*?)</h1>", r"\1<h2>\2</h2>"),
    "has no alternative text": put(r'alt="A black rectangle[^"]*"', 'alt=""'),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_page_is_caught(page, fault):
    BROKEN[fault](page)
    found = check.page_faults(page, WANTED)
    assert any(fault in text for text in found), found


def test_a_filter_that_takes_too_much_ends_the_build(little, monkeypatch, capfd):
    """As it was met: scripts were dropped by a word in them, and a picture's text happened to hold it."""

    def greedy(soup, page):
        for script in soup.find_all("script"):
            if "book" in str(script):
                script.decompose()

    monkeypatch.setattr(finish.labels, "apply", greedy)
    little.pretend()
    assert little.render() != 0
    assert "part/one: the script book.js is not loaded" in capfd.readouterr().err


def test_a_frame_that_is_lost_ends_the_build(little, monkeypatch, capfd):
    def lose(site):
        file = site.out / "part/one.frames.js"
        file.write_text(file.read_text().replace("<img", "<b", 1))

    monkeypatch.setattr(finish.status, "conclude", lose)
    little.pretend()
    assert little.render() != 0
    assert "part/one: explorer 1: 3 positions of its sliders, but 2 frames" in capfd.readouterr().err


def test_frames_that_spell_the_name_of_a_script_keep_their_explorer(little_site):
    frames = (little_site.out / "part/one.frames.js").read_text(encoding="utf-8")
    assert "thebe" in frames and "thebe" in little_site.text()
    assert check.page_faults(little_site.out / "part/one.html", WANTED) == []
    loaded = [script.get("src") or str(script) for script in little_site.soup().find_all("script")]
    assert not [script for script in loaded if "thebe" in script.lower()]


def test_pages_that_stay_as_they_are_are_not_read_again(little_site, tmp_path, monkeypatch):
    shutil.copytree(little_site.out, tmp_path / "html")
    site = Site(out=tmp_path / "html", modules=None, scale="smoke", url="", commit="", documents={"part/one"})
    noted = tmp_path / "checked.json"
    assert check.site_faults(site, noted) == ["part/one: no build has written this page"]
    look = check.looks(site.out / "part/one.html")
    note = {"wanted": check.asdict(WANTED), "files": look}
    noted.write_text(json.dumps({"part/one": note}))
    read = []
    monkeypatch.setattr(check, "page_faults", lambda page, wanted: read.append(page.stem) or [])
    assert check.site_faults(site, noted) == [] and read == []
    (site.out / "part/one.frames.js").unlink()  # whoever took it away
    assert check.site_faults(site, noted) == [] and read == ["one"]


def test_what_a_page_must_hold_comes_from_its_run(little):
    import run

    little.pretend()
    notebook, record = run.cached("part/one", "smoke", little.source)
    site = Site(out=None, modules=None, scale="smoke", url="", commit="")
    site.runs["part/one"] = type("Run", (), {"notebook": notebook, "record": record})
    wanted = check.expected(Page("part/one", site, formulas=2, scripts=["js/book.js"]))
    assert (wanted.explorers, wanted.figures, wanted.formulas, wanted.scripts[0]) == ([3], 1, 2, "book.js")
    hidden = next(cell for cell in notebook.cells if cell.id == "plot")
    hidden.metadata.tags = ["remove-cell"]
    assert check.expected(Page("part/one", site)).figures == 0
    assert STATE in notebook.metadata.widgets
