"""The book's Sphinx extension: its configuration, and what is done at which event of a build.

Lectures are not executed here: `run.py` has run them, and their pages show what the cache holds.
"""

import copy
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat
from sphinx.errors import ExtensionError

sys.path.insert(0, str(Path(__file__).parent))
import check
import finish
import formulas
import generated
import run
import words

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Run:
    """What the cache holds of a lecture."""

    notebook: nbformat.NotebookNode
    record: dict  # what the run used, and its key

    @property
    def identity(self) -> str:
        """Return what differs between two runs, also of the same cells."""
        return " ".join(str(self.record[fact]) for fact in ("key", "execution_seconds", "cpu_seconds"))

    @property
    def recorded(self) -> list[dict]:
        """Return the results that the lecture recorded for other pages: name, value, seed."""
        return [output.metadata["book_record"] for cell in self.notebook.cells for output in records(cell)]


def records(cell) -> list:
    """Return the outputs of a cell that record a result and show nothing."""
    return [output for output in cell.get("outputs", []) if "book_record" in output.get("metadata", {})]


def setup(app):
    app.add_config_value("book_scale", "book", "env")
    app.add_config_value("comments_config", {}, "")  # Jupyter Book sets it, for an extension that this book leaves out
    formulas.setup(app)
    words.setup(app)
    app.connect("config-inited", configure, priority=950)  # after the table of contents
    app.connect("builder-inited", read_runs, priority=400)
    app.connect("builder-inited", keep_figures, priority=550)  # after myst-nb
    generated.setup(app)
    app.connect("builder-inited", begin_site, priority=600)
    app.connect("env-get-outdated", outdated)
    app.connect("source-read", show_run)
    app.connect("html-page-context", begin_page, priority=900)
    app.connect("build-finished", finish_site, priority=900)  # after the theme
    return {"version": "2", "parallel_read_safe": False, "parallel_write_safe": False}


def configure(app, config) -> None:
    """Set what `_config.yml` cannot."""
    config.nb_execution_mode = "off"
    config.notfound_urls_prefix = os.environ.get("BOOK_PREFIX", "/")  # where the site lies on its host
    # "only the pages of the table of contents" leaves out the one page that belongs to no place in it
    config.exclude_patterns = [p for p in config.exclude_patterns if p != "404.md"]
    config.html_math_renderer = "formulas"
    config.html_css_files.append(("assets/formulas.css", {}))
    config.nb_ipywidgets_js = {}  # book.js loads the widget manager when an explorer comes near
    config.html_static_path = [str(ROOT / "book/_static"), *config.html_static_path]
    config.html_theme_options |= {
        "navbar_persistent": [],
        "show_navbar_depth": 2,
        "logo": {"text": config.html_title},
        "pygments_dark_style": "a11y-high-contrast-dark",
    }


def read_runs(app) -> None:
    """Find the cached run of each lecture; one that is missing stops the build."""
    book = Path(app.srcdir)
    scale = app.config.book_scale
    app.book_runs = {}
    missing = []
    for name in run.lectures(toc=Path(app.config.external_toc_path), book=book):
        found = run.cached(name, scale, book)
        if found is None:
            missing.append(name)
        else:
            app.book_runs[name] = Run(*found)
    if missing:
        raise ExtensionError(f"These lectures have not been run: {', '.join(missing)}. `make book` runs them first.")


def keep_figures(app) -> None:
    """Let figures wait beside the doctrees, where those of a build that was killed are not taken for whole ones."""
    folder = Path(app.doctreedir) / "figures"
    app.env.mystnb_config = app.env.mystnb_config.copy(output_folder=str(folder))


def begin_site(app) -> None:
    """Gather what the pages will share."""
    catalog = app.book_catalog
    cards = {part.slug: part.card for part in catalog.parts if part.card and part.lectures}
    app.book_site = finish.Site(
        out=Path(app.outdir),
        modules=ROOT / "node_modules",
        scale=app.config.book_scale,
        url=app.config.html_theme_options["repository_url"],
        commit=commit(),
        prefix=app.config.notfound_urls_prefix,
        runs=app.book_runs,
        cards=cards,
        catalog=catalog,
        formulas=app.book_formulas,
    )


def outdated(app, env, added, changed, removed) -> list[str]:
    """Name the lectures whose run has changed since their page was written, though their text may not have."""
    seen = getattr(env, "book_runs", {})
    env.book_runs = {name: run.identity for name, run in app.book_runs.items()}
    stale = [name for name, identity in env.book_runs.items() if seen.get(name) != identity]
    return [name for name in stale if name in env.found_docs]


def show_run(app, docname: str, source: list[str]) -> None:
    """Let Sphinx read a lecture with the outputs of its run, without those that only record a result."""
    if docname not in app.book_runs:
        return
    nb = copy.deepcopy(app.book_runs[docname].notebook)
    for cell in nb.cells:
        if cell.cell_type == "code":
            hidden = records(cell)
            cell.outputs = [output for output in cell.outputs if output not in hidden]
    source[0] = nbformat.writes(nb)


def begin_page(app, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Note what a page must have, before the passes see it."""
    if not templatename.endswith(".html"):
        return
    scripts = [getattr(script, "filename", None) for script in context.get("script_files", [])]
    page = finish.Page(
        name=pagename,
        site=app.book_site,
        document=doctree is not None,
        formulas=formulas.count(doctree) if doctree else 0,
        scripts=[str(script) for script in scripts if script],
    )
    app.book_site.written[pagename] = page
    finish.before(page, context)


def finish_site(app, error) -> None:
    """Finish the pages, and end the build where they do not hold what they must."""
    if error or app.builder.format != "html":
        return
    site = app.book_site
    site.documents = set(app.env.all_docs)
    site.images = {name for _, name in app.env.images.values()}
    finish.finish(site)
    faults = check.site_faults(site, Path(app.doctreedir) / "checked.json")
    if faults:
        raise ExtensionError("The finished pages do not fit together:\n" + "\n".join(faults))


def commit() -> str:
    """Return the short hash of the commit that is built, with a plus sign where files have changed since."""
    call = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        return subprocess.run(call, capture_output=True, encoding="utf-8", check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
