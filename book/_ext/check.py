"""Count on finished pages what must fit together; `check.py site [FOLDER [NAME …]]` drives a site in a browser.

The counts are made at the end of every build, at every scale; what does not fit ends it. In the browser every slider
of every page is moved to both ends, in one visit a page, light and dark and on a phone; FOLDER is `_build/html`.
"""

import json
import math
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[2]
STATE = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"
UNSEEN = {"remove-cell", "remove-output"}  # tags of cells whose outputs are not on the page
TYPESET = re.compile(r"(<mjx-container[^>]*>).*?</mjx-container>", re.S)  # of which only the number matters
THEME = ("bootstrap.js", "pydata-sphinx-theme.js")  # scripts that the theme's templates name by themselves


@dataclass(frozen=True)
class Expected:
    """What a finished page must hold."""

    document: bool = True  # has it a source?
    formulas: int = 0
    scripts: list[str] = field(default_factory=list)
    lecture: bool = False
    explorers: list[int] = field(default_factory=list)  # of each, how many positions its sliders have together
    figures: int = 0


def expected(page) -> Expected:
    """Return what a page must hold, from its document and from the run that it shows."""
    scripts = [script.rpartition("/")[2] for script in page.scripts]
    common = {"document": page.document, "formulas": page.formulas, "scripts": [*scripts, *THEME]}
    if page.run is None:
        return Expected(**common)
    notebook = page.run.notebook
    return Expected(
        **common, lecture=True, explorers=explorers(notebook), figures=len(list(seen(notebook, "image/png")))
    )


def seen(notebook, kind: str) -> Iterator:
    """Yield what a notebook's page shows of one kind of output."""
    for cell in notebook.cells:
        if UNSEEN.isdisjoint(cell.metadata.get("tags", [])):
            for output in cell.get("outputs", []):
                if kind in output.get("data", {}):
                    yield output.data[kind]


def explorers(notebook) -> list[int]:
    """Return for each explorer of a run how many positions its sliders have together."""
    state = notebook.metadata.get("widgets", {}).get(STATE, {}).get("state", {})
    return [positions(state, view["model_id"]) for view in seen(notebook, VIEW)]


def positions(state: dict, model: str) -> int:
    """Return the product of the numbers of options of a widget's sliders."""
    children = state.get(model, {}).get("state", {}).get("children", [])
    sizes = []
    for child in children:
        labels = state[plain(child)]["state"].get("_options_labels")
        if labels:
            sizes.append(len(labels))
    return math.prod(sizes)


def frames(state: dict, model: str) -> int:
    """Return how many pictures with an alternative text lie in a widget and in those that it holds."""
    widget = state.get(model, {}).get("state", {})
    found = frames_of(widget.get("value"))
    return found + sum(frames(state, plain(child)) for child in widget.get("children", []))


def frames_of(value) -> int:
    return len(re.findall(r'<img [^>]*alt="[^"]', value)) if isinstance(value, str) else 0


def plain(reference: str) -> str:
    """Return the name of a model from a reference such as "IPY_MODEL_1a2b"."""
    return reference.removeprefix("IPY_MODEL_")


# ---- pages at the end of a build


def site_faults(site, noted: Path) -> list[str]:
    """Check every page of a site. Those that this build left as they were when it checked them are not read again.

    noted: a file beside the site for what each page must hold, and what its files looked like.
    """
    before = json.loads(noted.read_text(encoding="utf-8")) if noted.exists() else {}
    made = {name for name, note in before.items() if not note["wanted"]["document"]}  # by Sphinx, such as the index
    after = {}
    faults = []
    for name in sorted(site.documents | set(site.written) | made):
        page = site.out / f"{name}.html"
        if name in site.written:
            wanted = expected(site.written[name])
        elif name in before:
            wanted = Expected(**before[name]["wanted"])
        else:
            faults.append(f"{name}: no build has written this page")
            continue
        note = {"wanted": asdict(wanted), "files": looks(page)}
        if note != before.get(name):
            faults += [f"{name}: {fault}" for fault in page_faults(page, wanted)]
        after[name] = note
    if not faults:
        noted.write_text(json.dumps(after), encoding="utf-8")
    return faults


def looks(page: Path) -> list:
    """Return the sizes and times of a page and of its frames."""
    files = [page, page.with_suffix(".frames.js")]
    return [[file.stat().st_size, file.stat().st_mtime_ns] if file.exists() else None for file in files]


def page_faults(page: Path, wanted: Expected) -> list[str]:
    """Compare a page with what it must hold; a sentence for each thing that does not fit."""
    if not page.exists():
        return ["the page is missing"]
    soup = lean_soup(page.read_text(encoding="utf-8"))
    faults = common_faults(soup) + script_faults(soup, wanted.scripts) + formula_faults(soup, wanted.formulas)
    if wanted.lecture:
        faults += lecture_faults(soup, page)
        faults += figure_faults(soup, page, wanted.figures)
        faults += explorer_faults(soup, page, wanted.explorers)
    return faults


