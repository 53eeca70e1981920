"""Give each figure its size, so that nothing jumps while a page loads, and load it when it comes near."""

import re

from PIL import Image

FIGURE = re.compile("_images/")


def apply(soup, page) -> None:
    for image in soup.find_all("img", src=FIGURE):
        path = page.out / "_images" / image["src"].rpartition("_images/")[2]
        if path.exists() and path.suffix != ".svg" and not image.get("width"):
            with Image.open(path) as picture:
                image["width"], image["height"] = picture.size
        image["loading"] = "lazy"
        image["decoding"] = "async"
