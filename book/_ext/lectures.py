"""The book's own part of the build: assets without a CDN, pages that hold the cached runs, facts below each page."""

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup, NavigableString
from jupyter_cache import get_cache
from PIL import Image
from sphinx.errors import ExtensionError

sys.path.insert(0, str(Path(__file__).parent))
import author
import execute
import formulas
import lighten

ROOT = execute.ROOT
MODULES = ROOT / "node_modules"
WIDGETS = MODULES / "@jupyter-widgets/html-manager/dist"
MAX_STATE = 900_000  # bytes of a page's explorers: 800 kB of pictures, and the widgets around them
STATE = r"application/vnd\.jupyter\.widget-state\+json"
SCROLL = {  # a wide table scrolls by itself, also with the keyboard
    "class": "table-scroll",
    "tabindex": "0",
    "role": "group",
    "aria-label": "Table",
}
CHINESE = re.compile(r"[㐀-鿿]+(?:[，。；：、（）“”《》！？0-9A-Za-z\s-]*[㐀-鿿]+)*[。！？]?")


def setup(app):
    app.add_config_value("book_scale", "book", "env")
    app.add_config_value("book_cache", "", "")
    app.add_config_value("book_cards", {}, "env")
    formulas.setup(app)
    app.connect("config-inited", set_paths, priority=950)  # after the table of contents
    app.connect("builder-inited", read_records)
    app.connect("env-get-outdated", outdated)
    app.connect("html-page-context", finish_page, priority=900)
    app.connect("build-finished", finish_site, priority=900)  # after the theme
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": False}


def set_paths(app, config):
    """Point myst-nb at the cache and Sphinx at the static files, and set what `_config.yml` cannot."""
    config.book_cache = config.book_cache or str(execute.cache_folder(config.book_scale))
    config.nb_execution_mode = "cache"
    config.nb_execution_cache_path = config.book_cache
    config.notfound_urls_prefix = os.environ.get("BOOK_PREFIX", "/")  # where the site lies on its host
    # "only the pages of the table of contents" leaves out the one page that belongs to no place in it
    config.exclude_patterns = [p for p in config.exclude_patterns if p != "404.md"]
    config.html_math_renderer = "formulas"
    config.html_css_files.append(("assets/formulas.css", {}))
    config.nb_ipywidgets_js = {}  # explorer.js loads the widget manager when an explorer comes near
    config.html_static_path = [str(ROOT / "book/_static"), *config.html_static_path]
    config.html_theme_options |= {
        "navbar_persistent": [],
        "show_navbar_depth": 2,
        "logo": {"text": config.html_title},
        "pygments_dark_style": "a11y-high-contrast-dark",
    }


def read_records(app):
    """Find the cached run of each lecture; one that is missing stops the build."""
    book = Path(app.srcdir)
    names = execute.lectures(Path(app.config.external_toc_path), book)
    app.book_records = execute.records(names, Path(app.config.book_cache), book)
    missing = [name for name in names if name not in app.book_records]
    if missing:
        raise ExtensionError(f"These lectures have not been run: {', '.join(missing)}. `make book` runs them first.")
    app.book_commit = commit()


def outdated(app, env, added, changed, removed):
    """Name the lectures whose run has changed since their page was written, though their text may not have."""
    seen = getattr(env, "book_runs", {})
    env.book_runs = {name: record["id"] for name, record in app.book_records.items()}
    stale = [name for name, run in env.book_runs.items() if seen.get(name) != run and name in env.found_docs]
    # the table of run times is written anew with them, and with a lecture that is new or whose text has changed
    others = (added | changed | removed) & (set(env.book_runs) | set(seen))
    return stale + (["status"] if (stale or others) and "status" in env.found_docs else [])


