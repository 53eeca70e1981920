"""Serve figures as lossless WebP, less than half the size of the PNG that the notebook made."""

import re

from PIL import Image

FIGURE = re.compile(r"_images/.*\.png$")


def apply(soup, page) -> None:
    for image in soup.find_all("img", src=FIGURE):
        path = page.out / "_images" / image["src"].rpartition("_images/")[2]
        lighter = path.with_suffix(".webp")
        if path.exists() and not lighter.exists():
            with Image.open(path) as picture:
                picture.convert("RGB").save(lighter, lossless=True)
        image["src"] = image["src"].removesuffix(".png") + ".webp"


def conclude(site) -> None:
    """Take the PNG out of the site; Sphinx copies it anew for a page that it writes anew."""
    for path in (site.out / "_images").glob("*.png"):
        if path.with_suffix(".webp").exists():
            path.unlink()
