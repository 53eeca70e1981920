"""Cells that cannot be run again are seen: without running them by `reruns`, and by running them by `again`."""

import again
import author
import pytest
import reruns
import run

URL = author.repository()


def lecture(*cells: str):
    """Return a lecture with cells of code, called c0, c1, …"""
    parts = ["=== md title\n# Title\n", "=== setup\n"]
    parts += [f"=== code c{number}\n{code}\n" for number, code in enumerate(cells)]
    return author.write("\n".join(parts), URL)


BROKEN = {
    "a loop variable": ["a = 1", "print(a)", "for a in 'xy':\n    pass"],
    "a function that becomes a number": ["def f():\n    return 1", "print(f())", "f = 3"],
    "a number that becomes a function": ["a = 1", "print(a)", "def a():\n    return 1"],
    "what a function reads": ["a = 1", "def f():\n    return a", "a = 2"],
    "what a comprehension reads": ["a = [1]", "print([b for b in a])", "a = 2"],
    "the target of with": ["a = 1", "print(a)", "with open('x') as a:\n    pass"],
    "a total that the cell itself changes": ["a = 1", "a += 1"],
    "a value that the cell itself replaces": ["a = 1", "a = a + 1"],
}
FINE = {
    "a name that is assigned before it is read": ["a = 1", "a = 2\nprint(a)", "a = 3"],
    "a function that is written again": ["def f():\n    return 1", "print(f())", "def f():\n    return 2"],
    "a variable of a comprehension": ["a = [1]", "print([[b for b in a] for b in a])", "b = 2"],
    "a parameter": ["a = 1", "def f(a):\n    return a", "a = 2"],
    "what a function reads, and only later cells assign": ["def f():\n    return a", "a = 1", "print(f())"],
    "another import of the same": ["import math", "print(math.pi)", "import math"],
}


@pytest.mark.parametrize("what", BROKEN)
def test_another_meaning_is_seen(what):
    (fault,) = reruns.faults(lecture(*BROKEN[what]))
    assert "reads" in fault and "gives another meaning" in fault


@pytest.mark.parametrize("what", FINE)
def test_one_meaning_is_fine(what):
    assert reruns.faults(lecture(*FINE[what])) == []


def test_a_name_of_the_set_up_cell_is_not_for_lectures():
    assert reruns.faults(lecture("print(Path.cwd())")) == ["cell 'c0' reads Path, which only the set-up binds"]
    assert reruns.faults(lecture("from pathlib import Path\nprint(Path.cwd())")) == []


@pytest.mark.parametrize(
    "code, seeded",
    [
        ("x = torch.randn(3)", False),
        ("x.normal_()\nset_seed(0)", False),
        ("for i in range(3):\n    x_t, v = diffusion.diffuse(x, t, alpha_bar)", False),
        ("set_seed(0)\nx = torch.randn(3)", True),
        ("x = torch.randn(3, generator=rng)", True),
        ("x = torch.randn(3, generator=set_seed(0))\ny = torch.randn(3)", True),
        ("def f():\n    return torch.randn(3)", True),
        ("def start():\n    set_seed(0)\n\nstart()\nx = torch.randn(3)", True),
    ],
)
def test_a_draw_has_a_seed(code, seeded):
    assert (reruns.seed_faults(lecture(code).cells[2:]) == []) == seeded


def test_running_again_sees_what_raises_and_what_shows_something_else(tmp_path, monkeypatch):
    monkeypatch.setenv("BOOK_WORKERS", "1")
    cells = [
        "import random\na = 1",
        "print(a + 1)",
        "values = [random.random()]\nprint('drawn', values)",
        "values.append(1)\nprint(len(values))",
        "from IPython.display import HTML, display\ndisplay(HTML(str(random.random())))",
        "a = 'x'",
        "print('the same')",
    ]
    book = tmp_path / "book"
    (book / "part").mkdir(parents=True)
    (tmp_path / "utils").symlink_to(run.ROOT / "utils")
    nb = lecture(*cells)
    author.save(nb, book / "part/one.ipynb")
    found = again.faults("part/one", "smoke", book)
    assert [text.split(":")[0] for text in found] == ["cell 'c1'", "cell 'c2'", "cell 'c3'", "cell 'c4'"]
    raises, draws, grows, picture = found
    assert "run again, it raises TypeError" in raises
    assert "run again, it shows 'drawn [0." in draws
    assert grows.endswith("run again, it shows '3', not '2'")
    assert picture.endswith("run again, it shows another picture")


def test_a_lecture_that_does_not_run_is_named(tmp_path):
    (tmp_path / "part").mkdir()
    author.save(lecture("print(1)", "1 / 0"), tmp_path / "part/one.ipynb")
    (tmp_path / "utils").symlink_to(run.ROOT / "utils")
    with pytest.raises(RuntimeError, match="one, cell 'c1': ZeroDivisionError: division by zero"):
        again.faults("part/one", "smoke", tmp_path)
