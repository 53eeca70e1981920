"""Let a wide table scroll by itself, also with the keyboard."""

SCROLL = {"class": "table-scroll", "tabindex": "0", "role": "group", "aria-label": "Table"}


def apply(soup, page) -> None:
    for table in soup.find_all("table"):
        if not table.find_parent(class_="table-scroll"):
            table.wrap(soup.new_tag("div", attrs=SCROLL))
