"""The second execution of each lecture: it must print and draw what the first one, which fills the cache, did.

`second_run.py [NAME …]` runs lectures under nbval against their cached runs at smoke scale, one text for each cell that
differs. nbval compares text and HTML, in which the still frames of explorers stand; here it compares pictures too. In a
cell whose id begins with "clock" numbers are measured times: there only the words count.
"""

import contextlib
import copy
import io
import re
import shutil
import sys
from pathlib import Path

import nbformat
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "book/_ext"))

import kernels
import run

SCALE = "smoke"
FOLDER = run.ROOT / "_build/nbval"  # inside the repository, where the setup cell finds `utils`
PICTURES = {"image/png", "image/jpeg"}  # which nbval leaves out
WIDTH = 160  # of what is said of a difference
OPTIONS = ["--nbval", "--capture=no", "-p", "no:cacheprovider", f"--nbval-cell-timeout={run.TIMEOUT}"]


class Strict:
    """A pytest plugin: nbval with pictures compared, clocks forgiven, and the cells that differ kept."""

    def __init__(self):
        self.faults: list[str] = []

    def pytest_collection_modifyitems(self, items):
        for item in items:
            item.parent.skip_compare = set(item.parent.skip_compare) - PICTURES
            compare_shown(item)

    def pytest_runtest_makereport(self, item, call):
        if call.excinfo is not None:
            said = "\n".join(call.excinfo.value.args)
            trace = getattr(call.excinfo.value, "inner_traceback", None) or ""
            self.faults.append(legible(f"cell {item.cell.id!r}: {said}\n{trace}"))


def compare_shown(item) -> None:
    """Let nbval compare only what may not differ of a cell's outputs."""
    compare = item.compare_outputs
    clock = item.cell.id.startswith("clock")
    item.compare_outputs = lambda new, old: compare(shown(new, clock), shown(old, clock))


def shown(outputs: list, clock: bool) -> list:
    """Return outputs without echoed objects, and those of a clock with 0 in place of each number.

    A lecture echoes nothing, which `rules.output_faults` sees; but under nbval a closing semicolon hides no echo.
    """
    kept = [copy.deepcopy(output) for output in outputs if output.output_type != "execute_result"]
    for output in kept:
        if clock and output.output_type == "stream":
            output.text = re.sub(r" *[\d.,]+", " 0", output.text)  # a number of more digits has fewer spaces before it
    return kept


def legible(text: str) -> str:
    """Return a text without colours and without the rest of the lines that hold a picture."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", text).strip().splitlines()
    return "\n".join(line[:WIDTH] for line in lines if line.strip())


def compare(notebook: Path) -> list[str]:
    """Run a notebook under nbval in this process; return a text for each cell that differs from what is stored."""
    strict = Strict()
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = pytest.main([str(notebook), *OPTIONS], plugins=[strict])
    if code and not strict.faults:
        return [f"nbval could not run it:\n{said.getvalue()}"]
    return strict.faults


def differences(name: str, book: Path = run.BOOK, folder: Path = FOLDER) -> list[str]:
    """Run a lecture a second time; return what differs from its cached run, one text a cell.

    Raises RuntimeError when the lecture is not in the cache.
    """
    found = run.cached(name, SCALE, book)
    if found is None:
        raise RuntimeError(f"{name} has not been run at {SCALE} scale")
    path = folder / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    for companion in (book / name).parent.glob(f"{path.stem}.*"):  # such as a recorded study
        shutil.copy(companion, path.parent)
    nbformat.write(found[0], path)
    faults = kernels.call(compare, path, variables=run.environment(SCALE), forked=kernels.can_fork(SCALE))
    return [f"{name}, {fault}" for fault in faults]


def main(names: list[str]) -> None:
    names = names or run.lectures()
    print(f"{len(names)} lectures run a second time, {run.workers()} at a time", flush=True)
    failures = []
    for name, found in run.in_turn(differences, run.longest_first(names, SCALE)):
        failures += [str(found)] if isinstance(found, RuntimeError) else found
        print(f"{name}: {'FAILED' if found else 'the same'}", flush=True)
    if failures:
        print("\n" + "\n\n".join(failures), file=sys.stderr)
        raise SystemExit(f"\n{len(failures)} cell(s) do not print and draw the same twice.")


if __name__ == "__main__":
    main(sys.argv[1:])
