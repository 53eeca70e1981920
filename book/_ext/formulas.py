"""Formulas are typeset when the site is built, so that a reader's browser has no typesetter to load and to run."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

from docutils import nodes
from sphinx.errors import ExtensionError

MARK = re.compile(r'<(span|div) class="formula">(.*?)</\1>', re.S)
# no line begins with a full stop
BEFORE = re.compile(r'(<span class="formula">[^<]*</span>[.,;:!?)]+)')
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


def setup(app) -> None:
    """Take the place of Sphinx's renderer, which would have each page load MathJax."""
    app.add_html_math_renderer("formulas", (_mark("span"), None), (_mark("div"), None))


def _mark(tag):
    def visit(translator, node):
        text = html.escape(node.astext().strip())
        translator.body.append(f'<{tag} class="formula">{text}</{tag}>')
        raise nodes.SkipNode

    return visit


def typeset(pages: list[Path], modules: Path, assets: Path) -> None:
    """Typeset the formulas of all pages in place, and write their style sheet and fonts to `assets`.

    Pages that were written by an earlier build hold theirs already. Raises ExtensionError for faulty TeX.
    """
    texts = {page: page.read_text(encoding="utf-8") for page in pages}
    found = sorted({mark.groups() for text in texts.values() for mark in MARK.finditer(text)})
    asked = json.dumps([[html.unescape(tex), tag == "div"] for tag, tex in found])
    script = Path(__file__).with_name("typeset.cjs")
    done = subprocess.run(["node", str(script), str(modules)], input=asked, capture_output=True, text=True)
    if done.returncode:
        raise ExtensionError(f"A formula could not be typeset: {done.stderr.strip()}")
    result = json.loads(done.stdout)
    shown = dict(zip(found, result["formulas"]))
    for page, text in texts.items():
        new = BEFORE.sub(r'<span class="unbroken">\1</span>', text)
        new = MARK.sub(lambda mark: shown[mark.groups()], new)
        if new != text:
            page.write_text(new, encoding="utf-8")
    assets.mkdir(parents=True, exist_ok=True)
    (assets / "formulas.css").write_text(result["style"] + "\n" + STYLE, encoding="utf-8")
    fonts = modules / "mathjax/es5/output/chtml/fonts/woff-v2"
    shutil.copytree(fonts, assets / "fonts", dirs_exist_ok=True)
