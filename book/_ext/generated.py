"""The generated parts of the book's pages, as Markdown that Sphinx then reads like any other.

A page asks for one by a comment: `<!-- book: glossary -->`, `<!-- book: results test accuracy | SGD, Adam -->`.
`[[momentum]]` stands for a link to the lecture of that slug, or for the title of one that is planned; with other
words, `[[momentum|the lecture on momentum]]`.
"""

import html
import math
import posixpath
import re
import statistics
from dataclasses import dataclass
from pathlib import Path

import nbformat
from sphinx.errors import ExtensionError

import catalog as catalogue
from catalog import Catalog, Lecture, Part

MARK = re.compile(r"<!-- book: ([a-z]+)(?: ([^>]+?))? -->")
SLUG = re.compile(r"\[\[([a-z0-9-]+)(?:\|([^\]]+))?\]\]")
CARD = (
    '<li><a href="{page}"><img src="_images/cards/{slug}.webp" width="660" height="360" alt="{alt}"></a>'
    '<div><h3><a href="{page}">{title}</a></h3><p>{text}</p></div></li>'
)


@dataclass(frozen=True)
class Sources:
    """What the generated parts are made of."""

    catalog: Catalog
    alts: dict[str, str]  # the alternative text of each part's card
    results: dict[str, list[dict]]  # for each lecture what its run recorded: name, value, seed


def setup(app) -> None:
    """Read the catalogue when a build starts, and fill the marks of each page when it is read."""
    app.connect("builder-inited", read_sources)
    app.connect("env-get-outdated", outdated)
    app.connect("source-read", fill_page)


def read_sources(app) -> None:
    """Read what the lectures say of themselves; what is missing ends the build."""
    try:
        app.book_catalog = catalogue.read(Path(app.srcdir), Path(app.config.external_toc_path))
    except ValueError as error:
        raise ExtensionError(f"The lectures do not say all that they must:\n{error}") from None
    alts = {part.slug: card_alt(app, part) for part in app.book_catalog.parts if part.card and part.lectures}
    results = {name: run.recorded for name, run in app.book_runs.items()}
    app.book_sources = Sources(app.book_catalog, alts, results)


def card_alt(app, part: Part) -> str:
    """Return the alternative text of the figure on a part's card, from the cell that draws it."""
    path, cell_id = part.card
    nb = nbformat.read(Path(app.srcdir, f"{path}.ipynb"), as_version=4)
    cell = next((cell for cell in nb.cells if cell.id == cell_id), None)
    if cell is None:
        raise ExtensionError(
            f"The card of {part.slug} wants the figure of {path}, cell {cell_id!r}, which is not there."
        )
    return cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")


def outdated(app, env, added, changed, removed) -> list[str]:
    """Name the pages whose generated parts would read otherwise than when they were last read."""
    before = getattr(env, "book_generated", {})
    env.book_generated = {}
    for docname in env.found_docs:
        source = Path(env.doc2path(docname))
        if source.suffix == ".md":
            env.book_generated[docname] = fill(source.read_text(encoding="utf-8"), docname, app.book_sources)
    for lecture in app.book_catalog.lectures:  # their pages show what to read before, and the map
        needs = [app.book_catalog.find(slug).name for slug in lecture.needs]
        drawn = draw_map(part_of(app.book_catalog, lecture.path), lecture.path)
        env.book_generated[lecture.path] = f"{needs} {drawn}"
    return [name for name, text in env.book_generated.items() if before.get(name, text) != text]


def fill_page(app, docname: str, source: list[str]) -> None:
    if Path(app.env.doc2path(docname)).suffix == ".md":
        source[0] = fill(source[0], docname, app.book_sources)


def fill(text: str, docname: str, sources: Sources) -> str:
    """Return the text of a page with its marks replaced.

    Raises ExtensionError for a mark or a slug that does not exist.
    """

    def made(match):
        if match[1] not in MAKERS:
            raise ExtensionError(f"{docname}: {match[0]} is none of {', '.join(MAKERS)}.")
        return MAKERS[match[1]](sources, docname, match[2] or "")

    def linked(match):
        lecture = sources.catalog.find(match[1])
        if lecture:
            return f"[{match[2] or lecture.name}]({address(lecture.path, docname)}.ipynb)"
        title = sources.catalog.planned_title(match[1])
        if title is None:
            raise ExtensionError(f"{docname}: [[{match[1]}]] is neither a lecture nor a planned one.")
        return f"{match[2] or title} (planned)"

    return SLUG.sub(linked, MARK.sub(made, text))


