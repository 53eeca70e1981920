"""Turn a lecture into one plain text file and back: `author.py view X.ipynb > X.txt`, `author.py write X.txt X.ipynb`.

The notebook is the source; the text is a view for editing. A cell begins with a line `=== KIND ID [option …]`:

    === md why                         Markdown
    === code valley                    code; options: tags=hide-input,nbval-skip   alt=A text up to the end of the line
    === setup                          the setup cell that all lectures share
    === colab cnn/lenet                the link to Colab that the site leaves out
    === solution sum                   a folded solution
    === refs references notes=000-25:chain,003-14:steps     the last cell; which cell teaches which row of the notes

Below the head of a cell may stand lines of metadata, of the first cell `@name`, `@needs` (slugs, with commas),
`@question`, `@formula` and `@minutes`, and of a cell that defines a term `@term momentum: its meaning in a sentence.`
"""

import re
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]
SETUP = """import re
import shutil
import subprocess
import sys
from pathlib import Path

url = "{url}"
folders = [Path.cwd(), *Path.cwd().parents, Path(Path(url).name)]


def version(folder):  # of the helpers in it; 0 where there are none
    file = folder / "utils/version.py"
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    found = re.search(r"^VERSION = (\\d+)$", text, re.M)
    return int(found[1]) if found else 0


root = next((f for f in folders if version(f)), folders[-1]).resolve()
clone = ["git", "clone", "-q", "--depth", "1", url, str(root)]
if not any(root.glob("*")):
    if shutil.which("git") is None:
        raise SystemExit("The helpers are fetched with git: install it first.")
    if subprocess.run(clone).returncode:
        raise SystemExit(
            "The helpers could not be fetched: is there a connection?"
        )
if version(root) < {version}:
    raise SystemExit(
        f"{{root}} holds no helpers, or older ones than this lecture needs: "
        "call git pull there, or remove it, and run this cell again."
    )
sys.path.insert(0, str(root))"""
COLAB = "[Open this lecture on Colab]({address}) and pick a GPU there to run it at full size."
FACTS = ("name", "needs", "question", "formula", "minutes")
FACT = re.compile(rf"@({'|'.join(FACTS)}|term) ")
KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}


def repository(root: Path = ROOT) -> str:
    """Return the repository's address as `_config.yml` has it."""
    config = (root / "_config.yml").read_text(encoding="utf-8")
    return re.search(r"^\s+url: *(\S+)", config, re.M)[1]


def helpers_version(root: Path = ROOT) -> int:
    """Return the version of the helpers in a checkout."""
    text = (root / "utils/version.py").read_text(encoding="utf-8")
    return int(re.search(r"^VERSION = (\d+)$", text, re.M)[1])


def setup_source(url: str) -> str:
    """Return the setup cell for a repository."""
    return SETUP.format(url=url, version=helpers_version())


def is_setup(source: str) -> bool:
    """Say whether a cell is the setup cell, for whatever repository and version of the helpers."""
    url = re.search(r'^url = "(\S+)"$', source, re.M)
    version = re.search(r"^if version\(root\) < (\d+):$", source, re.M)
    return bool(url and version) and source == SETUP.format(url=url[1], version=version[1])


def colab_address(url: str, path: str) -> str:
    """Return where Colab opens a lecture; path: such as "cnn/lenet"."""
    on_colab = url.replace("https://github.com", "https://colab.research.google.com/github")
    return f"{on_colab}/blob/main/book/{path}.ipynb"


def colab_source(url: str, path: str) -> str:
    """Return the cell that links to Colab."""
    return COLAB.format(address=colab_address(url, path))


def write(text: str, url: str) -> nbformat.NotebookNode:
    """Return the notebook that a text view describes."""
    cells = []
    for head, body in re.findall(r"^=== (.+)\n((?:(?!=== ).*\n?)*)", text, re.M):
        cells.append(_cell(head.strip(), body.strip("\n"), url))
    return nbformat.v4.new_notebook(cells=cells, metadata=KERNEL)


def _cell(head: str, body: str, url: str) -> nbformat.NotebookNode:
    """Return the cell that a head `KIND ID [option …]` and the lines below it describe."""
    kind, name, options = _head_parts(head)
    meta = _metadata(options)
    while FACT.match(body):
        line, _, body = body.partition("\n")
        _add_fact(meta, line)
    make = nbformat.v4.new_markdown_cell
    if kind in ("code", "setup", "solution"):
        make = nbformat.v4.new_code_cell
    if kind == "setup":
        name = "setup"
        body = setup_source(url)
        meta = {"tags": ["hide-cell"]}
    elif kind == "colab":
        body = colab_source(url, name)  # here the name is the lecture's
        name = "colab"
        meta = {"tags": ["remove-cell"]}
    elif kind == "solution":
        if not body.startswith("# @title"):
            body = f"# @title Solution\n{body}"
        meta = _solution_metadata(options)
    return make(body, id=name, metadata=meta)


