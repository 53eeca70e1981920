"""`make lecture`: the book of one lecture that it builds, the sheets of frames, and how it ends."""

import base64
import io

import again
import author
import lecture
import nbformat
import pytest
import run
from PIL import Image

TEXT = """=== md title
# One

See [two](two.ipynb#there), [three](../other/three.ipynb), [a site](https://example.org) and [below](#below).

=== md lost
[Lost](lost.ipynb)

=== code work
print(1)
"""


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A book of three lectures; the one in `part` is looked at."""
    monkeypatch.setattr(run, "BOOK", tmp_path / "book")
    (tmp_path / "book/_static").mkdir(parents=True)
    for name in ("part/one", "part/two", "other/three"):
        path = run.BOOK / f"{name}.ipynb"
        path.parent.mkdir(exist_ok=True)
        notebook = author.write(TEXT, author.repository())
        notebook.cells[0].metadata["needs"] = ["two"]
        author.save(notebook, path)
    return run.BOOK


def test_a_book_of_one_lecture_needs_no_other(book, tmp_path):
    faults = lecture.write_book("part/one", tmp_path / "alone")
    assert faults == ["the link to lost.ipynb leads nowhere"]
    found = nbformat.read(tmp_path / "alone/part/one.ipynb", as_version=4)
    files = f"{author.repository()}/blob/main/book"
    assert f"[two]({files}/part/two.ipynb#there), [three]({files}/other/three.ipynb)" in found.cells[0].source
    assert "[a site](https://example.org) and [below](#below)" in found.cells[0].source
    assert found.cells[0].metadata.needs == []
    assert sorted(path.name for path in (tmp_path / "alone").rglob("*.*")) == ["intro.md", "one.ipynb"]


def picture(colour) -> str:
    file = io.BytesIO()
    Image.new("RGB", (30, 20), colour).save(file, "webp", lossless=True)
    return f'<img alt="x" src="data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}">'


def test_a_sheet_holds_all_frames_in_their_order(tmp_path):
    colours = ["red", "lime", "blue"]
    state = {str(n): {"state": {"value": picture(colour)}} for n, colour in enumerate(colours)}
    state["stack"] = {"state": {"children": ["IPY_MODEL_0", "IPY_MODEL_1", "IPY_MODEL_2"]}}
    state["box"] = {"state": {"children": ["IPY_MODEL_slider", "IPY_MODEL_stack"]}}
    state["slider"] = {"state": {"value": 3}}
    lecture.write_sheet(list(lecture.frames(state, "box")), tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (90, 20)
        assert [sheet.getpixel((30 * n + 5, 5)) for n in range(3)] == [(255, 0, 0), (0, 255, 0), (0, 0, 255)]


def test_a_fault_of_layout_is_a_sentence(book, monkeypatch):
    monkeypatch.setattr(lecture, "ROOT", book.parent)
    assert lecture.layout("part/one") == []
    path = book / "part/one.ipynb"
    path.write_text(path.read_text().replace("print(1)", "import  os"))
    faults = lecture.layout("part/one")
    assert any("F401" in fault for fault in faults)
    assert faults[-1] == "the code is not laid out as ruff does it: ruff format book/part/one.ipynb"


def test_a_step_says_its_faults(capsys):
    assert lecture.step("rules", lambda: []) == []
    assert lecture.step("page", lambda: ["it is wrong"]) == ["it is wrong"]
    first, second, third = capsys.readouterr().out.splitlines()
    assert first.startswith("rules: ") and first.endswith(" s, fine")
    assert second.startswith("page: ") and third == "  it is wrong"


def test_each_cell_is_run_again(monkeypatch):
    for name in ("rules", "layout", "execution", "page", "sliders", "sheets"):
        monkeypatch.setattr(lecture, name, lambda *arguments: [])
    monkeypatch.setattr(run, "cached", lambda name, scale: ({}, {}))
    monkeypatch.setattr(again, "faults", lambda name, scale: [f"{name} at {scale} scale"])
    assert lecture.check("part/one", "book") == ["part/one at smoke scale"]


def test_what_is_no_lecture_is_refused_and_faults_end_it(monkeypatch):
    with pytest.raises(SystemExit, match="'cnn/nothing' is not a lecture"):
        lecture.main("cnn/nothing")
    monkeypatch.setattr(lecture, "check", lambda name, scale: ["it is wrong"])
    with pytest.raises(SystemExit, match="1 fault"):
        lecture.main(f"book/{run.lectures()[0]}.ipynb")
