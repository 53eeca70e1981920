"""Give all pages one style sheet, with the rules that some page uses; the theme alone brings ten."""

import hashlib
import json
import re
import subprocess
from pathlib import Path

from sphinx.errors import ExtensionError

SCRIPT = Path(__file__).with_name("purge.cjs")
SHEET = "site.css"
LISTED = "stylesheets.json"  # what it is made of, also from pages that this build does not write
VERSION = re.compile(r"(?<=_static/site\.css\?v=)\w+")
OURS = re.compile("_static/")
WORD = re.compile(r"[\w-]+")
PICTURE = re.compile(r"data:image/[^\"]*")


def apply(soup, page) -> None:
    """Put a link to the one sheet in the place of the first, and note what it shall hold."""
    names = listed(page.site)
    links = soup.find_all("link", rel="stylesheet", href=OURS)
    for link in links:
        name = link["href"].rpartition("?")[0] or link["href"]
        folder, _, name = name.partition("_static/")
        if name != SHEET and name not in names:
            names.append(name)
        link["href"] = f"{folder}_static/{SHEET}?v=0"
    for link in links[1:]:
        link.decompose()
    (page.site.static / LISTED).write_text(json.dumps(names), encoding="utf-8")


def listed(site) -> list[str]:
    path = site.static / LISTED
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def conclude(site) -> None:
    """Write the sheet, and let every page ask for this version of it."""
    pages = {path: path.read_text(encoding="utf-8") for path in site.pages()}
    sheets = [site.static / name for name in listed(site)]
    css = "".join(merged(sheet, site.static) for sheet in sheets if sheet.exists())
    css = purged(css, used(pages.values(), site.static), site.modules)
    (site.static / SHEET).write_text(css, encoding="utf-8")
    version = hashlib.sha256(css.encode()).hexdigest()[:8]
    for path, text in pages.items():
        new = VERSION.sub(version, text)
        if new != text:
            path.write_text(new, encoding="utf-8")


def used(pages, static: Path) -> str:
    """Return the words of all pages and scripts: a class that none of them names is used nowhere."""
    words = set()
    for text in pages:
        words.update(WORD.findall(PICTURE.sub("", text)))
    for path in static.rglob("*.js"):
        if "assets" not in path.parts and path.name != "fontawesome.js":
            words.update(WORD.findall(path.read_text(encoding="utf-8")))
    return " ".join(sorted(words))


def purged(css: str, words: str, modules: Path) -> str:
    """Return a style sheet without the rules for what is not among the words."""
    asked = json.dumps({"css": css, "words": words})
    call = ["node", str(SCRIPT), str(modules)]
    done = subprocess.run(call, input=asked, capture_output=True, encoding="utf-8")
    if done.returncode or not done.stdout:
        raise ExtensionError(f"The style sheets could not be purged: {done.stderr}")
    return done.stdout


def merged(path: Path, static: Path) -> str:
    """Return a style sheet as it must read in `_static/`: imports in their place, addresses from there."""
    text = path.read_text(encoding="utf-8").removeprefix("\ufeff")
    text = re.sub(r'@charset "[^"]*";|/\*# sourceMappingURL=.*?\*/', "", text)

    def place(match):
        address = match[1].strip("\"'")
        if re.match(r"data:|#|https?:|/", address):
            return match[0]
        target = (path.parent / address).resolve()
        return f"url({target.relative_to(static.resolve()).as_posix()})"

    def insert(match):
        return merged((path.parent / match[1]).resolve(), static.resolve())

    text = re.sub(r"url\((\"[^\"]*\"|'[^']*'|[^)\"']*)\)", place, text)
    return re.sub(r'@import "([^"]+)";', insert, text)
