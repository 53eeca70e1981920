"""Every lecture keeps the house rules, gives the same result twice, and the pages that list lectures are complete."""

import copy
import re

import author
import execute
import nbformat
import pytest
import rules
from conftest import LECTURES, ROOT, read

URL = author.repository()
EVERY = pytest.mark.parametrize("name", LECTURES)


@EVERY
def test_house_rules(name):
    assert rules.faults(read(name), name, URL) == []


def good() -> nbformat.NotebookNode:
    """A small lecture that keeps all the rules."""
    exercise = "\n### Exercise {0} (by hand)\nTry.\n\n=== solution solution-{0}\nassert True\n"
    text = (
        "=== md title\n# Title\n\nA promise about **momentum** (动量).\n\n=== colab part/good\n\n"
        '=== md goals\n<details lang="zh"><summary>中文提要</summary>\n\n' + "深" * 130 + "\n\n</details>\n\n"
        "=== setup\n\n=== code work\nassert 1 + 1 == 2\nexplore(draw, choices, alt=alt)\n\n"
        "=== md check\n## Claim check: it works\n\n## Exercises\n"
    )
    for number in (1, 2, 3):
        text += f"=== md exercise-{number}" + exercise.format(number) + "\n"
    return author.write(text + "=== refs references notes=000-01\n## References\n", URL)


def test_the_good_example_is_good():
    assert rules.faults(good(), "part/good", URL) == []


def cell(nb, name):
    return next(cell for cell in nb.cells if cell.id == name)


BROKEN = {
    "outputs are stored": lambda nb: cell(nb, "work").update(execution_count=3),
    "not a readable name": lambda nb: cell(nb, "work").update(id="1a2b3c4d"),
    "two cells are called": lambda nb: cell(nb, "check").update(id="goals"),
    "is not one of": lambda nb: cell(nb, "work").metadata.update(tags=["nbval-skip"]),
    "kernel is not": lambda nb: nb.metadata.kernelspec.update(name="julia"),
    "metadata holds": lambda nb: nb.metadata.update(widgets={}),
    "'setup' is not the shared one": lambda nb: cell(nb, "setup").update(source="import sys"),
    "no cell 'colab'": lambda nb: nb.cells.remove(cell(nb, "colab")),
    "lacks the tag 'hide-cell'": lambda nb: cell(nb, "setup").metadata.update(tags=[]),
    "one title": lambda nb: cell(nb, "goals").update(source="# Another\n" + cell(nb, "goals").source),
    "headings is skipped": lambda nb: cell(nb, "check").update(source="### Claim check"),
    "Chinese summary has 0": lambda nb: cell(nb, "goals").update(source="none"),
    "0 assertions": lambda nb: [c.update(source=c.source.replace("assert", "pass;")) for c in nb.cells],
    "no explorer": lambda nb: cell(nb, "work").update(source="assert True"),
    "no claim check": lambda nb: cell(nb, "check").update(source="## Other"),
    "3 exercises with 2 solutions": lambda nb: nb.cells.remove(cell(nb, "solution-2")),
    "the solution is not folded": lambda nb: cell(nb, "solution-2").metadata.pop("cellView"),
    "the last cell": lambda nb: nb.cells[-1].metadata.pop("notes"),
    "defines no term": lambda nb: cell(nb, "check").update(source="## Claim check\n**very** good"),
    "MyST directive": lambda nb: cell(nb, "check").update(source="## Claim check\n\n```{note}\nx\n```"),
    "31 lines": lambda nb: cell(nb, "work").update(source="explore()\n" + "assert 1\n" * 30),
    "magic or shell": lambda nb: cell(nb, "work").update(source="explore()\n!pip install x\nassert 1"),
    "import *": lambda nb: cell(nb, "work").update(source="from math import *\nexplore()\nassert 1"),
    "other than by pick": lambda nb: cell(nb, "work").update(source="explore()\nassert os.environ['BOOK_SCALE']"),
    "hides an error": lambda nb: cell(nb, "work").update(source="try:\n    explore()\nexcept Exception:\n    pass"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_each_rule_sees_its_fault(fault):
    nb = copy.deepcopy(good())
    BROKEN[fault](nb)
    found = rules.faults(nb, "part/good", URL)
    assert any(fault in text for text in found), found


@EVERY
def test_twice_the_same(name):
    """Two runs print and draw the same; figures without alt text and stray outputs are faults."""
    first, used = execute.run_one(ROOT / "book" / f"{name}.ipynb", "smoke")
    second, _ = execute.run_one(ROOT / "book" / f"{name}.ipynb", "smoke")
    assert rules.output_faults(first) == []
    assert seen(first) == seen(second)
    assert used["cpu_seconds"] > 0 and used["peak_mb"] > 0


def seen(nb) -> list:
    """What a reader sees of each cell: text, pictures, the still frames of explorers.

    A cell that prints measured times has an id that begins with "clock"; of its text only the words count.
    """
    kinds = ("text/html", "image/png")
    return [
        (cell.id, timeless(cell, output) or [output.data.get(kind) for kind in kinds])
        for cell in nb.cells
        for output in cell.get("outputs", [])
    ]


def timeless(cell, output) -> str | None:
    text = output.get("text")
    return re.sub(r"[\d.,]+", "0", text) if text and cell.id.startswith("clock") else text


def test_only_a_clock_may_print_another_number():
    output = nbformat.v4.new_output("stream", text="12.5 ms, batch 8")
    other = nbformat.v4.new_output("stream", text="7 ms, batch 8")
    for name, same in {"clock-epochs": True, "loss": False}.items():
        cell = nbformat.v4.new_code_cell(id=name)
        assert (timeless(cell, output) == timeless(cell, other)) == same


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


def glossary() -> dict[str, tuple[str, str]]:
    text = (ROOT / "book/glossary.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| *([^|]+?) *\| *([^|]+?) *\| *[^|]+? *\| *\[[^]]*\]\(([^)#]+)[^)]*\) *\|$", text, re.M)
    return {term: (chinese, link) for term, chinese, link in rows}


def glossary_faults(table, lectures) -> list[str]:
    """Compare a glossary with the terms that lectures define, {lecture: {term: Chinese}}."""
    faults, defined = [], {}
    for name, found in lectures.items():
        for term, chinese in found.items():
            if term in defined:
                faults.append(f"{term} is defined in {defined[term]} and in {name}")
            defined[term] = name
            if term not in table:
                faults.append(f"{term} ({chinese}) of {name} is not in the glossary")
            elif table[term] != (chinese, f"{name}.ipynb"):
                faults.append(f"{term}: the glossary has {table[term]}, the lecture {(chinese, name)}")
    faults += [f"{term} stands in the glossary, but no lecture defines it" for term in table if term not in defined]
    if list(table) != sorted(table, key=str.casefold):
        faults.append("the glossary is not in alphabetical order")
    return faults


def test_the_glossary_is_complete():
    assert glossary_faults(glossary(), {name: rules.terms(read(name)) for name in LECTURES}) == []


def test_the_glossary_check_sees_faults():
    table = {"b": ("乙", "x/y.ipynb"), "a": ("甲", "x/y.ipynb")}
    found = glossary_faults(table, {"x/y": {"b": "乙", "c": "丙"}, "x/z": {"b": "乙"}})
    for part in ("defined in x/y and in x/z", "c (丙)", "a stands", "alphabetical", "b: the glossary has"):
        assert any(part in text for text in found), (part, found)


def test_the_table_of_contents_names_every_lecture():
    assert sorted(execute.lectures()) == LECTURES


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