def address(path: str, docname: str) -> str:
    """Return the relative address of a page, without its ending, as it is seen from another."""
    return posixpath.relpath(path, posixpath.dirname(docname) or ".")


def link(lecture: Lecture, docname: str) -> str:
    return f"[{lecture.name}]({address(lecture.path, docname)}.ipynb)"


def cards(sources: Sources, docname: str, words: str) -> str:
    """A card for each part that can be read today, with a real figure."""
    items = []
    for part in sources.catalog.parts:
        if part.lectures and part.card:
            page = part.page or part.lectures[0].path
            items.append(
                CARD.format(
                    page=f"{page}.html",
                    slug=part.slug,
                    alt=html.escape(sources.alts[part.slug]),
                    title=part.title,
                    text=html.escape(part.text),
                )
            )
    return "\n".join(['<ul class="parts">', *items, "</ul>"])


def parts(sources: Sources, docname: str, words: str) -> str:
    """All parts, with the lectures that exist and those that are planned."""
    rows = ["| Part | Lectures you can run | Planned |", "|---|---|---|"]
    for part in sources.catalog.parts:
        title = f"[{part.title}]({address(part.page, docname)}.md)" if part.page else part.title
        here = " · ".join(link(lecture, docname) for lecture in part.lectures)
        rows.append(f"| {title} | {here or 'none yet'} | {' · '.join(part.planned.values())} |")
    return "\n".join(rows)


def lectures(sources: Sources, docname: str, words: str) -> str:
    """The lectures of the part that a page belongs to: the question, the one formula, the minutes."""
    rows = ["| Lecture | The question | The one formula | Minutes |", "|---|---|---|---|"]
    for lecture in part_of(sources.catalog, docname).lectures:
        formula = lecture.formula.replace(r"\|", r"\Vert ").replace("|", r"\vert ")  # a bar would end the cell
        rows.append(f"| {link(lecture, docname)} | {lecture.question} | {formula} | {lecture.minutes} |")
    planned = part_of(sources.catalog, docname).planned.values()
    later = f"\n\nPlanned: {' · '.join(planned)}." if planned else ""
    return "\n".join(rows) + later


def part_of(catalog: Catalog, docname: str) -> Part:
    slug = docname.partition("/")[0]
    return next(part for part in catalog.parts if part.slug == slug)


def glossary(sources: Sources, docname: str, words: str) -> str:
    """All terms in alphabetical order, each with the lecture that defines it."""
    entries = []
    for lecture in sources.catalog.lectures:
        for term, entry in lecture.terms.items():
            entries.append((term.casefold(), term, entry, lecture))
    rows = ["| Term | 中文 | Meaning | Defined in |", "|---|---|---|---|"]
    for _, term, entry, lecture in sorted(entries, key=lambda row: row[:2]):
        meaning = entry.meaning.replace("|", r"\|")
        rows.append(f"| {term} | {entry.chinese} | {meaning} | {link(lecture, docname)} |")
    return "\n".join(rows)


def references(sources: Sources, docname: str, words: str) -> str:
    """The references of every lecture, as it lists them."""
    blocks = []
    for lecture in sources.catalog.lectures:
        blocks.append(f"## {lecture.name}\n\nFor {link(lecture, docname)}.\n\n{lecture.references}")
    return "\n\n".join(blocks)


def part_map(sources: Sources, docname: str, words: str) -> str:
    return draw_map(part_of(sources.catalog, docname), docname)


