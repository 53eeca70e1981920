"""What the run of a lecture depends on, as one key: the same key, the same outputs.

`key` hashes the cells that run, the scale, Python, the pins of what a lecture can import, and the part of `utils/` that
the lecture reaches. Prose, alt texts and the rest of the helpers are left out: they must not run a lecture again. So is
the setup cell that all lectures share: it prints nothing, and `reruns.setup_faults` sees that no cell reads what it
assigns, so that another address or version in it changes no output.
"""

import functools
import hashlib
import importlib.metadata
import platform
import re
import sys
from pathlib import Path

import nbformat
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import author
from reach import PACKAGE, reached

RECIPE = "1"  # change it when run.py runs lectures in another way: then every lecture runs again
SHOWN_ONLY = {"mystnb", "cellView"}  # metadata that change how a cell is shown, not what it does
PIN_FILES = ("requirements.txt", "constraints.txt")
LECTURE_PINS = "# the lectures\n"  # begins the section of requirements.txt with what lectures import
KERNEL = ("ipykernel", "ipython", "nbclient")  # what runs a lecture, beside what it imports


def key(notebook: Path, scale: str, static: bool = True) -> str:
    """Return the key of a lecture's run, a hex digest.

    The helpers and the pins are those of the nearest folder above the notebook that holds `utils`, as in its setup
    cell.
    """
    notebook = notebook.resolve()
    root = next((folder for folder in notebook.parents if (folder / PACKAGE).is_dir()), notebook.parent)
    cells = [cell for cell in code_cells(notebook) if not author.is_setup(cell.source)]
    facts = [
        RECIPE,
        scale,
        f"static={static}",
        f"{sys.version_info[:2]} {sys.platform} {platform.machine()}",
        *(fact(cell) for cell in cells),
        *companions(notebook),
        *pins(root),
        *reached(root, [cell.source for cell in cells]),
    ]
    return digest("\0".join(facts).encode())


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def code_cells(notebook: Path) -> list[nbformat.NotebookNode]:
    nb = nbformat.read(notebook, as_version=4)
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def fact(cell) -> str:
    """Return what of a cell its outputs depend on."""
    metadata = {name: value for name, value in cell.metadata.items() if name not in SHOWN_ONLY}
    return f"{cell.id} {sorted(metadata.items())} {cell.source}"


def companions(notebook: Path) -> list[str]:
    """Return the contents of the files that lie beside a lecture under its name, such as a recorded study."""
    paths = sorted(notebook.parent.glob(f"{notebook.stem}.*"))
    return [f"{path.name} {digest(path.read_bytes())}" for path in paths if path.suffix != ".ipynb"]


def pins(root: Path) -> list[str]:
    """Return the pins of the packages that a lecture can import, and of those which these bring with them."""
    texts = [(root / name).read_text(encoding="utf-8") for name in PIN_FILES if (root / name).exists()]
    section = "".join(texts).partition(LECTURE_PINS)[2].partition("\n#")[0]
    wanted = brought_in((*pinned(section), *KERNEL))
    found = set()
    for text in texts:
        found |= {line for name, line in pinned(text).items() if name in wanted}
    return sorted(found)


def pinned(text: str) -> dict[str, str]:
    """Return the lines that pin a package, by the package's name."""
    lines = re.findall(r"^([\w.-]+)(==\S+)", text, re.M)
    return {canonicalize_name(name): f"{name}{version}" for name, version in lines}


@functools.cache
def brought_in(names: tuple[str, ...]) -> frozenset[str]:
    """Return the names of packages with those of all that they need, as they are installed here."""
    found = set()
    waiting = [canonicalize_name(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += needs(name)
    return frozenset(found)


def needs(name: str) -> list[str]:
    try:
        lines = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return []  # needed on another system only
    requirements = [Requirement(line) for line in lines]
    return [canonicalize_name(r.name) for r in requirements if r.marker is None or r.marker.evaluate({"extra": ""})]