def finish_page(app, pagename, templatename, context, doctree):
    """Finish a page's HTML, and say how it was made above (Colab, file, run time) and below (version, errors)."""
    files = context.get("script_files", [])
    thebe = [f for f in files if "thebe" in str(f).lower() or "THEBE" in str(getattr(f, "attributes", {}))]
    context["script_files"] = [f for f in files if f not in thebe]
    if doctree is None or "body" not in context:
        return
    pictures = {name: Path(app.srcdir, source) for source, name in app.builder.images.items()}
    body = finish_body(context["body"], pictures)
    url, commit = app.config.html_theme_options["repository_url"], app.book_commit
    record = app.book_records.get(pagename)
    if record:
        colab = author.colab_address(url, pagename)
        source = app.builder.get_relative_uri(pagename, "_sources/x").rpartition("x")[0] + f"{pagename}.ipynb"
        body = body.replace(
            "</h1>",
            f'</h1>\n<p class="lecture-facts"><a href="{colab}">Open in Colab</a> · '
            f'<a href="{source}" download>Download the notebook</a> · '
            f"runs in {record['cpu_seconds']:.0f} s at {app.config.book_scale} scale on one processor core</p>",
            1,
        )
    body += (
        f'\n<p class="lecture-facts">Version <a href="{url}/commit/{commit.rstrip("+")}">{commit}</a> · '
        f'<a href="{url}/issues/new?title={pagename}:%20">Report an error on this page</a></p>'
    )
    if pagename == "404":  # it stands in for pages in any folder
        root = app.config.notfound_urls_prefix
        body = re.sub(r'href="(?!https?:|#|/)', f'href="{root}', body)
    context["body"] = body


def finish_body(body: str, pictures: dict[str, Path]) -> str:
    """Return a page's HTML with sizes on its images, `lang` on its Chinese text and tables that scroll."""
    soup = BeautifulSoup(body, "html.parser")
    for image in soup.find_all("img", src=re.compile("_images/")):
        path = pictures.get(image["src"].rpartition("_images/")[2])
        if path and path.suffix == ".png" and not image.get("width"):
            with Image.open(path) as picture:
                image["width"], image["height"] = picture.size
        image["loading"], image["decoding"] = "lazy", "async"
    for summary in soup.find_all("summary", attrs={"aria-label": True}):
        del summary["aria-label"]  # it would hide the text that a folded cell shows
    for text in soup.find_all(string=CHINESE):
        if text.find_parent(["script", "style", "pre", "code"]) or text.find_parent(attrs={"lang": "zh"}):
            continue
        text.replace_with(*mark_chinese(soup, str(text)))
    for table in soup.find_all("table"):
        if not table.find_parent(class_="table-scroll"):
            table.wrap(soup.new_tag("div", attrs=SCROLL))
    return str(soup)


def mark_chinese(soup, text: str) -> list:
    """Split a text into plain strings and spans with lang="zh"."""
    parts, end = [], 0
    for match in CHINESE.finditer(text):
        span = soup.new_tag("span", attrs={"lang": "zh"})
        span.string = match[0]
        parts += [NavigableString(text[end : match.start()]), span]
        end = match.end()
    return [*parts, NavigableString(text[end:])]


def finish_site(app, error):
    """Copy the browser assets, and write the table of run times and page sizes."""
    if error or app.builder.format != "html":
        return
    out = Path(app.outdir)
    copy_assets(out / "_static/assets")
    formulas.typeset(lighten.site_pages(out), MODULES, out / "_static/assets")
    draw_cards(app, out / "_images/cards")
    lighter = lighten_images(out / "_images")
    for page in lighten.site_pages(out):
        text = page.read_text(encoding="utf-8")
        done = finish_html(text, page.name)
        done = re.sub(r'_images/([\w-]+)\.png"', lambda m: lighter.get(m[1], m[0]), done)
        done = move_state(done, page)
        if done != text:
            page.write_text(done, encoding="utf-8")
    lighten.lighten(out, MODULES)
    page = out / "status.html"
    if page.exists():
        text = page.read_text(encoding="utf-8")
        page.write_text(
            text.replace("<!-- status table -->", status_table(app, out)),
            encoding="utf-8",
        )


def draw_cards(app, folder: Path) -> None:
    """Write a figure for each part's card on the first page, taken from a cell of one of its lectures."""
    folder.mkdir(parents=True, exist_ok=True)
    cache = get_cache(app.config.book_cache)
    for part, (name, cell_id) in app.config.book_cards.items():
        if name not in app.book_records:
            continue
        nb = nbformat.read(Path(app.srcdir, f"{name}.ipynb"), as_version=4)
        ran = cache.merge_match_into_notebook(nb)[1]
        outputs = [o for cell in ran.cells if cell.id == cell_id for o in cell.outputs]
        data = next(
            (o.data["image/png"] for o in outputs if "image/png" in o.get("data", {})),
            None,
        )
        if data is None:
            raise ExtensionError(f"The card of {part} wants a figure from {name}, cell {cell_id!r}, which has none.")
        with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
            picture.thumbnail((660, 660))
            picture.convert("RGB").save(folder / f"{part}.webp", quality=85)