def lean_soup(text: str) -> BeautifulSoup:
    """Read a page without what is within its formulas, most of all its elements."""
    return BeautifulSoup(TYPESET.sub(r"\1</mjx-container>", text), "html.parser")


def common_faults(soup) -> list[str]:
    article = soup.find("article") or soup  # the theme repeats the heading for print
    faults = [] if article.h1 else ["there is no heading <h1>"]
    for image in soup.find_all("img"):
        decoration = not image.find_parent("article") and "alt" in image.attrs  # the logo beside the book's name
        if not image.get("alt", "").strip() and not decoration:
            faults.append(f"the picture {image.get('src', '')[:60]} has no alternative text")
    return faults


def script_faults(soup, scripts: list[str]) -> list[str]:
    addresses = [script["src"] for script in soup.find_all("script", src=True)]
    loaded = {urlsplit(address).path.rpartition("/")[2] for address in addresses}
    return [f"the script {name} is not loaded" for name in scripts if name not in loaded]


def formula_faults(soup, wanted: int) -> list[str]:
    faults = []
    raw = len(soup.select(".formula"))
    if raw:
        faults.append(f"{raw} formulas are not typeset")
    found = len(soup.select("article mjx-container"))
    if found != wanted:
        faults.append(f"{wanted} formulas in the text, but {found} typeset ones on the page")
    return faults


def lecture_faults(soup, page: Path) -> list[str]:
    """Can the lecture be opened on Colab, and downloaded?"""
    faults = []
    links = {link.get_text(): link["href"] for link in soup.select("article .lecture-facts a[href]")}
    if not links.get("Open in Colab", "").endswith(f"/{page.stem}.ipynb"):
        faults.append("the link to Colab is missing")
    download = links.get("Download the notebook")
    if not download or not (page.parent / download).exists():
        faults.append("the notebook cannot be downloaded")
    return faults


def figure_faults(soup, page: Path, wanted: int) -> list[str]:
    pictures = soup.select('article .cell_output img[src*="_images/"]')
    faults = [] if len(pictures) == wanted else [f"{wanted} figures in the run, but {len(pictures)} on the page"]
    for picture in pictures:
        if not (page.parent / picture["src"]).exists():
            faults.append(f"the figure {picture['src']} is missing")
    return faults


def explorer_faults(soup, page: Path, wanted: list[int]) -> list[str]:
    """Compare the explorers of the run, of the page and of its frames."""
    stills = len(soup.select("article .explorer-still img"))
    views = [json.loads(view.string)["model_id"] for view in soup.select(f'article script[type="{VIEW}"]')]
    state = frames_file(page)
    named = soup.find("meta", attrs={"name": "book-frames"})
    faults = []
    if not len(wanted) == stills == len(views):
        faults.append(
            f"{len(wanted)} explorers in the run, but {stills} still pictures and {len(views)} places for live ones "
            "on the page"
        )
    if wanted and not (named and named.get("content") == page.with_suffix(".frames.js").name):
        faults.append("the page does not say where its frames are")
    for number, (view, size) in enumerate(zip(views, wanted), 1):
        found = frames(state, view)
        if found != size:
            faults.append(f"explorer {number}: {size} positions of its sliders, but {found} frames")
    return faults


def frames_file(page: Path) -> dict:
    """Return the widgets that lie beside a page; none where the file is missing or spoilt."""
    file = page.with_suffix(".frames.js")
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    try:
        return json.loads(text.partition("=")[2].strip().removesuffix(";"))["state"]
    except (ValueError, KeyError):
        return {}


# ---- a site in a browser


def drive(folder: Path, names: list[str]) -> int:
    """Visit the pages of a site in a browser, a line each; returns how many have faults."""
    import browser  # which the build does without
    import run

    if browser.find() is None:
        raise SystemExit(browser.HELP)
    lectures = run.lectures()
    broken = 0
    with browser.serve(folder, {}) as origin, browser.launch() as chromium:
        context = chromium.new_context()
        for name in names or page_names(folder):
            start = time.perf_counter()
            faults = browser.visit(context, origin, name, explorers=name in lectures)
            print(f"{name}: {time.perf_counter() - start:.1f} s, {'; '.join(faults or ['fine'])}", flush=True)
            broken += bool(faults)
    return broken


def page_names(folder: Path) -> list[str]:
    """Return the pages of a site; `index` only leads to the first of them."""
    pages = sorted(page.relative_to(folder) for page in folder.rglob("*.html"))
    names = [page.with_suffix("").as_posix() for page in pages if page.parts[0] != "_static"]
    return [name for name in names if name != "index"]


def main(arguments: list[str]) -> None:
    if arguments[:1] != ["site"]:
        raise SystemExit(__doc__)
    folder = Path(arguments[1]) if arguments[1:] else ROOT / "_build/html"
    if not folder.is_dir():
        raise SystemExit(f"There is no site in {folder}: make book builds one.")
    broken = drive(folder, arguments[2:])
    if broken:
        raise SystemExit(f"{broken} page(s) of {folder} have faults.")


if __name__ == "__main__":
    main(sys.argv[1:])
