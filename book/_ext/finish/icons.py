"""Cut the fonts of icons down to the letters that the site's style sheet names: 280 kB become a few."""

import io
import logging
import re

from fontTools import subset
from fontTools.ttLib import TTFont


def conclude(site) -> None:
    sheet = site.static / "site.css"
    if not sheet.exists():
        return
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    codes = re.findall(r"\\([0-9a-f]{2,5})\b", sheet.read_text(encoding="utf-8"))
    letters = [int(code, 16) for code in codes]
    for path in (site.static / "vendor/fontawesome/webfonts").glob("*.woff2"):
        full = path.with_suffix(".ttf")  # the theme brings both
        if full.exists():
            font = cut(full.read_bytes(), letters)
            font.save(path)  # browsers go by what is in the file, not by its name


def cut(data: bytes, letters: list[int]) -> TTFont:
    """Return a font with these letters alone."""
    font = TTFont(io.BytesIO(data))
    cutter = subset.Subsetter(subset.Options(notdef_outline=True))
    cutter.populate(unicodes=letters)
    cutter.subset(font)
    font.flavor = "woff"  # as woff2 it would need one more package
    return font
