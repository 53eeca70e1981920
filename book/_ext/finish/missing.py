"""Let the links of the page for wrong addresses begin at the site's root: it stands in for pages in any folder."""

import re

ELSEWHERE = re.compile(r"[a-z]+:|#|/")


def apply(soup, page) -> None:
    if page.name != "404":
        return
    for link in soup.find("article").find_all(href=True):
        if not ELSEWHERE.match(link["href"]):
            link["href"] = page.site.prefix + link["href"]
