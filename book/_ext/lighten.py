"""What a reader's browser need not load: style rules and icons that no page uses, scripts before the first paint.

The theme brings ten style sheets and two fonts of icons; the pages use a tenth of them. All is done to the finished
site, and can be done again when only some of its pages were written anew.
"""

import hashlib
import io
import json
import logging
import re
import subprocess
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont
from sphinx.errors import ExtensionError

LINK = re.compile(r'[ \t]*<link\b(?=[^>]*rel="stylesheet")[^>]*href="([^"?]*_static/)([^"?]+)[^"]*"[^>]*/?>\n?')
NEVER = ("sphinx-thebe.css", "togglebutton.css")  # of scripts that the site leaves out


def lighten(out: Path, modules: Path) -> None:
    """Give every page one style sheet, with the rules that are used, and let its scripts wait for its text."""
    pages = {page: page.read_text(encoding="utf-8") for page in site_pages(out)}
    listed = out / "_static/stylesheets.json"
    names = json.loads(listed.read_text(encoding="utf-8")) if listed.exists() else []
    for text in pages.values():
        found = [name for _, name in LINK.findall(text) if name != "site.css"]
        names += [n for n in found if n not in names and n not in NEVER]
    css = "".join(_merged(out / "_static" / name, out / "_static") for name in names)
    css = _purge(css, pages.values(), out / "_static", modules)
    _subset_icons(css, out / "_static")
    (out / "_static/site.css").write_text(css, encoding="utf-8")
    listed.write_text(json.dumps(names), encoding="utf-8")
    version = hashlib.sha256(css.encode()).hexdigest()[:8]
    for page, text in pages.items():
        new = one_link(text, version)
        if page.name != "search.html":  # which needs them in its own order
            new = defer_scripts(new)
        if new != text:
            page.write_text(new, encoding="utf-8")


def site_pages(out: Path) -> list[Path]:
    """Return the pages of a site; the theme leaves templates among its static files."""
    static = out / "_static"
    return sorted(page for page in out.rglob("*.html") if static not in page.parents)


def one_link(text: str, version: str) -> str:
    """Return a page whose links to style sheets of the site are replaced by one, at the place of the first."""
    first = LINK.search(text)
    if first is None:
        return text
    link = f'<link rel="stylesheet" href="{first[1]}site.css?v={version}">\n'
    rest = LINK.sub("", text[first.end() :])
    return text[: first.start()] + link + rest


def defer_scripts(text: str) -> str:
    """Return a page whose scripts, all but the one that sets its options, run when it has been read."""

    def wait(match):
        return match[0].replace("<script ", '<script defer="defer" ', 1)

    return re.sub(
        r'<script (?![^>]*\bdefer\b)[^>]*src="(?![^"]*documentation_options)[^"]*_static/[^"]*">',
        wait,
        text,
    )


def _merged(path: Path, static: Path) -> str:
    """Return a style sheet as it must read in `_static/`: imports in their place, addresses from there."""
    text = path.read_text(encoding="utf-8").removeprefix("\ufeff")
    text = re.sub(r'@charset "[^"]*";|/\*# sourceMappingURL=.*?\*/', "", text)

    def place(match):
        address = match[1].strip("\"'")
        if re.match(r"data:|#|https?:|/", address):
            return match[0]
        target = (path.parent / address).resolve()
        return f"url({target.relative_to(static.resolve()).as_posix()})"

    text = re.sub(r"url\((\"[^\"]*\"|'[^']*'|[^)\"']*)\)", place, text)
    return re.sub(
        r'@import "([^"]+)";',
        lambda m: _merged((path.parent / m[1]).resolve(), static.resolve()),
        text,
    )


def _purge(css: str, pages, static: Path, modules: Path) -> str:
    scripts = [p for p in static.rglob("*.js") if "assets" not in p.parts]
    scripts = [p for p in scripts if p.name != "fontawesome.js"]
    asked = {
        "css": css,
        "html": [re.sub(r"data:image/[^\"]*", "", text) for text in pages],
        "scripts": [p.read_text(encoding="utf-8") for p in scripts],
    }
    script = Path(__file__).with_name("purge.cjs")
    call = ["node", str(script), str(modules)]
    done = subprocess.run(call, input=json.dumps(asked), capture_output=True, text=True)
    if done.returncode or not done.stdout:
        raise ExtensionError(f"The style sheets could not be purged: {done.stderr}")
    return done.stdout


def _subset_icons(css: str, static: Path) -> None:
    """Cut the fonts of icons down to the letters that the style sheet names."""
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    letters = [int(code, 16) for code in re.findall(r"\\([0-9a-f]{2,5})\b", css)]
    for path in (static / "vendor/fontawesome/webfonts").glob("*.woff2"):
        full = path.with_suffix(".ttf")  # the theme brings both
        if not full.exists():
            continue
        font = TTFont(io.BytesIO(full.read_bytes()))
        cutter = subset.Subsetter(subset.Options(notdef_outline=True))
        cutter.populate(unicodes=letters)
        cutter.subset(font)
        font.flavor = "woff"  # as woff2 it would need one more package
        font.save(path)  # browsers go by what is in the file, not by its name
