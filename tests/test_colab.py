"""The setup cell in an empty folder, and a fork's address on everything."""

import os
import shutil
import subprocess
import sys

import author
import nbformat
import pytest
from conftest import LECTURES, ROOT, read

URL = author.repository()


def run_setup(folder, source, origin):
    """Run a setup cell as Colab would; `origin` is cloned wherever it names the repository."""
    redirect = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.{origin}.insteadOf", "GIT_CONFIG_VALUE_0": URL}
    code = f"{source}\nfrom utils import common\nprint(common.__file__)"
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONSAFEPATH")} | redirect
    return subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A local repository with the files as they are now."""
    folder = tmp_path_factory.mktemp("origin") / "repository"
    shutil.copytree(ROOT / "utils", folder / "utils", ignore=shutil.ignore_patterns("__pycache__"))
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.org", "-C", str(folder)]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "test"]):
        subprocess.run([*git, *command], check=True)
    return folder


def test_setup_clones_once_into_an_empty_folder(tmp_path, origin):
    name = URL.rsplit("/", 1)[-1]
    first = run_setup(tmp_path, author.setup_source(URL), origin)
    assert first.returncode == 0, first.stderr
    assert first.stdout.strip() == str(tmp_path / name / "utils/common.py")
    second = run_setup(tmp_path, author.setup_source(URL), "/nowhere")
    assert second.returncode == 0, second.stderr
    inside = tmp_path / name / "book/part"
    inside.mkdir(parents=True)
    assert run_setup(inside, author.setup_source(URL), "/nowhere").returncode == 0


def test_setup_says_what_is_missing_when_it_cannot_clone(tmp_path):
    done = run_setup(tmp_path, author.setup_source(URL), "/nowhere")
    assert done.returncode != 0
    assert done.stderr.strip().splitlines()[-1].startswith("The helpers could not be fetched")


@pytest.fixture
def copy_of_the_book(tmp_path):
    for pattern in ("_config.yml", "*.md", "*.cff", "book/*.md", "book/*/*.ipynb"):
        for path in ROOT.glob(pattern):
            target = tmp_path / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    return tmp_path


def test_a_stamp_reaches_everything(copy_of_the_book):
    fork = "https://github.com/somebody/my-fork"
    author.stamp(fork, copy_of_the_book)
    assert author.repository(copy_of_the_book) == fork
    for path in copy_of_the_book.rglob("*.*"):
        assert URL not in path.read_text(encoding="utf-8"), path
    for name in LECTURES:
        nb = nbformat.read(copy_of_the_book / "book" / f"{name}.ipynb", 4)
        cells = {cell.id: cell.source for cell in nb.cells}
        assert cells["setup"] == author.setup_source(fork) and '/my-fork"' in cells["setup"]
        assert f"github/somebody/my-fork/blob/main/book/{name}.ipynb" in cells["colab"]
    author.stamp(URL, copy_of_the_book)
    for path in copy_of_the_book.rglob("*.*"):
        assert path.read_bytes() == (ROOT / path.relative_to(copy_of_the_book)).read_bytes(), path


@pytest.mark.parametrize(
    "url", ["", "github.com/a/b", "https://github.com/a", "https://github.com/a/b/", "ftp://x/a/b"]
)
def test_a_wrong_address_changes_nothing(copy_of_the_book, url):
    before = (copy_of_the_book / "_config.yml").read_bytes()
    with pytest.raises(SystemExit, match="must be like https://github.com/you/your-fork"):
        author.stamp(url, copy_of_the_book)
    assert (copy_of_the_book / "_config.yml").read_bytes() == before


def test_all_lectures_name_one_repository():
    for name in LECTURES:
        cells = {cell.id: cell.source for cell in read(name).cells}
        assert cells["setup"] == author.setup_source(URL)
        assert cells["colab"] == author.colab_source(URL, name)
