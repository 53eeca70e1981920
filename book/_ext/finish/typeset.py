"""Put typeset formulas in place of their TeX, so that a reader's browser has no typesetter to load and to run."""

import json
import re
import shutil
import subprocess
from pathlib import Path

from bs4 import NavigableString
from bs4.element import PreformattedString
from sphinx.errors import ExtensionError

SCRIPT = Path(__file__).with_name("typeset.cjs")
CLOSING = re.compile(r"[.,;:!?)]+")
CHINESE = re.compile(r"<([a-z-]+)([^<>]*)>(?=[^<]*[㐀-鿿])")  # an element that holds Chinese text itself
STYLE = (  # read aloud, not shown; the letters as large as those of the text around
    "mjx-container { font-size: 112%; position: relative; }\n"
    "mjx-assistive-mml { border: 0; clip: rect(1px, 1px, 1px, 1px); height: 1px; left: 0; overflow: hidden; "
    "position: absolute; top: 0; user-select: none; width: 1px; }\n"
    ".unbroken { white-space: nowrap; }\n"
    "@media (max-width: 600px) {\n"  # on a phone a formula in the text may go over two lines
    "  mjx-container:not([display]) { white-space: normal !important; }\n"
    "  mjx-container:not([display]) > mjx-math { display: inline !important; line-height: 1.3; white-space: normal; }\n"
    "  mjx-container:not([display]) > mjx-math > * { line-height: 0; white-space: nowrap; }\n}\n"
)


def prepare(site) -> None:
    """Typeset the formulas of all pages in one call of Node.js, and write their style sheet and fonts.

    Raises ExtensionError for faulty TeX.
    """
    assets = site.static / "assets"
    sheet = assets / "formulas.css"
    if not site.formulas and sheet.exists():
        return  # no page with a formula was written
    asked = json.dumps(list(site.formulas))
    call = ["node", str(SCRIPT), str(site.modules)]
    done = subprocess.run(call, input=asked, capture_output=True, encoding="utf-8")
    if done.returncode:
        raise ExtensionError(f"A formula could not be typeset: {where(site, done.stderr.strip())}")
    result = json.loads(done.stdout)
    shown = [CHINESE.sub(r'<\1\2 lang="zh">', formula) for formula in result["formulas"]]
    site.typeset = dict(zip(site.formulas, shown))
    assets.mkdir(parents=True, exist_ok=True)
    sheet.write_text(f"{result['style']}\n{STYLE}", encoding="utf-8")
    fonts = site.modules / "mathjax/es5/output/chtml/fonts/woff-v2"
    shutil.copytree(fonts, assets / "fonts", dirs_exist_ok=True)


def where(site, message: str) -> str:
    """Return what the typesetter said, and on which page the formula stands."""
    pages = [page for (tex, _), page in site.formulas.items() if message.endswith(tex)]
    return f"{message} ({pages[0]})" if pages else message


def apply(soup, page) -> None:
    for mark in soup.find_all(["span", "div"], class_="formula"):
        keep_together(soup, mark)
        displayed = mark.name == "div"
        shown = page.site.typeset[mark.get_text(), displayed]
        mark.replace_with(PreformattedString(shown))  # written as it is


def keep_together(soup, mark) -> None:
    """Let no line begin with the full stop after a formula."""
    text = mark.next_sibling
    closing = CLOSING.match(text) if isinstance(text, NavigableString) else None
    if mark.name == "div" or not closing:
        return
    text.replace_with(NavigableString(text[closing.end() :]))
    mark.wrap(soup.new_tag("span", attrs={"class": "unbroken"})).append(closing[0])
