"""Running lectures: what fails, what runs again, what two processes share, and the second run that must be the same."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor

import author
import kernels
import lecture
import nbformat
import pytest
import render
import run
import second_run
from conftest import ROOT

pytestmark = pytest.mark.xdist_group("run")  # one process, which imports the libraries for all kernels

LECTURE = """=== md title
# Title

=== setup

=== code first
print("one")

=== code last
{last}
"""


class Book:
    """A book of one lecture."""

    def __init__(self, folder):
        (folder / "utils").symlink_to(ROOT / "utils")  # where the setup cell looks for it
        self.book = folder / "book"
        self.toc = folder / "_toc.yml"
        self.toc.write_text("format: jb-book\nroot: intro\nchapters:\n  - file: part/one\n")
        self.notebook = self.book / "part/one.ipynb"
        self.notebook.parent.mkdir(parents=True)
        self.write("print(2)")

    def write(self, last):
        author.save(author.write(LECTURE.format(last=last), author.repository()), self.notebook)

    def fill(self):
        return run.fill("smoke", book=self.book, toc=self.toc)

    def cached(self):
        return run.cached("part/one", "smoke", self.book)

    def printed(self):
        notebook, _ = self.cached()
        return "".join(cell.outputs[0].text for cell in code(notebook) if cell.outputs)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture
def single(tmp_path, monkeypatch):
    monkeypatch.setenv("BOOK_CACHE", str(tmp_path / "cache"))
    return Book(tmp_path)


def test_a_failing_lecture_names_lecture_cell_and_error(single, capfd):
    single.write("1 / 0")
    (failure,) = single.fill()
    assert failure.startswith("part/one, cell 'last': ZeroDivisionError: division by zero")
    assert "[1/1] part/one: FAILED" in capfd.readouterr().out
    assert single.cached() is None


def test_a_frame_that_fails_stops_the_run(single):
    single.write("from utils.widgets import explore\nexplore(lambda a: None, {'a': [1, 2]}, alt='x')")
    assert "TypeError: draw must return a Matplotlib figure, but at a = 1" in single.fill()[0]


def test_a_kernel_that_dies_fails_its_lecture_alone(single):
    single.write("import os\nos.kill(os.getpid(), 9)")
    (failure,) = single.fill()
    assert failure.startswith("part/one: the notebook could not be run: Kernel died")
    single.write("print(2)")
    assert single.fill() == []


def test_only_what_changed_runs_again(single, capfd):
    assert single.fill() == []
    assert single.printed() == "one\n2\n"
    assert "1 to run" in capfd.readouterr().out
    assert single.fill() == []
    assert "0 to run" in capfd.readouterr().out
    single.write("print(3)")
    assert single.cached() is None
    assert single.fill() == []
    assert "1 to run" in capfd.readouterr().out
    assert single.printed() == "one\n3\n"


def test_a_run_serves_a_lecture_whose_prose_has_changed(single):
    assert single.fill() == []
    notebook = nbformat.read(single.notebook, as_version=4)
    notebook.cells[0].source = "# Another title"
    notebook.cells[-1].metadata["mystnb"] = {"image": {"alt": "a new text"}}
    author.save(notebook, single.notebook)
    found, record = single.cached()
    assert found.cells[0].source == "# Another title"
    assert found.cells[-1].metadata.mystnb.image.alt == "a new text"
    assert found.cells[-1].outputs[0].text == "2\n"
    assert record["name"] == "part/one" and record["scale"] == "smoke"
    assert record["cpu_seconds"] > 0 and record["execution_seconds"] > 0 and record["peak_mb"] > 0


def test_widgets_survive_the_cache(single):
    single.write("import ipywidgets\nfrom IPython.display import display\ndisplay(ipywidgets.IntSlider(3))")
    assert single.fill() == []
    found, _ = single.cached()
    assert "IntSliderModel" in json.dumps(found.metadata.widgets)


def test_two_at_once_share_the_work(single, capfd):
    single.write("import time\ntime.sleep(1)\nprint('x', file=open('../count', 'a'))")
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda _: single.fill(), range(2))) == [[], []]
    assert (single.book / "count").read_text() == "x\n"
    assert "another process has run it" in capfd.readouterr().out


def test_a_lecture_that_changes_while_it_runs_is_not_kept(single):
    single.write("from pathlib import Path\np = Path('one.ipynb')\np.write_text(p.read_text().replace('one', 'two'))")
    assert "was changed while it ran" in single.fill()[0]
    assert not list(run.cache_folder().glob("*.json"))


def test_half_a_run_is_none(single):
    assert single.fill() == []
    (record,) = run.cache_folder().glob("*.json")
    record.unlink()
    assert single.cached() is None
    assert single.fill() == []
    assert single.cached() is not None


def test_the_longest_start_first_and_the_unknown_before_them(single):
    run.cache_folder().mkdir(parents=True)
    for number, (name, scale, seconds) in enumerate(
        [("a", "book", 9), ("a", "book", 1), ("b", "book", 5), ("c", "smoke", 99), ("d", "book", 7)]
    ):
        path = run.cache_folder() / f"{number}.json"
        path.write_text(json.dumps({"name": name, "scale": scale, "execution_seconds": seconds}))
        os.utime(path, (number, number))
    assert run.longest_first(["a", "b", "c", "d"], "book") == ["c", "d", "b", "a"]


@pytest.mark.parametrize("script", ["run.py", "render.py html", "lecture.py cnn/lenet"])
def test_a_mistyped_scale_ends_before_anything_starts(monkeypatch, script):
    def started(*args, **kwargs):
        raise AssertionError("something has started")

    monkeypatch.setenv("BOOK_SCALE", "smal")
    for module, name in ((run, "fill"), (render, "render"), (lecture, "check")):
        monkeypatch.setattr(module, name, started)
    file, *arguments = script.split()
    starts = {"run.py": run.main, "render.py": render.main, "lecture.py": lambda names: lecture.main(*names)}
    with pytest.raises(SystemExit, match="^BOOK_SCALE is 'smal', but the scales are 'smoke', 'book' and 'full'.$"):
        starts[file](arguments)
    monkeypatch.delenv("BOOK_SCALE")
    assert run.named_scale() == "book" and run.named_scale("smoke") == "smoke"


def test_workers_are_as_many_as_the_cores(monkeypatch):
    monkeypatch.delenv("BOOK_WORKERS", raising=False)
    assert run.workers() == len(os.sched_getaffinity(0))
    monkeypatch.setenv("BOOK_WORKERS", "7")
    assert run.workers() == 7


def test_prune_removes_what_no_lecture_needs(single, monkeypatch):
    assert single.fill() == []
    with pytest.raises(SystemExit, match="others may use"):
        run.prune()
    folder = run.cache_folder()
    for name, value in {"BOOK": single.book, "ROOT": single.book.parent, "cache_folder": lambda: folder}.items():
        monkeypatch.setattr(run, name, value)
    monkeypatch.setattr(run, "lectures", lambda: ["part/one"])
    monkeypatch.delenv("BOOK_CACHE")
    assert run.prune() == 0
    single.write("print(3)")
    assert run.prune() == 1
    assert list(folder.iterdir()) == []


SAME = """
import multiprocessing
import os
import sys
import matplotlib.pyplot as plt
import torch

