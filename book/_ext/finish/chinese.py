"""Mark Chinese text as Chinese, so that it is read aloud and drawn as such."""

import re

from bs4 import NavigableString

CHINESE = re.compile(r"[㐀-鿿]+(?:[，。；：、（）“”《》！？0-9A-Za-z\s-]*[㐀-鿿]+)*[。！？]?")
OTHER = ["script", "style", "pre", "code"]


def apply(soup, page) -> None:
    for text in soup.find_all(string=CHINESE):
        marked = text.find_parent(attrs={"lang": "zh"})
        if text.find_parent("article") and not marked and not text.find_parent(OTHER):
            parts = mark(soup, str(text))
            text.replace_with(*parts)


def mark(soup, text: str) -> list:
    """Split a text into plain strings and spans with lang="zh"."""
    parts = []
    end = 0
    for match in CHINESE.finditer(text):
        span = soup.new_tag("span", attrs={"lang": "zh"})
        span.string = match[0]
        parts += [NavigableString(text[end : match.start()]), span]
        end = match.end()
    return [*parts, NavigableString(text[end:])]
