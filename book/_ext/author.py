"""Turn a lecture into one plain text file and back: `author.py view X.ipynb > X.txt`, `author.py write X.txt X.ipynb`.

The notebook is the source; the text is a view for editing. A cell begins with a line `=== KIND ID [option …]`:

    === md why                         Markdown
    === code valley                    code; options: tags=hide-input,nbval-skip   alt=A text up to the end of the line
    === setup                          the setup cell that all lectures share
    === colab cnn/lenet                the link to Colab that the site leaves out
    === solution sum                   a folded solution
    === refs references notes=000-25,003-14      the last cell, with the rows of the notes' map that the lecture teaches
"""

import re
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]
SETUP = """import subprocess
import sys
from pathlib import Path

url = "{url}"
folders = [Path.cwd(), *Path.cwd().parents, Path(Path(url).name)]
root = next((f for f in folders if (f / "utils/widgets.py").exists()), folders[-1])
clone = ["git", "clone", "-q", "--depth", "1", url]
if not root.exists() and subprocess.run(clone).returncode:
    raise SystemExit("The helpers could not be fetched: is there a connection?")
sys.path.insert(0, str(root.resolve()))"""
COLAB = "[Open this lecture on Colab]({address}) and pick a GPU there to run it at full size."
SOLUTION = {
    "tags": ["hide-cell"],
    "cellView": "form",
    "mystnb": {"code_prompt_show": "Solution"},
}
KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
}


def repository(root: Path = ROOT) -> str:
    """Return the repository's address as `_config.yml` has it."""
    return re.search(
        r"^\s+url: *(\S+)", (root / "_config.yml").read_text(encoding="utf-8"), re.M
    )[1]


def setup_source(url: str) -> str:
    """Return the setup cell for a repository."""
    return SETUP.format(url=url)


def colab_address(url: str, path: str) -> str:
    """Return where Colab opens a lecture; path: such as "cnn/lenet"."""
    return f"{url.replace('https://github.com', 'https://colab.research.google.com/github')}/blob/main/book/{path}.ipynb"


def colab_source(url: str, path: str) -> str:
    """Return the cell that links to Colab."""
    return COLAB.format(address=colab_address(url, path))


def write(text: str, url: str) -> nbformat.NotebookNode:
    """Return the notebook that a text view describes."""
    cells = []
    for head, body in re.findall(r"^=== (.+)\n((?:(?!=== ).*\n?)*)", text, re.M):
        kind, _, rest = head.strip().partition(" ")
        alt = re.search(r"\balt=(.*)$", rest)
        rest = rest[: alt.start()] if alt else rest
        name, *options = rest.split() or [kind]
        options = dict(option.split("=", 1) for option in options)
        body, meta = body.strip("\n"), {}
        if tags := options.get("tags"):
            meta["tags"] = tags.split(",")
        if alt:
            meta["mystnb"] = {"image": {"alt": alt[1].strip()}}
        if notes := options.get("notes"):
            meta["notes"] = notes.split(",")
        if kind == "setup":
            name, body, meta = "setup", setup_source(url), {"tags": ["hide-cell"]}
        elif kind == "colab":
            name, body, meta = (
                "colab",
                colab_source(url, name),
                {"tags": ["remove-cell"]},
            )
        elif kind == "solution":
            meta = {**SOLUTION, "mystnb": SOLUTION["mystnb"] | meta.get("mystnb", {})}
            body = body if body.startswith("# @title") else f"# @title Solution\n{body}"
        code = kind in ("code", "setup", "solution")
        make = nbformat.v4.new_code_cell if code else nbformat.v4.new_markdown_cell
        cells.append(make(body, id=name, metadata=meta))
    return nbformat.v4.new_notebook(cells=cells, metadata=KERNEL)


def view(nb: nbformat.NotebookNode) -> str:
    """Return the text view of a notebook."""
    parts = []
    for cell in nb.cells:
        meta, body = cell.metadata, f"\n{cell.source}\n"
        kind = "code" if cell.cell_type == "code" else "md"
        head = f"=== {kind} {cell.id}"
        if cell.id == "setup":
            head, body = "=== setup", ""
        elif cell.id == "colab":
            head, body = (
                "=== colab " + re.search(r"book/(\S+)\.ipynb", cell.source)[1],
                "",
            )
        elif meta.get("cellView") == "form":
            head = f"=== solution {cell.id}"
        elif "notes" in meta:
            head = f"=== refs {cell.id} notes={','.join(meta['notes'])}"
        elif meta.get("tags"):
            head += f" tags={','.join(meta['tags'])}"
        if alt := meta.get("mystnb", {}).get("image", {}).get("alt"):
            head += f" alt={alt}"
        parts.append(head + body)
    return "\n".join(parts)


def save(nb: nbformat.NotebookNode, path: Path) -> None:
    """Write a notebook as the repository keeps it: a line of text to a line, Chinese as it is."""
    nbformat.validate(nb)
    path.write_text(nbformat.writes(nb).rstrip() + "\n", encoding="utf-8")


def stamp(url: str, root: Path = ROOT) -> None:
    """Put a repository's address into `_config.yml`, the pages that name it, and every lecture.

    Raises SystemExit for anything but https://github.com/OWNER/NAME.
    """
    if not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", url):
        raise SystemExit(
            f"URL is {url!r}, but it must be like https://github.com/you/your-fork, without .git."
        )
    old = repository(root)
    for path in [
        root / "_config.yml",
        *root.glob("*.md"),
        *root.glob("*.cff"),
        *(root / "book").glob("*.md"),
    ]:
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(old, url), encoding="utf-8")
    for path in (root / "book").glob("*/*.ipynb"):
        nb = nbformat.read(path, 4)
        for cell in nb.cells:
            if cell.id == "setup":
                cell.source = setup_source(url)
            elif cell.id == "colab":
                cell.source = colab_source(url, f"{path.parent.name}/{path.stem}")
        save(nb, path)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["stamp", url]:
            stamp(url)
        case ["view", source]:
            print(view(nbformat.read(source, 4)))
        case ["write", source, target]:
            nb = write(Path(source).read_text(encoding="utf-8"), repository())
            save(nb, Path(target))
        case _:
            raise SystemExit(__doc__)
