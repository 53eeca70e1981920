"""The setup cell in an empty folder, and a fork's address on everything."""

import ast
import hashlib
import os
import shutil
import subprocess
import sys

import author
import nbformat
import pytest
import reach
from conftest import LECTURES, ROOT, read

URL = author.repository()
NAME = URL.rsplit("/", 1)[-1]
OFFERED = (3, "3cb10bf29762")  # the version of the helpers, and the checksum of what they offer


def run_setup(folder, source, origin, **variables):
    """Run a setup cell as Colab would; `origin` is cloned wherever it names the repository."""
    redirect = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.{origin}.insteadOf", "GIT_CONFIG_VALUE_0": URL}
    code = f"{source}\nfrom utils import version\nprint(version.__file__)"
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    environment |= redirect | variables
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
    first = run_setup(tmp_path, author.setup_source(URL), origin)
    assert first.returncode == 0, first.stderr
    assert first.stdout.strip() == str(tmp_path / NAME / "utils/version.py")
    second = run_setup(tmp_path, author.setup_source(URL), "/nowhere")
    assert second.returncode == 0, second.stderr
    inside = tmp_path / NAME / "book/part"
    inside.mkdir(parents=True)
    assert run_setup(inside, author.setup_source(URL), "/nowhere").returncode == 0


def test_setup_fills_an_empty_folder_of_the_right_name(tmp_path, origin):
    (tmp_path / NAME).mkdir()
    done = run_setup(tmp_path, author.setup_source(URL), origin)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / NAME / "utils/version.py")


def test_setup_passes_by_the_utils_of_another_project(tmp_path, origin):
    (tmp_path / "utils").mkdir()
    (tmp_path / "utils/version.py").write_text('__version__ = "2.0"\n')
    done = run_setup(tmp_path, author.setup_source(URL), origin)
    assert done.stdout.strip() == str(tmp_path / NAME / "utils/version.py"), done.stderr


def half_a_clone(folder):
    (folder / ".git/objects").mkdir(parents=True)


def without_a_version(folder):
    (folder / "utils").mkdir(parents=True)
    (folder / "utils/widgets.py").write_text("")


def of_an_old_version(folder):
    without_a_version(folder)
    (folder / "utils/version.py").write_text('"""The version."""\n\nVERSION = 1\n')


@pytest.mark.parametrize("left", [half_a_clone, without_a_version, of_an_old_version])
def test_setup_names_a_folder_that_holds_none_of_the_helpers_it_needs(tmp_path, origin, left, monkeypatch):
    monkeypatch.setattr(author, "helpers_version", lambda: 2)
    left(tmp_path / NAME)
    done = run_setup(tmp_path, author.setup_source(URL), origin)
    assert done.returncode != 0
    assert done.stderr.strip() == (
        f"{tmp_path / NAME} holds no helpers, or older ones than this lecture needs: "
        "call git pull there, or remove it, and run this cell again."
    )


def test_newer_helpers_will_do(tmp_path, origin, monkeypatch):
    newer = author.helpers_version() - 1
    monkeypatch.setattr(author, "helpers_version", lambda: newer)
    assert run_setup(tmp_path, author.setup_source(URL), origin).returncode == 0


def test_setup_says_what_is_missing_when_it_cannot_clone(tmp_path):
    done = run_setup(tmp_path, author.setup_source(URL), "/nowhere")
    assert done.returncode != 0
    assert done.stderr.strip().splitlines()[-1] == "The helpers could not be fetched: is there a connection?"
    assert "Traceback" not in done.stderr


def test_setup_says_that_git_is_missing(tmp_path, origin):
    done = run_setup(tmp_path, author.setup_source(URL), origin, PATH=str(tmp_path))
    assert done.returncode != 0
    assert done.stderr.strip() == "The helpers are fetched with git: install it first."


def offered() -> str:
    """Return what the helpers offer to lectures: the public names of each module, those of functions with arguments."""
    lines = []
    for path in sorted((ROOT / "utils").glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            arguments = ast.unparse(node.args) if isinstance(node, ast.FunctionDef) else ""
            names = [name for name in reach.defines(node) if not name.startswith("_")]
            if not isinstance(node, ast.Import | ast.ImportFrom):
                lines += [f"{path.stem}.{name}({arguments})" for name in names]
    return "\n".join(lines)


def test_what_offers_something_else_has_another_version():
    found = hashlib.sha256(offered().encode()).hexdigest()[:12]
    assert (author.helpers_version(), found) == OFFERED, (
        "The helpers offer other names or arguments than before. If a lecture uses them, raise VERSION in "
        f"utils/version.py and call `make repository`; then OFFERED here is the version and {found!r}."
    )


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
