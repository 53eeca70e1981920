"""Everything that concerns one lecture, and nothing else: `make lecture L=cnn/lenet`, at smoke scale; SCALE=book.

Rules, layout, run, each cell once more, page, sliders in the browser, and a sheet with the frames of each explorer. It
says what to open and what each step took; faults are one sentence each, and end it with an exit status that is not 0.
"""

import base64
import io
import math
import posixpath
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat

import author
import run

# The other imports stand in the steps that need them: every process that runs a lecture imports this file, too.

ROOT = run.ROOT
sys.path.insert(0, str(ROOT / "tests"))  # where the rules are
FOLDER = ROOT / "_build/lecture"
STATE = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"
LINK = re.compile(r"\]\((?![a-z]+:|#|/)([^)\s#]+)([^)\s]*)\)")  # to a file of the book
SHEET_WIDTH = 2400  # pixels


def rules(name: str) -> list[str]:
    """Return what breaks the house rules, density of code among them."""
    import rules

    return rules.faults(read(name), name, author.repository())


def read(name: str) -> nbformat.NotebookNode:
    return nbformat.read(run.BOOK / f"{name}.ipynb", as_version=4)


def layout(name: str) -> list[str]:
    """Return what ruff finds in the lecture."""
    path = f"book/{name}.ipynb"
    checked = ruff("check", "--output-format=concise", path)
    faults = [line for line in checked.stdout.splitlines() if line.startswith("book/")]
    if ruff("format", "--check", path).returncode:
        faults.append(f"the code is not laid out as ruff does it: ruff format {path}")
    return faults


