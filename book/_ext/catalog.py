"""What the lectures say of themselves: the only source of every list in the book.

The metadata of a lecture's first cell holds

    name      what the lecture is called in lists and maps, such as "Momentum"
    needs     the lectures to read before, by slug: ["gradient-descent-sgd"]; they come before it in _toc.yml
    question  the question that it answers, a sentence
    formula   its one formula, in Markdown
    minutes   how long a first reading takes

A cell that defines terms has `terms`, {"momentum": "its meaning in a sentence."}, and the last cell, the references,
has `notes`, {"004-43": "rule"}: for each row of the notes that the lecture teaches, the cell that teaches it.
`parts.yml` names the parts and what is planned; `_toc.yml` alone knows the order of what exists.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).resolve().parents[2]
FIELDS = ("name", "needs", "question", "formula", "minutes")
BOLD = re.compile(r"(?<![\*\\])\*\*(?!\s)([^*\n]+?)\*\*(\s*[（(]([^()（）]*[一-鿿][^()（）]*)[)）])?")
CAPITAL = {  # what stays capital when it does not begin a sentence
    "Adam",
    "Bayes'",
    "Bayesian",
    "Beta",
    "BLEU",
    "ControlNet",
    "CutMix",
    "DPM-Solver++",
    "ELBO",
    "F1",
    "FiLM",
    "Frobenius",
    "Fréchet",
    "Gaussian",
    "GELU",
    "Gram",
    "Hessian",
    "Heun's",
    "Huber",
    "Inception",
    "Jacobian",
    "Jacobian-vector",
    "Jensen's",
    "Kaiming",
    "KL",
    "L1",
    "L2",
    "Lanczos",
    "Mixup",
    "Monte",
    "Nesterov",
    "NiN",
    "Polyak",
    "RMS",
    "Robbins–Monro",
    "Tweedie's",
    "U-Net",
    "VGG",
    "Xavier",
}


@dataclass(frozen=True)
class Term:
    chinese: str
    meaning: str


@dataclass(frozen=True)
class Lecture:
    path: str  # such as "optimization/momentum"
    title: str
    name: str
    needs: tuple[str, ...]  # slugs
    question: str
    formula: str
    minutes: int
    terms: dict[str, Term]
    notes: dict[str, str]
    references: str  # Markdown, without the heading

    @property
    def slug(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def part(self) -> str:
        return self.path.partition("/")[0]


@dataclass(frozen=True)
class Part:
    slug: str
    title: str
    text: str
    card: tuple[str, str] | None  # a lecture, and the cell that draws the figure
    lectures: tuple[Lecture, ...]
    planned: dict[str, str]  # slug: title, of those that do not exist
    page: str | None  # the part's page where it has one, such as "optimization/index"


@dataclass(frozen=True)
class Catalog:
    parts: tuple[Part, ...]

    @property
    def lectures(self) -> list[Lecture]:
        return [lecture for part in self.parts for lecture in part.lectures]

    def find(self, slug: str) -> Lecture | None:
        """Return the lecture of this slug, or None."""
        return next((lecture for lecture in self.lectures if lecture.slug == slug), None)

    def planned_title(self, slug: str) -> str | None:
        """Return the title of a lecture that is planned, or None."""
        return next((part.planned[slug] for part in self.parts if slug in part.planned), None)


def read(book: Path = ROOT / "book", toc: Path = ROOT / "_toc.yml") -> Catalog:
    """Read the catalogue of a book: the parts in their order, those without a place in parts.yml last.

    Raises ValueError, with a sentence for each fault, where a lecture does not say what it must.
    """
    order = files(toc)
    lectures = []
    faults = []
    for path in order:
        source = book / f"{path}.ipynb"
        if source.exists():
            nb = nbformat.read(source, as_version=4)
            faults += notebook_faults(nb, path)
            lectures.append(lecture_of(nb, path))
    catalog = Catalog(tuple(_parts(book, order, lectures)))
    faults += catalog_faults(catalog)
    if faults:
        raise ValueError("\n".join(faults))
    return catalog


def files(toc: Path = ROOT / "_toc.yml") -> list[str]:
    """Return all pages that a table of contents names, in its order."""
    found = []

    def collect(node):
        if isinstance(node, list):
            for child in node:
                collect(child)
        elif isinstance(node, dict):
            found.extend(node[key] for key in ("root", "file") if key in node)
            for child in node.values():
                collect(child)

    collect(yaml.safe_load(toc.read_text(encoding="utf-8")))
    return found


def _parts(book: Path, order: list[str], lectures: list[Lecture]):
    listed = book / "parts.yml"
    entries = yaml.safe_load(listed.read_text(encoding="utf-8")) if listed.exists() else []
    slugs = [entry["slug"] for entry in entries]
    for lecture in lectures:
        if lecture.part not in slugs:
            slugs.append(lecture.part)
            entries.append({"slug": lecture.part, "title": lecture.part})
    for entry in entries:
        slug = entry["slug"]
        own = tuple(lecture for lecture in lectures if lecture.part == slug)
        written = {lecture.slug for lecture in own}
        planned = {name: title for name, title in entry.get("planned", {}).items() if name not in written}
        card = tuple(entry["card"].split()) if "card" in entry else None
        page = f"{slug}/index" if f"{slug}/index" in order else None
        yield Part(slug, entry["title"], entry.get("text", ""), card, own, planned, page)


def lecture_of(nb: nbformat.NotebookNode, path: str) -> Lecture:
    """Return what a notebook says of itself; what is missing is empty."""
    first = nb.cells[0].metadata
    last = nb.cells[-1]
    title = nb.cells[0].source.partition("\n")[0].removeprefix("# ").strip()
    notes = last.metadata.get("notes", {})
    return Lecture(
        path=path,
        title=title,
        name=first.get("name", title),
        needs=tuple(first.get("needs", ())),
        question=first.get("question", ""),
        formula=first.get("formula", ""),
        minutes=first.get("minutes", 0),
        terms=terms(nb),
        notes=dict(notes) if isinstance(notes, dict) else dict.fromkeys(notes, ""),
        references=last.source.partition("\n")[2].strip(),
    )


def terms(nb: nbformat.NotebookNode) -> dict[str, Term]:
    """Return the terms that a lecture defines, in bold with their Chinese, such as **momentum** (动量)."""
    found = {}
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            meanings = cell.metadata.get("terms", {})
            for name, chinese in bold_terms(cell.source).items():
                found[name] = Term(chinese, meanings.get(name, ""))
    return found


def bold_terms(text: str) -> dict[str, str]:
    """Return {term: Chinese} of a Markdown text, each term as it reads within a sentence."""
    found = {}
    for term, _, chinese in BOLD.findall(words(text)):
        if chinese:
            name = term if term.split()[0] in CAPITAL else term[0].lower() + term[1:]
            found[name] = chinese
    return found


def words(text: str) -> str:
    """Return Markdown without code and formulas."""
    text = re.sub(r"```.*?```|`[^`\n]*`", " ", text, flags=re.S)
    return re.sub(r"\$\$.*?\$\$|\$[^$\n]+\$", " ", text, flags=re.S)


def notebook_faults(nb: nbformat.NotebookNode, path: str) -> list[str]:
    """What a lecture fails to say of itself, a sentence each."""
    faults = []
    first = nb.cells[0].metadata
    for field in FIELDS:
        if field not in first:
            faults.append(f"{path}: the metadata of the first cell lacks {field!r}")
    ids = {cell.id for cell in nb.cells}
    notes = nb.cells[-1].metadata.get("notes") or {}
    if not isinstance(notes, dict):
        faults.append(f"{path}: `notes` is not a table from rows of the notes to cells")
        notes = {}
    for row, cell_id in notes.items():
        if cell_id not in ids:
            faults.append(f"{path}: row {row} is taught in the cell {cell_id!r}, which does not exist")
    for cell in nb.cells:
        defined = set(bold_terms(cell.source)) if cell.cell_type == "markdown" else set()
        explained = set(cell.metadata.get("terms", {}))
        for term in sorted(defined - explained):
            faults.append(f"{path}: the cell {cell.id!r} defines {term}, but its metadata has no meaning of it")
        for term in sorted(explained - defined):
            faults.append(f"{path}: the metadata of {cell.id!r} explains {term}, which the cell does not define")
    return faults


def catalog_faults(catalog: Catalog) -> list[str]:
    """What does not fit together between lectures, a sentence each."""
    faults = []
    before = set()
    defined = {}
    for lecture in catalog.lectures:
        for need in lecture.needs:
            if need not in before:
                faults.append(f"{lecture.path} needs {need!r}, which is no lecture before it in _toc.yml")
        if lecture.slug in before:
            faults.append(f"{lecture.path}: another lecture is called {lecture.slug!r}, too")
        before.add(lecture.slug)
        for term in lecture.terms:
            if term in defined:
                faults.append(f"{term} is defined in {defined[term]} and in {lecture.path}")
            defined[term] = lecture.path
    return faults