def move_state(text: str, page: Path) -> str:
    """Move the frames of a page's explorers into a script beside it, which book.js fetches when one comes near.

    A script, because a page that is opened as a file may load scripts but not data.
    """
    found = re.search(rf'<script type="{STATE}">(.*?)</script>', text, re.S)
    if found is None:
        return text
    if len(found[1]) > MAX_STATE:
        raise ExtensionError(
            f"The explorers of {page.stem} weigh {len(found[1]) / 1000:.0f} kB, but those of a page "
            f"may hold {MAX_STATE / 1000:.0f}: draw fewer or simpler frames."
        )
    target = page.with_suffix(".frames.js")
    target.write_text(f"window.bookFrames = {found[1].strip()};\n", encoding="utf-8")
    return text.replace(found[0], f'<meta name="book-frames" content="{target.name}">')


def lighten_images(folder: Path) -> dict[str, str]:
    """Write each figure as lossless WebP beside its PNG; return what to put in place of `_images/NAME.png"`."""
    lighter = {}
    for path in sorted(folder.glob("*.png")):
        small = path.with_suffix(".webp")
        if not small.exists():
            with Image.open(path) as picture:
                picture.convert("RGB").save(small, lossless=True)
        lighter[path.stem] = f'_images/{small.name}"'
    return lighter


def finish_html(text: str, name: str) -> str:
    """Return a page without the scripts that it does not use, its search button named by the text that it shows.

    The theme's style sheet brings the icons as a font, so that 1.5 MB of the same icons in JavaScript are not needed;
    the search index, which grows with the book, is needed on the search page alone; folded cells need no script.
    """
    unused = ["scripts/fontawesome", "togglebutton", "design-tabs"] + (
        [] if name == "search.html" else ["searchtools", "searchindex", "language_data"]
    )
    for script in unused:
        text = re.sub(rf'\s*<script[^>]*src="[^"]*{script}[^"]*"></script>', "", text)
    return re.sub(
        r'(<button class="[^"]*search-button-field[^>]*?)\s+aria-label="Search"',
        r"\1",
        text,
    )


def status_table(app, out: Path) -> str:
    """Return an HTML table: a row per lecture with its run time, memory and the size of its page."""
    rows = []
    for name, record in app.book_records.items():
        page, frames = out / f"{name}.html", out / f"{name}.frames.js"
        seconds, cpu, peak = (record[key] for key in ("execution_seconds", "cpu_seconds", "peak_mb"))
        figures = (
            f"{seconds:.0f}",
            f"{cpu:.0f}",
            f"{peak:.0f}",
            f"{sum(p.stat().st_size for p in (page, frames) if p.exists()) / 1000:.0f}",
        )
        cells = "".join(f"<td>{figure}</td>" for figure in figures)
        rows.append(f'<tr><th scope="row"><a href="{name}.html">{name}</a></th>{cells}</tr>')
    heads = (
        "Lecture",
        "Run time (s)",
        "Processor time (s)",
        "Peak memory (MB)",
        "Page and frames (kB)",
    )
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    table = f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
    attributes = " ".join(f'{name}="{value}"' for name, value in SCROLL.items())
    return f'<div {attributes}><table class="table">{table}</table></div>'


def copy_assets(target: Path) -> None:
    """Copy the widget manager, with its fonts, from node_modules into the site."""
    version = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["dependencies"]
    stamp = target / "versions.json"
    if stamp.exists() and json.loads(stamp.read_text(encoding="utf-8")) == version:
        return
    if not WIDGETS.is_dir():
        raise ExtensionError("The browser assets are missing: `make book` installs them with npm.")
    shutil.rmtree(target, ignore_errors=True)
    (target / "widgets").mkdir(parents=True)
    for source in [WIDGETS / "embed.js", *WIDGETS.glob("*.woff2")]:
        shutil.copy(source, target / "widgets")
    stamp.write_text(json.dumps(version), encoding="utf-8")


def commit() -> str:
    """Return the short hash of the commit that is built, with a plus sign where files have changed since."""
    call = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        return subprocess.run(call, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
