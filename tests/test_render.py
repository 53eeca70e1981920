"""Rendering: a lecture that was not run, a warning, what is written anew, and what a killed build leaves behind."""

import os
import re
import signal
import subprocess
import sys

import author
import finish
import nbformat
import pytest
import render
from conftest import ROOT
from little import LECTURE
from PIL import Image

pytestmark = pytest.mark.xdist_group("build")


def test_a_lecture_that_was_not_run_is_named(little, capfd):
    assert little.render() != 0
    assert "These lectures have not been run: part/one" in capfd.readouterr().err


def test_a_page_shows_its_run_and_the_text_of_its_file(little):
    little.pretend("2")
    assert little.render() == 0
    assert little.printed() == "2\n"
    little.write(lecture=LECTURE.replace("A promise", "Another promise"))  # the same code: the same run
    assert little.render() == 0
    assert little.printed() == "2\n" and "Another promise" in little.text()


def test_a_new_run_reaches_the_page_of_an_unchanged_lecture(little, monkeypatch):
    written = []
    monkeypatch.setattr(finish.sizes, "apply", lambda soup, page: written.append(page.name))
    little.pretend("before")
    assert little.render() == 0
    assert set(written) >= {"intro", "part/one", "status"}
    written.clear()
    little.pretend("after", cpu_seconds=7.0)
    assert little.render() == 0
    assert little.printed() == "after\n" and "runs in 7 s" in little.text()
    assert "part/one" in written and "status" not in written  # other pages stay as they are
    assert little.soup("status").select("tbody td")[1].get_text() == "7"
    written.clear()
    assert little.render() == 0 and written == []
    assert all((little.out / name).exists() for name in ("search.html", "genindex.html", "part/one.frames.js"))


def test_a_warning_is_an_error(little, capfd):
    (little.source / "intro.md").write_text("# A little book\n\nSee [nothing](part/gone.ipynb).\n")
    little.pretend()
    assert little.render() != 0
    assert "gone" in capfd.readouterr().err
    assert little.render() != 0  # and the next build says it again


def test_faulty_formulas_end_the_build(little, capfd):
    intro = little.source / "intro.md"
    intro.write_text("# Book\n\nSee [it](part/one.ipynb), $\\nosuchcommand{2}$.\n")
    little.pretend()
    assert little.render() != 0
    error = capfd.readouterr().err
    assert r"Undefined control sequence \nosuchcommand" in error and "(intro)" in error


KILLED = """
import os, signal, sys
sys.path[:0] = [{ext!r}, {tests!r}]
import finish, render
from pathlib import Path

def die(soup, page):
    if page.name == "part/one":
        out = Path({out!r})
        halves = [*out.rglob("*.webp"), *out.rglob("*.json"), out / "searchindex.js", out / "part/one.frames.js"]
        halves += [path for path in out.with_name(".doctrees-html").rglob("*.*") if path.is_file()]
        for path in halves:
            path.write_bytes(path.read_bytes()[:20])
        os.kill(os.getpid(), signal.SIGKILL)

finish.facts.apply = die
render.render(Path({out!r}), "smoke", Path({source!r}), Path({toc!r}))
"""


def test_what_a_killed_build_left_is_written_anew(little):
    little.pretend("old")
    assert little.render() == 0
    little.pretend("new", cpu_seconds=9.0)
    places = {"out": little.out, "source": little.source, "toc": little.toc, "ext": ROOT / "book/_ext"}
    script = KILLED.format(tests=str(ROOT / "tests"), **{name: str(path) for name, path in places.items()})
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, env=os.environ)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert "lecture-facts" not in little.text()  # a page that nobody has finished
    assert little.render() == 0
    assert little.printed() == "new\n" and "runs in 9 s" in little.text()
    figure = little.soup().select_one('article img[src*="_images/"]')["src"]
    with Image.open(little.out / "part" / figure) as picture:
        picture.load()  # not the half of it
    assert len((little.out / "searchindex.js").read_bytes()) > 20


ELSEWHERE = """
import sys
sys.path[:0] = [{ext!r}, {tests!r}]
import render
from pathlib import Path

open({said!r}, "w").write(f"{{sys.flags.utf8_mode}} {{sys.stdout.encoding}}")
sys.exit(render.render(Path({out!r}), "smoke", Path({source!r}), Path({toc!r})))
"""


def test_a_locale_of_other_letters_garbles_nothing(little, tmp_path):
    """Chinese in the text, in a formula, in a title: the build ends well, where Python reads ASCII by itself."""
    little.write(lecture=LECTURE.replace("# One $n$", "# One 动量 $n$").replace("A promise", "$\\text{{损失}} L < 1$"))
    little.pretend("输出")
    said = tmp_path / "said"
    places = {"out": little.out, "source": little.source, "toc": little.toc, "ext": ROOT / "book/_ext", "said": said}
    script = ELSEWHERE.format(tests=str(ROOT / "tests"), **{name: str(path) for name, path in places.items()})
    old = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, env=os.environ | old)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert said.read_text(encoding="ascii") == "0 iso8859-1"
    soup = little.soup()
    assert soup.h1.get_text().startswith("One 动量") and little.printed() == "输出\n"
    spoken = soup.select_one("article p mjx-assistive-mml [lang]")
    assert (spoken.get_text(), spoken["lang"]) == ("损失", "zh")
    assert {mark.get_text() for mark in soup.select('article [lang="zh"]')} >= {"动量", "结束"}


def test_a_lecture_that_left_the_book_leaves_the_site(little, little_site):
    little.write(name="part/two", lecture=LECTURE.replace("# One", "# Second").replace("promise", "secret"))
    little.pretend()
    little.pretend(name="part/two")
    (little.out / "part").mkdir(parents=True)
    (little.out / "part/killed.frames.js").write_text("left by a build that was killed", encoding="utf-8")
    toc = little.toc.read_text()
    little.toc.write_text(f"{toc}  - file: part/two\n")
    assert little.render() == 0
    gone = [little.out / path for path in ("part/two.html", "part/two.frames.js", "_sources/part/two.ipynb")]
    assert all(path.exists() for path in gone)
    little.toc.write_text(toc)
    assert little.render() == 0
    assert not any(path.exists() for path in gone)
    never = contents(little_site.out)  # a site that has not had it
    left = contents(little.out)
    assert sorted(left) == sorted(never)
    assert [name for name in left if left[name] != never[name]] == []


def contents(folder) -> dict[str, bytes]:
    """Return the files of a site; the fonts of icons hold the time at which they were cut."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".woff2"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_what_is_on_every_page_changes_every_page(tmp_path, monkeypatch):
    for name in ("_config.yml", "constraints.txt", "package.json", "book/_static/a.css", "book/_ext/finish/a.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    monkeypatch.setattr(render, "ROOT", tmp_path)
    toc = tmp_path / "_toc.yml"
    toc.write_text("x")
    digests = {render.frame_digest(toc)}
    changed = [path for path in tmp_path.rglob("*.*") if path.is_file()]
    for path in changed:
        path.write_text("y")
        digests.add(render.frame_digest(toc))
    assert len(digests) == 1 + len(changed)


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
