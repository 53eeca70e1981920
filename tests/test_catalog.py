"""What lectures say of themselves is complete, fits together, and becomes the lists of the book."""

import re
from types import SimpleNamespace

import author
import catalog
import generated
import nbformat
import pytest
from bs4 import BeautifulSoup
from conftest import ROOT
from finish import place
from sphinx.errors import ExtensionError


def notebook(**changes) -> nbformat.NotebookNode:
    """A small lecture that says all that it must."""
    cells = [
        nbformat.v4.new_markdown_cell("# Momentum: a memory", id="title"),
        nbformat.v4.new_markdown_cell("**Momentum** (动量) remembers, $**x** (和)$ is a formula.", id="rule"),
        nbformat.v4.new_markdown_cell("## References\n\n- Polyak, 1964.", id="references"),
    ]
    first = {"name": "Momentum", "needs": [], "question": "Why?", "formula": "$v$", "minutes": 40}
    cells[0].metadata = first | changes
    cells[1].metadata = {"terms": {"momentum": "A memory of gradients."}}
    cells[2].metadata = {"notes": {"004-43": "rule"}}
    return nbformat.v4.new_notebook(cells=cells)


def test_a_lecture_says_what_it_is():
    lecture = catalog.lecture_of(notebook(needs=["sgd"]), "optimization/momentum")
    assert (lecture.slug, lecture.part, lecture.name) == ("momentum", "optimization", "Momentum")
    assert lecture.needs == ("sgd",)
    assert lecture.terms == {"momentum": catalog.Term("动量", "A memory of gradients.")}
    assert lecture.references == "- Polyak, 1964."
    assert catalog.notebook_faults(notebook(), "a/b") == []


BROKEN = {
    "lacks 'question'": lambda nb: nb.cells[0].metadata.pop("question"),
    "no meaning of it": lambda nb: nb.cells[1].metadata.pop("terms"),
    "which the cell does not define": lambda nb: nb.cells[1].update(source="Nothing."),
    "'rule', which does not exist": lambda nb: nb.cells[1].update(id="other"),
    "not a table": lambda nb: nb.cells[2].metadata.update(notes=["004-43"]),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_what_a_lecture_does_not_say_is_noticed(fault):
    nb = notebook()
    BROKEN[fault](nb)
    assert any(fault in text for text in catalog.notebook_faults(nb, "a/b"))


@pytest.fixture
def little(tmp_path):
    """A catalogue of two lectures in one part, a third planned."""
    book = tmp_path / "book"
    (book / "optimization").mkdir(parents=True)
    author.save(notebook(name="Descent", question="How far?"), book / "optimization/sgd.ipynb")
    author.save(notebook(needs=["sgd"]), book / "optimization/momentum.ipynb")
    first = nbformat.read(book / "optimization/sgd.ipynb", 4)
    first.cells[1].source = "Nothing is defined."
    first.cells[1].metadata = {}
    author.save(first, book / "optimization/sgd.ipynb")
    (book / "parts.yml").write_text(
        "- {slug: optimization, title: Optimization, text: Down, card: optimization/momentum rule,"
        " planned: {sgd: Descent, adam: Adam}}\n- {slug: cnn, title: Vision, planned: {lenet: LeNet}}\n"
    )
    toc = tmp_path / "_toc.yml"
    toc.write_text("root: intro\nparts:\n- chapters:\n  - file: optimization/sgd\n  - file: optimization/momentum\n")
    return book, toc


def sources(little):
    recorded = [
        {"name": "test accuracy: SGD", "value": value, "seed": seed} for seed, value in enumerate([0.9, 0.8, 1])
    ]
    gained = [
        {"name": "gain here: SGD", "value": value, "seed": seed} for seed, value in enumerate([0.02, -0.01, 0.05])
    ]
    lost = [{"name": "gain there: Adam", "value": value, "seed": seed} for seed, value in enumerate([-0.2, -0.3])]
    costs = [
        {"name": "parameters: SGD", "value": 12345.0, "seed": None},
        {"name": "multiply-adds: SGD", "value": 6789.0, "seed": None},
        {"name": "microseconds per image: SGD", "value": 78.4, "seed": None},
    ]
    results = {"optimization/momentum": recorded + gained + lost + costs}
    return generated.Sources(catalog.read(*little), {"optimization": "A valley"}, results)


def test_one_that_exists_drops_out_of_the_plan(little):
    found = catalog.read(*little)
    assert [lecture.slug for lecture in found.lectures] == ["sgd", "momentum"]
    assert [part.planned for part in found.parts] == [{"adam": "Adam"}, {"lenet": "LeNet"}]


def test_faults_between_lectures_are_noticed(little):
    book, toc = little
    toc.write_text(toc.read_text().replace("momentum", "x").replace("sgd", "momentum").replace("/x", "/sgd"))
    with pytest.raises(ValueError, match="optimization/momentum needs 'sgd', which is no lecture before it"):
        catalog.read(book, toc)
    twice = catalog.Catalog(tuple(catalog._parts(book, [], [catalog.lecture_of(notebook(), "optimization/a")] * 2)))
    assert any("momentum is defined in" in fault for fault in catalog.catalog_faults(twice))


def test_a_bar_in_a_formula_does_not_end_a_cell(little):
    book, _ = little
    author.save(notebook(needs=["sgd"], formula=r"$|x| < \|y\|$"), book / "optimization/momentum.ipynb")
    table = generated.fill("<!-- book: lectures -->", "optimization/index", sources(little))
    assert r"| Why? | $\vert x\vert  < \Vert y\Vert $ | 40 |" in table


def test_the_lists_are_made(little):
    made = sources(little)
    fill = lambda text, page="intro": generated.fill(text, page, made)  # noqa: E731
    assert "[Descent](optimization/sgd.ipynb) · [Momentum](optimization/momentum.ipynb) | Adam |" in fill(
        "<!-- book: parts -->"
    )
    assert "| none yet | LeNet |" in fill("<!-- book: parts -->")
    table = fill("<!-- book: lectures -->", "optimization/index")
    assert "| [Momentum](momentum.ipynb) | Why? | $v$ | 40 |" in table and "Planned: Adam." in table
    assert "| momentum | 动量 | A memory of gradients. | [Momentum](optimization/momentum.ipynb) |" in fill(
        "<!-- book: glossary -->"
    )
    assert "## Momentum\n\nFor [Momentum](optimization/momentum.ipynb).\n\n- Polyak" in fill(
        "<!-- book: references -->"
    )
    assert 'alt="A valley"' in fill("<!-- book: cards -->") and "Vision" not in fill("<!-- book: cards -->")
    assert fill("[[momentum]], [[sgd|descent]], [[adam]]") == (
        "[Momentum](optimization/momentum.ipynb), [descent](optimization/sgd.ipynb), Adam (planned)"
    )
    results = fill("<!-- book: results test accuracy | SGD -->", "optimization/index")
    assert "| SGD | [Momentum](momentum.ipynb) | 0.900 | 0.800 | 1.000 | 3 |" in results
    gains = fill("<!-- book: gains here; there | SGD, Adam -->", "optimization/index").splitlines()
    assert gains[0] == "| Method | Lecture | gain here | gain there |"
    assert gains[2:] == [
        "| SGD | [Momentum](momentum.ipynb) | +0.020 ± 0.017 (2 of 3) |  |",
        "| Adam | [Momentum](momentum.ipynb) |  | −0.250 ± 0.050 (0 of 2) |",
    ]
    networks = fill("<!-- book: networks SGD -->", "optimization/index").splitlines()
    assert networks[2:] == ["| SGD | [Momentum](momentum.ipynb) | 12,345 | 6,789 | 78 | 0.900 (0.800 to 1.000) |"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!-- book: glosary -->", "is none of cards"),
        ("[[nowhere]]", "neither a lecture nor a planned one"),
        ("<!-- book: results test accuracy | SGD, Adam -->", "'test accuracy: Adam', which no lecture"),
        ("<!-- book: gains here; there | SGD, RMSProp -->", "the gain of 'RMSProp', which no lecture"),
        ("<!-- book: networks SGD, VGG -->", "'parameters: VGG', which no lecture"),
        ("<!-- book: gains here; elsewhere | SGD -->", "gains elsewhere, which no lecture"),
    ],
)
def test_a_mark_that_cannot_be_filled_ends_the_build(little, text, message):
    with pytest.raises(ExtensionError, match=message):
        generated.fill(text, "optimization/index", sources(little))