def _head_parts(head: str) -> tuple[str, str, dict[str, str]]:
    """Return the kind, the ID (where there is none, the kind) and the options of a head."""
    kind, _, rest = head.partition(" ")
    words, *alt = re.split(r"\balt=", rest, maxsplit=1)  # the text after alt= may hold spaces
    name, *settings = words.split() or [kind]
    options = dict(setting.split("=", 1) for setting in settings)
    if alt:
        options["alt"] = alt[0].strip()
    return kind, name, options


def _metadata(options: dict[str, str]) -> dict:
    meta = {}
    if options.get("tags"):
        meta["tags"] = options["tags"].split(",")
    if "alt" in options:
        meta["mystnb"] = {"image": {"alt": options["alt"]}}
    if options.get("notes"):
        rows = options["notes"].split(",")
        meta["notes"] = dict(row.split(":") for row in rows) if ":" in rows[0] else rows
    return meta


def _add_fact(meta: dict, line: str) -> None:
    """Put a line such as `@minutes 40` or `@term momentum: a memory.` into the metadata of a cell."""
    key, _, value = line.removeprefix("@").partition(" ")
    if key == "term":
        term, _, meaning = value.partition(": ")
        meta.setdefault("terms", {})[term] = meaning
    elif key == "needs":
        meta["needs"] = [slug.strip() for slug in value.split(",") if slug.strip()]
    elif key == "minutes":
        meta["minutes"] = int(value)
    else:
        meta[key] = value


def _facts(meta: dict) -> list[str]:
    """Return the metadata of a cell as the lines that `_add_fact` reads."""
    lines = []
    for key in FACTS:
        if key in meta:
            value = meta[key] if key != "needs" else ", ".join(meta[key])
            lines.append(f"@{key} {value}")
    lines += [f"@term {term}: {meaning}" for term, meaning in meta.get("terms", {}).items()]
    return lines


def _solution_metadata(options: dict[str, str]) -> dict:
    """Return what folds a solution: on the site by its tag, on Colab as a form; of the options only alt counts."""
    shown = {"code_prompt_show": "Solution"}
    if "alt" in options:
        shown["image"] = {"alt": options["alt"]}
    return {"tags": ["hide-cell"], "cellView": "form", "mystnb": shown}


def view(nb: nbformat.NotebookNode) -> str:
    """Return the text view of a notebook."""
    return "\n".join(_cell_view(cell) for cell in nb.cells)


def _cell_view(cell: nbformat.NotebookNode) -> str:
    head = f"=== {_head(cell)}"
    image = cell.metadata.get("mystnb", {}).get("image", {})
    if image.get("alt"):
        head += f" alt={image['alt']}"
    if cell.id in ("setup", "colab"):  # their source follows from the head
        return head
    return "\n".join([head, *_facts(cell.metadata), cell.source]) + "\n"


def _head(cell: nbformat.NotebookNode) -> str:
    """Return the head of a cell's view without its alt text."""
    meta = cell.metadata
    if cell.id == "setup":
        return "setup"
    if cell.id == "colab":
        path = re.search(r"book/(\S+)\.ipynb", cell.source)[1]
        return f"colab {path}"
    if meta.get("cellView") == "form":
        return f"solution {cell.id}"
    if "notes" in meta:
        notes = meta["notes"]
        rows = [f"{row}:{notes[row]}" for row in notes] if isinstance(notes, dict) else notes
        return f"refs {cell.id} notes={','.join(rows)}"
    kind = "code" if cell.cell_type == "code" else "md"
    if meta.get("tags"):
        return f"{kind} {cell.id} tags={','.join(meta['tags'])}"
    return f"{kind} {cell.id}"


def save(nb: nbformat.NotebookNode, path: Path) -> None:
    """Write a notebook as the repository keeps it: a line of text to a line, Chinese as it is."""
    nbformat.validate(nb)
    path.write_text(nbformat.writes(nb).rstrip() + "\n", encoding="utf-8")


def stamp(url: str, root: Path = ROOT) -> None:
    """Put a repository's address into `_config.yml`, the pages that name it, and every lecture.

    Raises SystemExit for anything but https://github.com/OWNER/NAME.
    """
    if not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", url):
        raise SystemExit(f"URL is {url!r}, but it must be like https://github.com/you/your-fork, without .git.")
    old = repository(root)
    pages = [
        root / "_config.yml",
        *root.glob("*.md"),
        *root.glob("*.cff"),
        *(root / "book").glob("*.md"),
    ]
    for path in pages:
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
            stamp(url or repository())
        case ["view", source]:
            nb = nbformat.read(source, 4)
            sys.stdout.reconfigure(encoding="utf-8")  # as `write` reads it
            print(view(nb))
        case ["write", source, target]:
            text = Path(source).read_text(encoding="utf-8")
            nb = write(text, repository())
            save(nb, Path(target))
        case _:
            raise SystemExit(__doc__)