def ruff(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "ruff", "--quiet", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8")


def execution(name: str, scale: str) -> list[str]:
    """Run the lecture, unless its run lies in the cache; return what failed or was written where it should not."""
    import rules

    failures = run.fill(scale, [name])
    if failures:
        return failures
    notebook, used = run.cached(name, scale)
    print(f"  it took {used['cpu_seconds']:.0f} processor seconds and {used['peak_mb']:.0f} MB")
    return rules.output_faults(notebook)


def each_again(name: str) -> list[str]:
    """Run each cell once more from the end, at smoke scale; return what raises or shows something else."""
    import again

    return again.faults(name, "smoke")


def page(name: str, scale: str, folder: Path) -> list[str]:
    """Build the lecture's page, in a book of its own, into folder/html."""
    import render

    source = folder / "source"
    faults = write_book(name, source)
    toc = folder / "toc.yml"
    toc.write_text(f"format: jb-book\nroot: intro\nchapters:\n  - file: {name}\n", encoding="utf-8")
    if render.render(folder / "html", scale, source, toc):
        faults.append("the page could not be built: the lines above say why")
    return faults


def write_book(name: str, source: Path) -> list[str]:
    """Write a book of this lecture alone; return its links that lead nowhere.

    What it says of other lectures cannot be resolved there: links lead to the repository, needs are left out.
    """
    original = run.BOOK / f"{name}.ipynb"
    (source / name).parent.mkdir(parents=True, exist_ok=True)
    for path in original.parent.glob(f"{original.stem}.*"):
        shutil.copy(path, (source / name).parent)
    shutil.copytree(run.BOOK / "_static", source / "_static", dirs_exist_ok=True)
    write_changed(source / "intro.md", f"# A lecture\n\n[Here]({name}.ipynb).\n")
    notebook = read(name)
    notebook.cells[0].metadata["needs"] = []
    faults = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            faults += [f"the link to {target} leads nowhere" for target in dead_links(cell.source, original)]
            cell.source = LINK.sub(lambda link: elsewhere(link, name), cell.source)
    author.save(notebook, source / f"{name}.ipynb")
    return faults


def write_changed(path: Path, text: str) -> None:
    """Write a file, unless it reads so already: then Sphinx need not read it again."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def dead_links(text: str, original: Path) -> list[str]:
    targets = [target for target, _ in LINK.findall(text)]
    return [target for target in targets if not (original.parent / target).exists()]


def elsewhere(link: re.Match, name: str) -> str:
    """Return a link to another page of the book as one to the file in the repository."""
    path = posixpath.normpath(posixpath.join("book", posixpath.dirname(name), link[1]))
    return f"]({author.repository()}/blob/main/{path}{link[2]})"


def sliders(name: str, folder: Path) -> list[str]:
    """Visit the page in a browser: every slider to both ends, console, network, dark mode, phone."""
    import browser

    if browser.find() is None:
        return [browser.HELP]
    with browser.serve(folder / "html", {}) as origin, browser.launch() as chromium:
        return browser.visit(chromium.new_context(), origin, name, explorers=True)


def sheets(name: str, scale: str, folder: Path) -> Iterator[Path]:
    """Write all frames of each explorer into one picture; yield the pictures' paths."""
    notebook, _ = run.cached(name, scale)
    state = notebook.metadata.get("widgets", {}).get(STATE, {}).get("state", {})
    for old in folder.glob("*.png"):
        old.unlink()
    for cell in notebook.cells:
        views = [output.data[VIEW] for output in cell.get("outputs", []) if VIEW in output.get("data", {})]
        for number, view in enumerate(views, 1):
            found = list(frames(state, view["model_id"]))
            if found:
                path = folder / f"{cell.id}-{number}.png"
                write_sheet(found, path)
                yield path


def frames(state: dict, model: str) -> Iterator[bytes]:
    """Yield the pictures in a widget and in those that it holds."""
    widget = state.get(model.removeprefix("IPY_MODEL_"), {}).get("state", {})
    value = widget.get("value")
    if isinstance(value, str):
        yield from map(base64.b64decode, re.findall(r'src="data:image/\w+;base64,([^"]+)"', value))
    for child in widget.get("children", []):
        yield from frames(state, child)


def write_sheet(pictures: list[bytes], path: Path) -> None:
    """Write pictures in rows, as many in a row as a screen shows."""
    from PIL import Image

    images = [Image.open(io.BytesIO(picture)).convert("RGB") for picture in pictures]
    width = max(image.width for image in images)
    height = max(image.height for image in images)
    columns = min(len(images), max(1, SHEET_WIDTH // width))
    rows = math.ceil(len(images) / columns)
    sheet = Image.new("RGB", (columns * width, rows * height), "white")
    for place, image in enumerate(images):
        row, column = divmod(place, columns)
        sheet.paste(image, (column * width, row * height))
    sheet.save(path)


def step(title: str, function: Callable, *arguments) -> list[str]:
    """Do a step and say what it took; return its faults."""
    start = time.perf_counter()
    faults = function(*arguments)
    print(f"{title}: {time.perf_counter() - start:.1f} s{'' if faults else ', fine'}", flush=True)
    for fault in faults:
        print(f"  {fault}", flush=True)
    return faults


def check(name: str, scale: str) -> list[str]:
    """Do all steps, as far as they can be done; return the faults."""
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    faults = step("rules", rules, name)
    faults += step("layout", layout, name)
    faults += step("run", execution, name, scale)
    if run.cached(name, scale) is None:
        return faults
    faults += step("each cell again", each_again, name)
    faults += step("page", page, name, scale, folder)
    if (folder / f"html/{name}.html").exists():
        faults += step("sliders", sliders, name, folder)
    drawn = list(sheets(name, scale, folder))
    print("\nLook at:")
    for path in [folder / f"html/{name}.html", *drawn]:
        print(f"  {path.relative_to(ROOT)}")
    return faults


def main(name: str) -> None:
    name = name.removeprefix("book/").removesuffix(".ipynb")
    if name not in run.lectures():
        raise SystemExit(f"{name!r} is not a lecture of _toc.yml: make lecture L=part/slug, such as L=cnn/lenet.")
    scale = run.named_scale("smoke")
    start = time.perf_counter()
    faults = check(name, scale)
    print(f"\n{time.perf_counter() - start:.0f} s in all")
    if faults:
        raise SystemExit(f"\n{len(faults)} fault(s), listed above.")


if __name__ == "__main__":
    main(sys.argv[1] if sys.argv[1:] else "")
