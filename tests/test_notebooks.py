"""Every lecture keeps the house rules, shows what it must, and the pages that list lectures are complete."""

import copy
import re

import author
import nbformat
import pytest
import rules
import run
from conftest import LECTURES, ROOT, read

URL = author.repository()
EVERY = pytest.mark.parametrize("name", LECTURES)


@EVERY
def test_house_rules(name):
    assert rules.faults(read(name), name, URL) == []


def good() -> nbformat.NotebookNode:
    """A small lecture that keeps all the rules."""
    return author.write(GOOD.replace("CHINESE", "深" * 80), URL)


GOOD = """\
=== md title
# Title

A promise.

=== colab part/good

=== md opening
**The question.** Why?

**What you will have built.** A sum.

**The route.** One section.

**Read before.** Nothing.

<details lang="zh"><summary>中文提要</summary>

CHINESE

</details>

=== setup

=== code settings
# pick(...) is a value for a quick test, for this page, and for a full run
steps = pick(smoke=1, book=2, full=3)

=== md why
## Why

The **sum** (和) of two numbers.

> **Predict.** What is it?

=== code work
def add(a, b):
    return a + b


assert add(1, 1) == 2

=== code look tags=hide-input
def draw(count):
    return add(count, steps)


explore(draw, choices, alt=alt)

=== md after
Two.

## Exercises

### Exercise 1 (by hand): one

Try.

=== solution solution-1
assert add(1, 2) == 3

=== md exercise-2
### Exercise 2 (open): two

Try.

=== solution solution-2
assert add(2, 2) == 4

=== refs references notes=000-01
## References
"""


def test_the_good_example_is_good():
    assert rules.faults(good(), "part/good", URL) == []


def test_the_list_of_lectures_to_rewrite_only_shrinks():
    name = sorted(rules.NOT_REWRITTEN)[0]
    assert "take it off the list" in rules.faults(good(), name, URL)[-1]
    assert set(LECTURES) >= rules.NOT_REWRITTEN


def test_a_function_may_read_what_is_assigned_once():
    nb = good()
    for code in ("import math\ndef f(x):\n    return math.pi + steps", "for steps_taken in range(3):\n    add(1, 2)"):
        append("work", code)(nb)
    assert rules.borrowing_faults([c for c in nb.cells if c.cell_type == "code" and c.id != "setup"]) == []
    append("work", "def g():\n    return steps_taken\n\nfor steps_taken in range(3):\n    g()")(nb)
    assert any("g reads steps_taken" in fault for fault in rules.faults(nb, "part/good", URL))


def cell(nb, name):
    return next(cell for cell in nb.cells if cell.id == name)


def change(name, old, new):
    """Return a function that puts `new` in place of `old` in a cell of a lecture."""

    def edit(nb):
        target = cell(nb, name)
        assert old in target.source
        target.source = target.source.replace(old, new, 1)

    return edit


def remove(name):
    return lambda nb: nb.cells.remove(cell(nb, name))


def append(name, code):
    return lambda nb: cell(nb, name).update(source=f"{cell(nb, name).source}\n{code}")


