"""A lecture's key: it changes with all that the run depends on, and with nothing else."""

import shutil

import author
import keys
import nbformat
import pytest
import reach
from conftest import LECTURES, ROOT

LECTURE = """=== md title
# Title

=== setup

=== code imports
import torch
from utils import chart, store as kept
from utils.tools import double

=== code work
print(chart.line(double(3)))
"""
HELPERS = {
    "__init__": '"""Helpers."""',
    "tools": """
        LIMIT = 3
        UNUSED = 4

        def double(x):
            return min(2 * x, LIMIT)

        def triple(x):
            return 3 * x

        class Table:
            size = 1

            def rows(self):
                return self.size
        """,
    "chart": '''
        """Charts."""
        import math as m
        from utils import tools
        from utils.tools import Table as Grid

        def line(x):
            """Draw a line."""
            return ticks(x)

        def ticks(x):
            table = Grid()  # a comment
            return round(table.rows() * m.pi) + x

        def bars(x):
            return tools.triple(x)

        def late(x):
            from utils.store import keep
            return keep(x)
        ''',
    "store": """
        KEPT = {}

        def keep(x):
            KEPT[x] = x
        """,
}


@pytest.fixture
def tree(tmp_path):
    """A checkout with a lecture and helpers of a few lines; `key()` is the lecture's key as the files are now."""

    class Tree:
        notebook = tmp_path / "book/part/one.ipynb"

        def key(self, scale="smoke", **options):
            return keys.key(self.notebook, scale, **options)

        def lecture(self, text):
            author.save(author.write(text, "https://github.com/a/b"), self.notebook)

        def change(self, path, old, new):
            file = tmp_path / path
            text = file.read_text(encoding="utf-8")
            assert old in text
            file.write_text(text.replace(old, new), encoding="utf-8")

    tree = Tree()
    tree.notebook.parent.mkdir(parents=True)
    (tmp_path / "utils").mkdir()
    for name, text in HELPERS.items():
        lines = [line.removeprefix("        ") for line in text.splitlines()]
        (tmp_path / f"utils/{name}.py").write_text("\n".join(lines), encoding="utf-8")
    for name in keys.PIN_FILES:
        shutil.copy(ROOT / name, tmp_path)
    tree.lecture(LECTURE)
    return tree


REACHED = {
    "a function": ("tools", "2 * x", "4 * x"),
    "a constant that it uses": ("tools", "LIMIT = 3", "LIMIT = 5"),
    "two calls away, in the same module": ("chart", "round(", "int("),
    "a class in another module": ("tools", "return self.size", "return self.size + 1"),
    "an import of another library": ("chart", "import math as m", "import cmath as m"),
    "code that runs on import": ("chart", "from utils import tools", "from utils import tools\nprint(1)"),
    "code that runs when a module is imported in turn": ("tools", "UNUSED = 4", "UNUSED = 4\nprint(1)"),
}
NOT_REACHED = {
    "another function": ("tools", "3 * x", "5 * x"),
    "another constant": ("tools", "UNUSED = 4", "UNUSED = 5"),
    "what another function imports": ("store", "KEPT[x] = x", "KEPT[x] = 1"),
    "a docstring": ("chart", '"""Draw a line."""', '"""Draw one line."""'),
    "a module's docstring": ("chart", '"""Charts."""', '"""Some charts."""'),
    "a comment": ("chart", "# a comment", "# another"),
    "the layout": ("chart", "round(table.rows() * m.pi) + x", "(\n        round(table.rows() * m.pi) + x\n    )"),
}


@pytest.mark.parametrize("what", REACHED)
def test_a_changed_helper_that_is_reached_changes_the_key(tree, what):
    module, old, new = REACHED[what]
    before = tree.key()
    tree.change(f"utils/{module}.py", old, new)
    assert tree.key() != before


@pytest.mark.parametrize("what", NOT_REACHED)
def test_a_helper_that_is_not_reached_does_not(tree, what):
    module, old, new = NOT_REACHED[what]
    before = tree.key()
    tree.change(f"utils/{module}.py", old, new)
    assert tree.key() == before


@pytest.mark.parametrize(
    "code",
    [
        "print(chart)",
        "getattr(chart, name)(1)",
        "draw = chart",
        "from utils.chart import *",
        "from utils import *",
        "import utils\nprint(dir(utils))",
        "import utils.chart as c\nprint(c)",
        "globals()['chart']",
        "help(double)",
        "%run chart.py",
    ],
)
def test_a_module_that_is_used_in_another_way_is_reached_whole(tree, code):
    tree.lecture(LECTURE.replace("print(chart.line(double(3)))", code))
    before = tree.key()
    tree.change("utils/tools.py", "3 * x", "5 * x")  # which chart.bars uses
    assert tree.key() != before


@pytest.mark.parametrize(
    "code",
    [
        "import utils.chart\nprint(utils.chart.bars(1))",
        "import utils.chart as c\nprint(c.bars(1))",
        "from utils.chart import bars as b\nprint(b(1))",
        "from utils import chart as c\nprint(c.bars(1))",
        "print(chart.tools.triple(1))",
        "def f():\n    from utils.tools import triple\n    return triple(1)",
    ],
)
def test_every_way_to_name_a_helper_is_followed(tree, code):
    tree.lecture(LECTURE.replace("print(chart.line(double(3)))", code))
    before = tree.key()
    tree.change("utils/tools.py", "3 * x", "5 * x")
    assert tree.key() != before


