"""Leave out the scripts that a page does not use, and let the others wait until it has been read.

Scripts are known by the names of their files, never by what stands in them.
The theme's style sheet brings the icons as a font, so that 1.5 MB of the same icons in JavaScript are not needed;
the search index, which grows with the book, is needed on the search page alone.
"""

from pathlib import PurePosixPath
from urllib.parse import urlsplit

NOWHERE = {"fontawesome.js"}
SEARCH = {"searchtools.js", "searchindex.js", "language_data.js"}
FIRST = "documentation_options.js"  # the others read it


def apply(soup, page) -> None:
    searches = page.name == "search"
    unused = NOWHERE if searches else NOWHERE | SEARCH
    for script in soup.find_all("script", src=True):
        name = file_name(script["src"])
        if name in unused:
            script.decompose()
        elif name != FIRST and "_static/" in script["src"] and not searches:  # which needs them in its own order
            script["defer"] = "defer"


def file_name(address: str) -> str:
    """Return the file's name in an address such as "../_static/js/book.js?v=1"."""
    return PurePosixPath(urlsplit(address).path).name