def results(sources: Sources, docname: str, words: str) -> str:
    """What the lectures of a part recorded of one thing, such as "test accuracy | SGD, Adam": a row for each named.

    Raises ExtensionError where no lecture recorded one of them.
    """
    quantity, _, listed = words.partition("|")
    rows = [
        f"| Method | Lecture | {quantity.strip()}, median | lowest | highest | seeds |",
        "|---|---|---|---|---|---|",
    ]
    for method in listed.split(","):
        name = f"{quantity.strip()}: {method.strip()}"
        lecture, values = recorded(sources, docname, name)
        figures = [statistics.median(values), min(values), max(values)]
        cells = [method.strip(), link(lecture, docname), *(f"{value:.3f}" for value in figures), str(len(values))]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def gains(sources: Sources, docname: str, words: str) -> str:
    """How much methods gain, such as "on clean labels; on messy labels | dropout": a row for each, a column a case.

    A lecture records "gain on clean labels: dropout" for each seed. A cell gives the mean, its standard error, and in
    how many of the seeds something was gained; it is empty where a method was recorded for the other cases only.

    Raises ExtensionError where no lecture recorded a method, or any method for a case.
    """
    cases, _, listed = words.partition("|")
    cases = [case.strip() for case in cases.split(";")]
    rows = [f"| Method | Lecture | {' | '.join(f'gain {case}' for case in cases)} |", "|---" * (len(cases) + 2) + "|"]
    empty = set(cases)
    for method in listed.split(","):
        found = {case: find(sources, docname, f"gain {case}: {method.strip()}") for case in cases}
        lectures = [lecture for lecture, values in found.values() if values]
        if not lectures:
            raise ExtensionError(f"{docname} shows the gain of {method.strip()!r}, which no lecture of it records.")
        empty -= {case for case, (_, values) in found.items() if values}
        cells = [gain(values) if values else "" for _, values in found.values()]
        rows.append(f"| {' | '.join([method.strip(), link(lectures[0], docname), *cells])} |")
    if empty:
        raise ExtensionError(f"{docname} shows gains {', '.join(sorted(empty))}, which no lecture of it records.")
    return "\n".join(rows)


def networks(sources: Sources, docname: str, words: str) -> str:
    """What networks cost and what they reach, such as "LeNet, AlexNet": a row for each that a lecture recorded.

    Raises ExtensionError where no lecture recorded one of them.
    """
    rows = [
        "| Network | Lecture | parameters | multiply-adds | µs an image | test accuracy |",
        "|---|---|--:|--:|--:|---|",
    ]
    for name in (listed.strip() for listed in words.split(",")):
        lecture, (parameters,) = recorded(sources, docname, f"parameters: {name}")
        _, (multiply_adds,) = recorded(sources, docname, f"multiply-adds: {name}")
        _, (microseconds,) = recorded(sources, docname, f"microseconds per image: {name}")
        _, accuracies = recorded(sources, docname, f"test accuracy: {name}")
        costs = [f"{parameters:,.0f}", f"{multiply_adds:,.0f}", f"{microseconds:,.0f}"]
        reached = f"{statistics.mean(accuracies):.3f} ({min(accuracies):.3f} to {max(accuracies):.3f})"
        rows.append(f"| {' | '.join([name, link(lecture, docname), *costs, reached])} |")
    return "\n".join(rows)


def gain(values: list[float]) -> str:
    """Return the mean of at least two values, its standard error, and how many of them are above zero."""
    error = statistics.stdev(values) / math.sqrt(len(values))
    above = sum(value > 0 for value in values)
    mean = f"{statistics.mean(values):+.3f}".replace("-", "−")
    return f"{mean} ± {error:.3f} ({above} of {len(values)})"


def recorded(sources: Sources, docname: str, name: str) -> tuple[Lecture, list[float]]:
    """Return the lecture of this part that recorded a result, and its values, one for each seed."""
    lecture, values = find(sources, docname, name)
    if not values:
        raise ExtensionError(f"{docname} shows {name!r}, which no lecture of the part records.")
    return lecture, values


def find(sources: Sources, docname: str, name: str) -> tuple[Lecture | None, list[float]]:
    """Return the lecture of this part that recorded a result, and its values; no lecture and no value without one."""
    for lecture in part_of(sources.catalog, docname).lectures:
        values = [entry["value"] for entry in sources.results.get(lecture.path, []) if entry["name"] == name]
        if values:
            return lecture, values
    return None, []


MAKERS = {
    "cards": cards,
    "parts": parts,
    "lectures": lectures,
    "glossary": glossary,
    "references": references,
    "map": part_map,
    "results": results,
    "gains": gains,
    "networks": networks,
}

# ---- the map of a part: a box for each lecture, an arrow from what it needs

BOX = (214, 46)
STEP = (254, 86)
COLUMNS = 3
LINE = 26  # characters of a name that fit into a box


