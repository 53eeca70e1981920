"""A little book to build in tests: a page and a lecture whose run is made up, so that nothing has to be executed."""

import base64
import io
import json
import shutil
from pathlib import Path

import author
import keys
import nbformat
import render
import run
from bs4 import BeautifulSoup
from conftest import ROOT
from PIL import Image

STATE = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"
PAGE = """\
# A little book

See [the lecture](part/one.ipynb): $x^2 < 3$. 这里讲随机梯度下降法。

$$ \\mathbb{E}[x] $$
"""
STATUS = "# Status\n\n<!-- status table -->\n"
MISSING = "---\norphan: true\n---\n\n# Page not found\n\nGo [back](intro.md).\n"
TOC = "format: jb-book\nroot: intro\nchapters:\n  - file: part/one\n  - file: status\n"
LECTURE = """\
=== md title
# One $n$

A promise.

=== setup

=== code first
print("one")

=== code last
{last}

=== code plot alt=A black rectangle, wider than it is high
draw()

=== solution wide
# A line that is wider than a sheet of paper, as those of code sometimes are, though no rule of the book allows it.

=== code look tags=hide-input
explore()

=== md end
The end (结束), where $a = b$.

| a | b |
|---|---|
| 1 | 2 |
"""
ABOUT = {"name": "One", "needs": [], "question": "Why?", "formula": "$a$", "minutes": 5}
USED = {"execution_seconds": 2.0, "cpu_seconds": 1.0, "peak_mb": 100.0}
PICTURE = "UklGRthebeAAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA=="  # base64 may spell anything


class Book:
    """A book in a folder of its own."""

    def __init__(self, folder: Path):
        self.source = folder / "book"
        self.toc = folder / "_toc.yml"
        self.out = folder / "html"
        (folder / "utils").symlink_to(ROOT / "utils")  # where the set-up cell looks for it
        (self.source / "part").mkdir(parents=True)
        shutil.copytree(ROOT / "book/_static", self.source / "_static")
        self.toc.write_text(TOC, encoding="utf-8")
        for name, text in {"intro": PAGE, "status": STATUS, "404": MISSING}.items():
            (self.source / f"{name}.md").write_text(text, encoding="utf-8")
        self.write()

    def write(self, last: str = "print(2)", lecture: str = LECTURE, name: str = "part/one") -> None:
        nb = author.write(lecture.format(last=last), author.repository())
        nb.cells[0].metadata.update(ABOUT)
        author.save(nb, self.source / f"{name}.ipynb")

    def run(self) -> list[str]:
        """Execute the lectures."""
        return run.fill("smoke", book=self.source, toc=self.toc)

    def pretend(self, printed: str = "2", picture: str = PICTURE, name: str = "part/one", **used) -> None:
        """Put a run into the cache that nobody has executed."""
        path = self.source / f"{name}.ipynb"
        nb = nbformat.read(path, as_version=4)
        outputs = made_up(printed, picture)
        for cell in nb.cells:
            if cell.id in outputs:
                cell.outputs = [nbformat.from_dict(output) for output in outputs[cell.id]]
        nb.metadata.widgets = {STATE: {"version_major": 2, "version_minor": 0, "state": widgets(picture)}}
        entry = run.cache_folder() / keys.key(path, "smoke")
        entry.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(nb, entry.with_suffix(".ipynb"))
        record = USED | used | {"name": name, "scale": "smoke"}
        entry.with_suffix(".json").write_text(json.dumps(record), encoding="utf-8")

    def render(self) -> int:
        return render.render(self.out, "smoke", self.source, self.toc)

    def text(self, name: str = "part/one") -> str:
        return (self.out / f"{name}.html").read_text(encoding="utf-8")

    def soup(self, name: str = "part/one") -> BeautifulSoup:
        return BeautifulSoup(self.text(name), "html.parser")

    def printed(self) -> str:
        return "".join(pre.get_text() for pre in self.soup().select(".cell_output pre"))


def made_up(printed: str, picture: str) -> dict[str, list[dict]]:
    """Return the outputs of each cell: a line, a figure, an explorer."""
    file = io.BytesIO()
    Image.new("RGB", (30, 20)).save(file, "png")
    figure = base64.b64encode(file.getvalue()).decode()
    still = f'<div class="explorer-still"><ul class="explorer-values"><li>rate = 0.5</li></ul>{frame(1, picture)}</div>'
    return {
        "last": [{"output_type": "stream", "name": "stdout", "text": printed + "\n"}],
        "plot": [{"output_type": "display_data", "metadata": {}, "data": {"image/png": figure}}],
        "look": [
            {"output_type": "display_data", "metadata": {}, "data": {"text/html": still, "text/plain": ""}},
            {"output_type": "display_data", "metadata": {}, "data": {VIEW: {"model_id": "box", "version_major": 2}}},
        ],
    }


def frame(number: int, picture: str) -> str:
    return f'<img width="3" height="2" alt="Frame number {number}" src="data:image/webp;base64,{picture}">'


def widgets(picture: str) -> dict:
    """Return the state of an explorer with a slider of three positions."""
    return {
        "link": widget("LinkModel", source=["IPY_MODEL_slider", "index"], target=["IPY_MODEL_stack", "selected_index"]),
        "box": widget("VBoxModel", _dom_classes=["explorer"], children=["IPY_MODEL_slider", "IPY_MODEL_stack"]),
        "slider": widget("SelectionSliderModel", _options_labels=["0.5", "1", "1.98"], index=0, description="rate"),
        "stack": widget("StackModel", selected_index=0, children=["IPY_MODEL_f1", "IPY_MODEL_f2", "IPY_MODEL_f3"]),
        **{f"f{number}": widget("HTMLModel", value=frame(number, picture)) for number in (1, 2, 3)},
    }


def widget(name: str, **state) -> dict:
    return {
        "model_module": "@jupyter-widgets/controls",
        "model_module_version": "2.0.0",
        "model_name": name,
        "state": state,
    }
