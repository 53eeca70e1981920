"""Write the table of the status page: a row for each lecture with its run time, memory and the size of its page."""

from bs4 import BeautifulSoup, Comment

HEADS = ("Lecture", "Run time (s)", "Processor time (s)", "Peak memory (MB)", "Page and frames (kB)")
USED = ("execution_seconds", "cpu_seconds", "peak_mb")
MARK = "status table"
BOX = '<div class="table-scroll" id="status-table" tabindex="0" role="group" aria-label="Table">{}</div>'


def conclude(site) -> None:
    """Put the table in the place of its mark, or of the table of an earlier build."""
    page = site.out / "status.html"
    if not page.exists():
        return
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    place = soup.find(id="status-table") or soup.find(string=is_mark)
    if place:
        place.replace_with(BeautifulSoup(BOX.format(table(site)), "html.parser"))
        page.write_text(str(soup), encoding="utf-8")


def is_mark(text) -> bool:
    return isinstance(text, Comment) and text.strip() == MARK


def table(site) -> str:
    heads = "".join(f'<th scope="col">{text}</th>' for text in HEADS)
    rows = "".join(row(site, name) for name in site.runs)
    return f'<table class="table"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'


def row(site, name: str) -> str:
    record = site.runs[name].record
    figures = [record[key] for key in USED] + [kilobytes(site, name)]
    cells = "".join(f"<td>{figure:.0f}</td>" for figure in figures)
    return f'<tr><th scope="row"><a href="{name}.html">{name}</a></th>{cells}</tr>'


def kilobytes(site, name: str) -> float:
    """Return the size of a page and of its frames."""
    files = [site.out / f"{name}{ending}" for ending in (".html", ".frames.js")]
    return sum(file.stat().st_size for file in files if file.exists()) / 1000
