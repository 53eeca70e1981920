"""Finish the pages that Sphinx has written, by an ordered list of passes: one job each, in a module of its own.

A pass has any of these functions:

    context(page, context)    before Sphinx writes a page: change what its template is given
    prepare(site)             once, when Sphinx has written its pages
    apply(soup, page)         for each page that this build wrote: change the document in place
    conclude(site)            once, when these pages are finished: what needs all pages of the site

`Page` and `Site` are in site.py. Pages that an earlier build wrote stay as they are; only `conclude` sees them, and so
it must bear to be run again. Passes know nothing of one another: each can be taken off the list, and the others do
their jobs.
"""

from bs4 import BeautifulSoup

from finish import (
    assets,
    cards,
    chinese,
    facts,
    frames,
    icons,
    labels,
    leftovers,
    missing,
    place,
    scripts,
    sizes,
    status,
    styles,
    tables,
    typeset,
    webp,
)
from finish.site import Page, Site

__all__ = ["PASSES", "Page", "Site", "before", "finish"]

PASSES = [
    assets,  # the widget manager
    frames,  # into a script beside the page
    scripts,  # only those that the page uses, and late
    sizes,  # of figures
    webp,  # in place of PNG
    labels,  # of controls
    chinese,  # marked as such
    tables,  # that scroll
    facts,  # above and below
    place,  # what to read before, and the map of the part
    missing,  # the page for wrong addresses
    typeset,  # formulas: after the passes that would have to walk through them
    cards,  # their figures, on the first page
    leftovers,  # of earlier builds
    styles,  # one sheet
    icons,  # only those that are shown
    status,  # sizes of finished pages
]


def before(page: Page, context: dict) -> None:
    """Change what Sphinx's template of a page is given."""
    _each("context", page, context)


def finish(site: Site) -> None:
    """Finish the pages that this build wrote."""
    _each("prepare", site)
    for page in site.written.values():
        soup = BeautifulSoup(page.path.read_text(encoding="utf-8"), "html.parser")
        _each("apply", soup, page)
        page.path.write_text(str(soup), encoding="utf-8")
    _each("conclude", site)


def _each(name: str, *arguments) -> None:
    for step in PASSES:
        function = getattr(step, name, None)
        if function:
            function(*arguments)