def test_an_import_within_a_function_is_followed(tree):
    tree.lecture(LECTURE.replace("chart.line", "chart.late"))
    before = tree.key()
    tree.change("utils/store.py", "KEPT[x] = x", "KEPT[x] = 1")
    assert tree.key() != before


def test_a_new_helper_changes_no_key(tree):
    before = tree.key()
    tree.change("utils/store.py", "KEPT = {}", "KEPT = {}\n\n\ndef lose(x):\n    del KEPT[x]\n")
    (tree.notebook.parents[2] / "utils/new.py").write_text("def f():\n    return 1\n")
    assert tree.key() == before


def test_scale_and_static_are_in_the_key(tree):
    assert len({tree.key("smoke"), tree.key("book"), tree.key("book", static=False)}) == 3


def test_only_the_pins_of_what_a_lecture_can_import_are_in_the_key(tree):
    found = keys.pins(ROOT)
    for name in ("torch==", "numpy==", "ipywidgets==", "matplotlib-inline==", "scipy==", "pillow==", "ipykernel=="):
        assert any(line.startswith(name) for line in found), name
    for name in ("Sphinx==", "pytest==", "jupyter-book==", "playwright==", "ruff==", "nbval=="):
        assert not any(line.startswith(name) for line in found), name
    before = tree.key()
    tree.change("requirements.txt", "ruff==", "ruff==9")
    tree.change("constraints.txt", "Sphinx==", "Sphinx==9")
    assert tree.key() == before
    tree.change("constraints.txt", "scipy==", "scipy==9")
    assert tree.key() != before


def edit(change):
    def apply(nb):
        change({cell.id: cell for cell in nb.cells})

    return apply


@pytest.mark.parametrize(
    "change, same",
    [
        (edit(lambda cells: cells["title"].update(source="# Another")), True),
        (edit(lambda cells: cells["title"].metadata.update(needs=["x"])), True),
        (edit(lambda cells: cells["work"].metadata.update(mystnb={"image": {"alt": "a line"}})), True),
        (edit(lambda cells: cells["setup"].update(source=author.setup_source("https://github.com/c/d"))), True),
        (edit(lambda cells: cells["setup"].update(source=f"{cells['setup'].source}\nprint(1)")), False),
        (edit(lambda cells: cells["work"].update(source="print(1)")), False),
        (edit(lambda cells: cells["work"].update(id="clock-work")), False),
        (edit(lambda cells: cells["work"].metadata.update(tags=["raises-exception"])), False),
        (lambda nb: nb.cells.append(nbformat.v4.new_code_cell("print(1)", id="more")), False),
        (lambda nb: nb.cells.append(nbformat.v4.new_markdown_cell("More.", id="more")), True),
    ],
)
def test_the_cells_that_run_are_in_the_key_and_prose_is_not(tree, change, same):
    before = tree.key()
    nb = nbformat.read(tree.notebook, as_version=4)
    change(nb)
    author.save(nb, tree.notebook)
    assert (tree.key() == before) == same


def test_a_file_beside_the_lecture_under_its_name_is_in_the_key(tree):
    before = tree.key()
    tree.notebook.with_name("two.study.json").write_text("{}")
    assert tree.key() == before
    tree.notebook.with_name("one.study.json").write_text("{}")
    assert tree.key() != before


def test_a_changed_helper_of_the_book_reruns_some_lectures_and_not_others(tmp_path):
    """On a copy of the real tree: a helper that some lectures use, and one that all use."""
    for folder in ("utils", "book"):
        ignored = shutil.ignore_patterns("__pycache__", "_*")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored if folder == "book" else None)
    assert changed(tmp_path, "utils/widgets.py", "MAX_FRAMES = 60", "MAX_FRAMES = 61") == set(LECTURES)
    some = changed(tmp_path, "utils/models.py", "super().__init__()", "super().__init__( )\n        self.new = 1")
    assert "cnn/lenet" in some and some < set(LECTURES)


def changed(root, path, old, new) -> set[str]:
    """Return the lectures whose keys change when a text in a file is replaced."""
    before = {name: keys.key(root / f"book/{name}.ipynb", "smoke") for name in LECTURES}
    text = (root / path).read_text(encoding="utf-8")
    assert old in text
    (root / path).write_text(text.replace(old, new), encoding="utf-8")
    return {name for name in LECTURES if keys.key(root / f"book/{name}.ipynb", "smoke") != before[name]}


def test_no_lecture_reaches_a_module_whole():
    """Where one does, it runs again with every change of that module: name what is used."""
    helpers = reach.read(ROOT)
    for name in LECTURES:
        cells = keys.code_cells(ROOT / f"book/{name}.ipynb")
        named = helpers.named("\n".join(cell.source for cell in cells))
        assert [place for place in named if place[1] == reach.WHOLE] == [], name
