"""Mark Chinese text as Chinese, so that it is read aloud and drawn as such."""

import re

from bs4 import NavigableString

CHINESE = re.compile(r"[㐀-鿿]+(?:[，。；：、（）“”《》！？0-9A-Za-z\s-]*[㐀-鿿]+)*[。！？]?")
OTHER = ["script", "style", "pre", "code", "svg", "math", "mjx-container"]  # a span within them would spoil them


def apply(soup, page) -> None:
    for text in soup.find_all(string=CHINESE):
        if text.find_parent("article") and not stays(text):
            parts = mark(soup, str(text))
            text.replace_with(*parts)


def stays(text) -> bool:
    """Is a text marked already, or code, or a formula or a drawing?"""
    marked = text.find_parent(attrs={"lang": "zh"})
    formula = text.find_parent(class_="formula")  # TeX that is still to be typeset
    return bool(marked or formula or text.find_parent(OTHER))


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