def draw_map(part: Part, docname: str) -> str:
    """Return the map of a part as SVG, each lecture in the row below all that it needs; `docname` is marked."""
    places = map_places(part.lectures)
    columns = max(column for _, column in places.values()) + 1
    rows = max(row for row, _ in places.values()) + 1
    width = (columns - 1) * STEP[0] + BOX[0] + 2
    height = (rows - 1) * STEP[1] + BOX[1] + 2
    label = "How the lectures of this part build on one another; an arrow leads from a lecture to one that needs it"
    tip = f"tip-{part.slug}"
    lines = [
        f'<svg class="part-map" viewBox="0 0 {width} {height}" role="group" aria-label="{label}">',
        f'<defs><marker id="{tip}" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z"/></marker></defs>',
    ]
    by_slug = {lecture.slug: lecture for lecture in part.lectures}
    for lecture in part.lectures:
        for need in direct_needs(lecture, by_slug):
            lines.append(map_arrow(places[need], places[lecture.slug], tip))
    for lecture in part.lectures:
        lines.append(map_box(lecture, places[lecture.slug], docname))
    return "\n".join([*lines, "</svg>"])


def map_places(lectures: tuple[Lecture, ...]) -> dict[str, tuple[int, int]]:
    """Return {slug: (row, column)}: a row below all that a lecture needs, if possible in a column of theirs."""
    places = {}
    taken = {}  # the columns in use, of each row
    for lecture in lectures:
        above = [places[need] for need in lecture.needs if need in places]
        row = max((row + 1 for row, _ in above), default=0)
        while len(taken.get(row, ())) == COLUMNS:
            row += 1
        used = taken.setdefault(row, set())
        wanted = [column for _, column in reversed(above)]
        column = next(column for column in [*wanted, *range(COLUMNS)] if column not in used)
        used.add(column)
        places[lecture.slug] = (row, column)
    return places


def direct_needs(lecture: Lecture, by_slug: dict[str, Lecture]) -> list[str]:
    """Return what a lecture needs within its part, without what follows from the others."""
    needs = [need for need in lecture.needs if need in by_slug]
    return [need for need in needs if not any(follows(other, need, by_slug) for other in needs if other != need)]


def follows(slug: str, earlier: str, by_slug: dict[str, Lecture]) -> bool:
    """Is `earlier` among what this lecture needs, directly or not?"""
    needs = [need for need in by_slug[slug].needs if need in by_slug]
    return earlier in needs or any(follows(need, earlier, by_slug) for need in needs)


def map_corner(place: tuple[int, int]) -> tuple[int, int]:
    row, column = place
    return 1 + column * STEP[0], 1 + row * STEP[1]


def map_arrow(source: tuple[int, int], target: tuple[int, int], tip: str) -> str:
    x0, y0 = map_corner(source)
    x1, y1 = map_corner(target)
    x0, x1 = x0 + BOX[0] // 2, x1 + BOX[0] // 2
    y0, y1 = y0 + BOX[1], y1 - 7
    bend = math.ceil((y1 - y0) / 2)
    return f'<path marker-end="url(#{tip})" d="M{x0} {y0}C{x0} {y0 + bend} {x1} {y1 - bend} {x1} {y1}"/>'


def map_box(lecture: Lecture, place: tuple[int, int], docname: str) -> str:
    x, y = map_corner(place)
    width, height = BOX
    here = ' aria-current="page"' if lecture.path == docname else ""
    middle = x + width // 2
    lines = name_lines(lecture.name)
    first = y + height // 2 + 5 - 9 * (len(lines) - 1)
    words = "".join(
        f'<tspan x="{middle}" y="{first + 18 * number}">{html.escape(line)}</tspan>'
        for number, line in enumerate(lines)
    )
    target = address(lecture.path, docname)
    box = f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8"/>'
    return f'<a href="{target}.html"{here}>{box}<text>{words}</text></a>'


def name_lines(name: str) -> list[str]:
    """Break a name that is too long for its box into two lines."""
    if len(name) <= LINE:
        return [name]
    words = name.split()
    cuts = range(1, len(words))
    best = min(cuts, key=lambda cut: abs(len(" ".join(words[:cut])) - len(" ".join(words[cut:]))))
    return [" ".join(words[:best]), " ".join(words[best:])]
