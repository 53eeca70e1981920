"""Draw the figure on each part's card on the first page: that of a cell of one of its lectures."""

import base64
import io

from PIL import Image
from sphinx.errors import ExtensionError


def conclude(site) -> None:
    folder = site.out / "_images/cards"
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.webp"):
        if path.stem not in site.cards:
            path.unlink()  # of a part that left the book
    for part, (name, cell_id) in site.cards.items():
        if name not in site.runs:
            continue
        data = figure(site.runs[name].notebook, cell_id)
        if data is None:
            raise ExtensionError(f"The card of {part} wants a figure from {name}, cell {cell_id!r}, which has none.")
        with Image.open(io.BytesIO(data)) as picture:
            picture.thumbnail((660, 660))
            picture.convert("RGB").save(folder / f"{part}.webp", quality=85)


def figure(notebook, cell_id: str) -> bytes | None:
    """Return the first figure of a cell."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if cell.id == cell_id and "image/png" in output.get("data", {}):
                return base64.b64decode(output.data["image/png"])
    return None
