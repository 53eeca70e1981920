"""Say how a page was made: above a lecture where to run it and how long that takes, below every page its version."""

import posixpath

from bs4 import BeautifulSoup

import author

ABOVE = (
    '<p class="lecture-facts"><a href="{colab}">Open in Colab</a> · '
    '<a download="" href="{source}">Download the notebook</a> · '
    "runs in {seconds:.0f} s at {scale} scale on one processor core</p>"
)
BELOW = (
    '<p class="lecture-facts">Version <a href="{url}/commit/{hash}">{commit}</a> · '
    '<a href="{url}/issues/new?title={name}:%20">Report an error on this page</a></p>'
)


def apply(soup, page) -> None:
    article = soup.find("article")
    if not page.document or not article or article.find(class_="lecture-facts"):
        return
    if page.record and article.h1:
        article.h1.insert_after("\n", above(page))
    text = BELOW.format(url=page.url, commit=page.commit, hash=page.commit.rstrip("+"), name=page.name)
    article.append(element(text))


def above(page):
    text = ABOVE.format(
        colab=author.colab_address(page.url, page.name),
        source=posixpath.relpath(f"_sources/{page.name}.ipynb", posixpath.dirname(page.name)),
        seconds=page.record["cpu_seconds"],
        scale=page.scale,
    )
    return element(text)


def element(text: str):
    return BeautifulSoup(text, "html.parser").find()
