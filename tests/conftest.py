"""What several test files share: paths, the book's own build code, and the lectures."""

import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book/_ext"))
BOOK = ROOT / "book"
LECTURES = sorted(f"{path.parent.name}/{path.stem}" for path in BOOK.glob("*/*.ipynb"))


def read(name: str) -> nbformat.NotebookNode:
    """Return a lecture, such as "cnn/lenet"."""
    return nbformat.read(BOOK / f"{name}.ipynb", as_version=4)


@pytest.fixture(autouse=True)
def smoke(monkeypatch):
    """Every test starts at smoke scale on the CPU, not static."""
    monkeypatch.setenv("BOOK_SCALE", "smoke")
    monkeypatch.setenv("BOOK_DEVICE", "cpu")
    monkeypatch.delenv("BOOK_STATIC", raising=False)
