"""Where a lecture stands: what to read before it, below its title, and the map of its part at its end."""

from bs4 import BeautifulSoup

import generated


def apply(soup, page) -> None:
    """Add links to the lectures that this one needs, and the map with this one marked."""
    lecture = next((entry for entry in page.catalog.lectures if entry.path == page.name), None)
    article = soup.find("article")
    if lecture is None or article is None or article.h1 is None or soup.select_one(".lecture-map"):
        return
    title = article.h1
    facts = article.find(class_="lecture-facts")
    below = facts if facts in title.find_next_siblings() else title
    if lecture.needs:
        below.insert_after(read_before(page.catalog, lecture))
    title.parent.append(part_map(page.catalog, lecture))


def read_before(catalog, lecture):
    links = []
    for slug in lecture.needs:
        need = catalog.find(slug)
        target = generated.address(need.path, lecture.path)
        links.append(f'<a href="{target}.html">{need.name}</a>')
    return fragment(f'<p class="lecture-needs">Read before: {" · ".join(links)}</p>')


def part_map(catalog, lecture):
    part = generated.part_of(catalog, lecture.path)
    drawn = generated.draw_map(part, lecture.path)
    return fragment(f'<details class="lecture-map"><summary>Where this lecture stands</summary>{drawn}</details>')


def fragment(html: str):
    return BeautifulSoup(html, "html.parser").contents[0]