BROKEN = {
    "outputs are stored": lambda nb: cell(nb, "work").update(execution_count=3),
    "not a readable name": lambda nb: cell(nb, "work").update(id="1a2b3c4d"),
    "two cells are called": lambda nb: cell(nb, "after").update(id="why"),
    "is not one of": lambda nb: cell(nb, "work").metadata.update(tags=["nbval-skip"]),
    "kernel is not": lambda nb: nb.metadata.kernelspec.update(name="julia"),
    "metadata holds": lambda nb: nb.metadata.update(widgets={}),
    "'setup' is not the shared one": append("setup", "import sys"),
    "no cell 'colab'": remove("colab"),
    "lacks the tag 'hide-cell'": lambda nb: cell(nb, "setup").metadata.update(tags=[]),
    "one title": append("after", "# Another"),
    "headings is skipped": change("why", "## Why", "### Why"),
    "Chinese summary has 79": change("opening", "深深", "深"),
    "there is no assertion": lambda nb: [c.update(source=c.source.replace("assert ", "")) for c in nb.cells],
    "no explorer": change("look", "explore(", "print("),
    "2 exercises with 1 solutions": remove("solution-2"),
    "1 exercises with 2 solutions": change("exercise-2", "### Exercise 2", "### Two"),
    "the solution is not folded": lambda nb: cell(nb, "solution-2").metadata.pop("cellView"),
    "the last cell": lambda nb: nb.cells[-1].metadata.pop("notes"),
    "defines no term": append("after", "This is **very** good."),
    "MyST directive": append("after", "```{note}\nx\n```"),
    "magic or shell": append("work", "!pip install x"),
    "import *": append("work", "from math import *"),
    "other than by pick": append("work", "os.environ['BOOK_SCALE']"),
    "hides an error": append("work", "try:\n    add(1, 1)\nexcept Exception:\n    pass"),
    "the opening lacks **The route.**": change("opening", "**The route.** ", ""),
    "not in the order": append("title", "**Read before.** Nothing."),
    "not of the form": append("after", "Predict: what is it?"),
    "no text, follows the prediction": append("references", "> **Predict.** What is it?"),
    "beside more than settings": append("settings", "assert steps"),
    "no comment says what pick is": change("settings", "# pick(...)", "# this"),
    "81 characters": append("work", "# " + "x" * 79),
    "a semicolon": append("work", "add(1, 1);"),
    "is not folded (hide-input)": lambda nb: cell(nb, "look").metadata.pop("tags"),
    "draw reads steps, which is assigned more": append("settings", "steps = 3"),
    "draw reads steps from outside, which elsewhere": append("work", "def other(steps):\n    return steps"),
    "'work' reads steps, to which cell 'work' gives": append("work", "print(steps)\nsteps = 4"),
    "dense places in 100 statements": append("work", "total, rest = add(1, 1), add(2, 2) - 1"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_each_rule_sees_its_fault(fault):
    nb = copy.deepcopy(good())
    BROKEN[fault](nb)
    found = rules.faults(nb, "part/good", URL)
    assert any(fault in text for text in found), found


@EVERY
def test_what_a_run_shows(name):
    """Figures without alt text and stray outputs are faults; `second_run.py` sees that they come out the same twice."""
    assert run.fill("smoke", [name]) == []
    notebook, used = run.cached(name, "smoke")
    assert rules.output_faults(notebook) == []
    assert used["cpu_seconds"] > 0 and used["peak_mb"] > 0


def test_outputs_that_break_a_rule_are_seen():
    figure = nbformat.v4.new_output("display_data", {"image/png": "x"})
    stray = nbformat.v4.new_output("stream", name="stderr", text="warning")
    echo = nbformat.v4.new_output("execute_result", {"text/plain": "[<Line2D>]"})
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(id="bad", outputs=[figure, stray, echo])])
    assert [text.split(":")[1].strip()[:9] for text in rules.output_faults(nb)] == [
        "a figure ",
        "wrote to ",
        "echoes an",
    ]
    nb.cells[0].metadata = {"mystnb": {"image": {"alt": "A valley and a path down to it"}}}
    assert len(rules.output_faults(nb)) == 2


def test_the_table_of_contents_names_every_lecture():
    assert sorted(run.lectures()) == LECTURES


def link_faults(texts: dict[str, str]) -> list[str]:
    """Relative links of the repository's Markdown that lead nowhere; texts: {path from the root: Markdown}."""
    faults = []
    for path, text in texts.items():
        text = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.S)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:|#", target):
                continue
            if not (ROOT / path).parent.joinpath(target.partition("#")[0]).exists():
                faults.append(f"{path}: the link to {target} leads nowhere")
    return faults


def test_links_lead_somewhere():
    pages = [*ROOT.glob("*.md"), *(ROOT / "book").rglob("*.md")]
    texts = {str(p.relative_to(ROOT)): p.read_text(encoding="utf-8") for p in pages}
    for name in LECTURES:
        texts[f"book/{name}.ipynb"] = "\n".join(c.source for c in read(name).cells if c.cell_type == "markdown")
    assert link_faults(texts) == []
    assert link_faults({"book/x.md": "[a](nowhere.md) [b](intro.md)"}) == [
        "book/x.md: the link to nowhere.md leads nowhere"
    ]


def test_the_text_view_gives_the_notebook_back():
    for name in LECTURES:
        nb = read(name)
        again = author.write(author.view(nb), URL)
        assert [(c.id, c.source, c.metadata) for c in again.cells] == [(c.id, c.source, c.metadata) for c in nb.cells]
