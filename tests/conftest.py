"""What several test files share: paths, the book's own build code, and the lectures."""

import os
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


@pytest.fixture
def little(tmp_path, monkeypatch):
    """A little book of its own for a test, with a cache of its own."""
    from little import Book

    monkeypatch.setenv("BOOK_CACHE", str(tmp_path / "cache"))
    return Book(tmp_path)


@pytest.fixture(scope="session")
def little_site(tmp_path_factory):
    """A little book that is built once for all tests that only look at it, or at copies of its pages."""
    from little import Book

    folder = tmp_path_factory.mktemp("little")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOOK_CACHE", str(folder / "cache"))
        book = Book(folder)
        book.pretend()
        assert book.render() == 0
    return book


@pytest.fixture(scope="module")
def chromium():
    """The browser; where there is none, the test is skipped, and fails on a machine that must have one."""
    import browser  # which the tests under Colab's versions do without

    if browser.find() is None:
        pytest.fail(browser.HELP) if os.environ.get("CI") else pytest.skip(browser.HELP)
    with browser.launch() as chromium:
        yield chromium