weights = torch.ones(300, 300, requires_grad=True)
for _ in range(10):
    (weights @ weights).sum().backward()
names = [name for name in os.environ if name.startswith(("BOOK", "PYTHON", "MPL", "OMP"))]
folders = [folder for folder in sys.path if "_ext" in folder or folder.endswith("tests")]
print(weights.grad.sum(), torch.get_num_threads(), multiprocessing.get_start_method())
print(sorted(names), folders, os.getcwd(), __name__, os.getsid(0) == os.getpid())
plt.plot([1, 2])
plt.show()
"""


def test_a_forked_kernel_is_like_a_new_one(single):
    single.write(SAME)
    forked, used = run.run_one(single.notebook, "smoke", forked=True)
    new, used_by_new = run.run_one(single.notebook, "smoke", forked=False)
    assert forked.cells[-1].outputs == new.cells[-1].outputs
    assert forked.cells[-1].outputs[0].text.split()[1:3] == ["1", "fork"]
    assert 0.5 < used["cpu_seconds"] / used_by_new["cpu_seconds"] < 2  # both with the imports


def test_two_that_start_the_server_at_once_leave_the_variables_as_they_were(monkeypatch):
    monkeypatch.setattr(kernels.forkserver, "ensure_running", lambda: time.sleep(0.2))
    monkeypatch.setattr(kernels.atexit, "register", lambda function: None)
    before = dict(os.environ)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(kernels.start_server, {"BOOK_SCALE": "smoke"})
        time.sleep(0.1)
        second = pool.submit(kernels.start_server, {"BOOK_SCALE": "smoke"})
        first.result()
        second.result()
    assert dict(os.environ) == before


PLANTED = """=== md title
# Title

=== setup

=== code begin
from pathlib import Path
import matplotlib.pyplot as plt
from utils.widgets import explore

counter = Path("../../count")
counter.write_text(counter.read_text() + "x" if counter.exists() else "")
runs = len(counter.read_text())
print("the same")

=== code same-figure
plt.plot([1, 2])
plt.show()

=== code semicolon
plt.plot([1, 2]);

=== code prints
print(runs)

=== code draws
plt.plot([1, runs])
plt.show()

=== code clock-number
print(f"{10**runs + 0.5:8.2f} s for {10**runs:3} steps, {10**runs:.1f} s")

=== code clock-words
print("s" * (runs + 1))

=== code clock-figure
plt.plot([2, runs])
plt.show()

=== code explorer
def draw(a):
    fig, ax = plt.subplots(figsize=(2, 1))
    ax.plot([a, runs])
    return fig


explore(draw, {"a": [1, 2]}, alt="a line")

=== code more
if runs:
    print("more")

=== code fails
assert runs == 0
"""


def test_a_lecture_that_prints_or_draws_otherwise_the_second_time_is_seen(single, tmp_path):
    author.save(author.write(PLANTED, author.repository()), single.notebook)
    assert single.fill() == []
    found = second_run.differences("part/one", single.book, tmp_path / "nbval")
    cells = [fault.split("'")[1] for fault in found]
    assert cells == ["prints", "draws", "clock-words", "clock-figure", "explorer", "more", "fails"]
    assert found[0].startswith("part/one, cell 'prints': Cell outputs differ")
    assert "AssertionError" in found[-1]
    lines = "\n".join(found).splitlines()
    assert max(map(len, lines)) <= second_run.WIDTH + len("part/one, ")


def test_a_lecture_that_is_not_in_the_cache_has_no_second_run(single, tmp_path):
    with pytest.raises(RuntimeError, match="part/one has not been run at smoke scale"):
        second_run.differences("part/one", single.book, tmp_path / "nbval")
