"""What the passes are given: a page, and the site that it belongs to."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Site:
    """The site that is built, and what its pages share."""

    out: Path  # the folder of the site
    modules: Path  # node_modules
    scale: str
    url: str  # of the repository
    commit: str
    prefix: str = "/"  # where the site lies on its host
    runs: dict[str, Any] = field(default_factory=dict)  # of each lecture its run: `record` and `notebook`
    cards: dict[str, tuple[str, str]] = field(default_factory=dict)  # of each part a lecture and the cell of a figure
    catalog: Any = None
    documents: set[str] = field(default_factory=set)  # all pages that the table of contents names
    images: set[str] = field(default_factory=set)  # the file names of all their figures
    formulas: dict[tuple[str, bool], str] = field(default_factory=dict)  # (TeX, displayed): a page that has it
    typeset: dict[tuple[str, bool], str] = field(default_factory=dict)  # the same: the HTML that is shown
    written: dict[str, "Page"] = field(default_factory=dict)  # the pages that this build wrote

    @property
    def static(self) -> Path:
        return self.out / "_static"

    def pages(self) -> list[Path]:
        """Return all pages that lie in the site; the theme leaves templates among its static files."""
        return sorted(page for page in self.out.rglob("*.html") if self.static not in page.parents)


@dataclass
class Page:
    """A page of the site."""

    name: str  # such as "cnn/lenet"
    site: Site
    document: bool = True  # has it a source, or is it made by Sphinx, such as the search page?
    formulas: int = 0  # how many stand in its document
    scripts: list[str] = field(default_factory=list)  # the file names of the scripts that Sphinx gives it

    @property
    def path(self) -> Path:
        return self.site.out / f"{self.name}.html"

    @property
    def frames(self) -> Path:
        """Where the frames of its explorers lie."""
        return self.site.out / f"{self.name}.frames.js"

    @property
    def out(self) -> Path:
        return self.site.out

    @property
    def scale(self) -> str:
        return self.site.scale

    @property
    def url(self) -> str:
        return self.site.url

    @property
    def commit(self) -> str:
        return self.site.commit

    @property
    def catalog(self) -> Any:
        return self.site.catalog

    @property
    def run(self) -> Any:
        """The run of the lecture that the page shows, or None."""
        return self.site.runs.get(self.name)

    @property
    def record(self) -> dict | None:
        """What the run used, or None."""
        return self.run.record if self.run else None
