"""Call a control by the text that it shows: an `aria-label` would hide that text from those who hear the page."""


def apply(soup, page) -> None:
    for control in soup.find_all(["summary", "button"], attrs={"aria-label": True}):
        if control.name == "summary" or "search-button-field" in control.get("class", []):
            del control["aria-label"]
