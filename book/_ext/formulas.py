"""Formulas leave Sphinx as marked TeX, which `finish/typeset.py` replaces by what a reader sees."""

import html

from docutils import nodes

CLASS = "formula"


def setup(app) -> None:
    """Take the place of Sphinx's renderer, which would have each page load MathJax."""
    app.book_formulas = {}  # (TeX, displayed): a page that has it
    app.add_html_math_renderer("formulas", (_mark("span"), None), (_mark("div"), None))


def count(doctree: nodes.document) -> int:
    """Return how many formulas stand in a document."""
    inline = list(doctree.findall(nodes.math))
    displayed = list(doctree.findall(nodes.math_block))
    return len(inline) + len(displayed)


def _mark(tag: str):
    def visit(translator, node):
        tex = node.astext().strip()
        builder = translator.builder
        builder.app.book_formulas[tex, tag == "div"] = builder.current_docname
        translator.body.append(f'<{tag} class="{CLASS}">{html.escape(tex)}</{tag}>')
        raise nodes.SkipNode

    return visit