def lecture(slug, *needs):
    nb = notebook(name=f"The lecture called {slug}", needs=list(needs))
    return catalog.lecture_of(nb, f"part/{slug}")


def test_the_map_shows_what_needs_what():
    lectures = (lecture("a"), lecture("b", "a"), lecture("c", "a", "b"), lecture("d", "elsewhere"))
    assert generated.map_places(lectures) == {"a": (0, 0), "b": (1, 0), "c": (2, 0), "d": (0, 1)}
    part = catalog.Part("part", "Part", "", None, lectures, {}, None)
    soup = BeautifulSoup(generated.draw_map(part, "part/b"), "html.parser")
    assert [a["href"] for a in soup.select("a")] == ["a.html", "b.html", "c.html", "d.html"]
    assert [a["href"] for a in soup.select('a[aria-current="page"]')] == ["b.html"]
    assert len(soup.select("svg > path")) == 2  # that c needs a follows from b
    words = " ".join(span.get_text() for span in soup.select("a:first-of-type tspan"))
    assert words.startswith("The lecture called a")


def test_a_lecture_shows_its_place(little):
    soup = BeautifulSoup("<article><h1>Momentum</h1><p>Text</p></article>", "html.parser")
    page = SimpleNamespace(name="optimization/momentum", catalog=catalog.read(*little))
    for _ in range(2):
        place.apply(soup, page)
    assert soup.select_one(".lecture-needs a")["href"] == "sgd.html"
    assert soup.h1.find_next_sibling()["class"] == ["lecture-needs"]
    assert [a["href"] for a in soup.select('.lecture-map [aria-current="page"]')] == ["momentum.html"]
    assert len(soup.select(".lecture-map")) == 1


def test_every_lecture_of_this_book_says_what_it_must():
    found = catalog.read()
    assert found.lectures
    pages = [path for path in catalog.files() if (ROOT / f"book/{path}.md").exists()]
    texts = [(ROOT / f"book/{path}.md").read_text(encoding="utf-8") for path in pages]
    asked = {mark for text in texts for mark, _ in generated.MARK.findall(text)}
    assert asked >= {"cards", "parts", "lectures", "map", "glossary", "references"}
    assert not any(re.search(r"\]\([\w/-]+\.ipynb\)", text) for text in texts), "name lectures by [[slug]]"
