"""Can each cell be run again and alone? `again.py [NAME …]` tries all lectures, or those that are named.

After a run from top to bottom each cell of code runs once more in the same kernel, from the last one to the first, as
with a reader who goes back to a cell. It must not raise then, and must show what it did: a name that it reads was not
given another meaning since, and what it draws at random has a seed. The variable BOOK_SCALE names the scale.
"""

import copy
import os
import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

import kernels
import run

WIDTH = 120  # characters of what is said of a difference
SHOWN = ("text/plain", "text/html", "image/png")


def faults(name: str, scale: str, book: Path = run.BOOK) -> list[str]:
    """Run a lecture and each of its cells once more; return a text for each cell that raises or shows something else.

    Raises RuntimeError when the lecture does not run from top to bottom.
    """
    source = book / f"{name}.ipynb"
    return kernels.call(twice, source, variables=run.environment(scale), forked=kernels.can_fork(scale))


def twice(source: Path) -> list[str]:
    """Run a notebook and each of its cells once more, in this process."""
    nb = nbformat.read(source, as_version=4)
    cells = [cell for cell in nb.cells if cell.cell_type == "code"]
    again = copy.deepcopy(cells[::-1])
    for cell in again:
        cell.id = f"{cell.id}-again"
    nb.cells = cells + again
    where = {"metadata": {"path": str(source.parent)}}
    NotebookClient(nb, resources=where, timeout=run.TIMEOUT, allow_errors=True, coalesce_streams=True).execute()
    found = []
    for cell, second in zip(cells, reversed(again)):
        error = raised(cell)
        if error and "raises-exception" not in cell.metadata.get("tags", []):
            raise RuntimeError(f"{source.stem}, cell {cell.id!r}: {error}")
        found += differences(cell, second)
    return found


def raised(cell) -> str:
    """Return the error that a cell ended with, or ""."""
    errors = [output for output in cell.outputs if output.output_type == "error"]
    return f"{errors[0].ename}: {errors[0].evalue}" if errors else ""


def differences(cell, second) -> list[str]:
    """Return what differs when a cell runs a second time, one text for its error or its first difference."""
    if raised(second) and not raised(cell):
        return [f"cell {cell.id!r}: run again, it raises {raised(second)}"]
    clock = cell.id.startswith("clock")
    one = shown(cell.outputs, clock)
    two = shown(second.outputs, clock)
    if len(one) != len(two):
        return [f"cell {cell.id!r}: run again, it has {len(two)} outputs, not {len(one)}"]
    for (kind, before), (_, after) in zip(one, two):
        if before != after:
            what = first_difference(before, after) if kind == "text" else "another picture"
            return [f"cell {cell.id!r}: run again, it shows {what}"]
    return []


def shown(outputs: list, clock: bool) -> list[tuple[str, str]]:
    """Return what a reader sees of a cell's outputs, a kind and a content each; of a clock without its numbers."""
    found = []
    for output in outputs:
        if output.output_type == "stream":
            text = re.sub(r"[\d.,]+", "0", output.text) if clock else output.text
            found.append(("text", text))
        for kind in ("text/html", "image/png"):
            if kind in output.get("data", {}):
                found.append((kind, output.data[kind]))
    return found


def first_difference(before: str, after: str) -> str:
    """Return the first line that differs, and what it was."""
    one = before.splitlines()
    two = after.splitlines()
    for old, new in zip(one, two):
        if old != new:
            return f"{new[:WIDTH]!r}, not {old[:WIDTH]!r}"
    return f"{len(two)} lines, not {len(one)}"


def main(names: list[str]) -> None:
    names = names or run.lectures()
    scale = os.environ.get("BOOK_SCALE", "smoke")
    print(f"{len(names)} lectures at {scale} scale, each cell twice, {run.workers()} at a time", flush=True)

    failures = []
    for name, found in run.in_turn(lambda name: faults(name, scale), run.longest_first(names, scale)):
        texts = [str(found)] if isinstance(found, RuntimeError) else found
        failures += [f"{name}, {text}" for text in texts]
        print(f"{name}: {'FAILED' if texts else 'fine'}", flush=True)
    if failures:
        print("\n" + "\n".join(failures), file=sys.stderr)
        raise SystemExit(f"\n{len(failures)} cell(s) cannot be run again.")


if __name__ == "__main__":
    main(sys.argv[1:])
