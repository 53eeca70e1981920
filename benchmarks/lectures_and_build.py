"""What a lecture costs: a run at each scale, its share of the tests, and a build of the site, cold and warm."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book/_ext"))

import run  # noqa: E402 - the path is set above

PLANNED = 90  # lectures
PYTEST = ["-m", "pytest", "-q", "-n", "auto", "--maxprocesses", "8", "--dist", "loadgroup"]
EACH = ["tests/test_notebooks.py", "tests/test_site.py"]  # which grow with the number of lectures
TESTS = {  # what `make test` does: a command, and whether it grows with the number of lectures
    "first run of each lecture": (["book/_ext/run.py"], True),
    "rules, pages in the browser": ([*PYTEST, *EACH], True),
    "second run of each lecture": (["tests/second_run.py"], True),
    "helpers and build": ([*PYTEST, "tests", *(f"--ignore={path}" for path in EACH)], False),
}


def tables():
    heads = ["lecture", "scale", "wall, s", "processor, s", "memory, MB"]
    rows = list(runs())
    yield "Lectures, as their runs measured them", heads, rows
    if not torch.cuda.is_available():
        print("\nFull scale needs a CUDA GPU: not measured here.")
    yield "The tests, installation aside", ["what", "processor, s", "a lecture, s"], list(tests())
    cold = sum(row[2] for row in rows if row[1] == "book") / run.workers()
    yield "Building the site (book scale)", ["what", "wall, s", ""], list(builds(cold))


def runs():
    """Yield for each lecture and scale what its run used."""
    for scale in ("smoke", "book"):
        python("book/_ext/run.py", BOOK_SCALE=scale)
    for name in run.lectures():
        yield used(name, "smoke", run.record(name, "smoke"))
        yield used(name, "book", run.record(name, "book"))
        if torch.cuda.is_available():
            yield used(name, "full", run.run_one(run.BOOK / f"{name}.ipynb", "full")[1])


def used(name: str, scale: str, record: dict) -> list:
    return [name, scale, record["execution_seconds"], record["cpu_seconds"], record["peak_mb"]]


def tests():
    """Yield what each part of the tests takes with an empty cache, and what all would take with more lectures."""
    count = len(run.lectures())
    fixed = growing = 0
    with tempfile.TemporaryDirectory() as cache:
        for what, (command, grows) in TESTS.items():
            before = os.times()
            python(*command, BOOK_SCALE="smoke", BOOK_CACHE=cache)
            seconds = processor_seconds(os.times()) - processor_seconds(before)
            growing += seconds if grows else 0
            fixed += 0 if grows else seconds
            yield [what, seconds, seconds / count if grows else ""]
    yield [f"all, with {count} lectures", fixed + growing, growing / count]
    projected = fixed + PLANNED * growing / count
    minutes = projected / 60 / run.workers()
    yield [f"with {PLANNED}: {minutes:.0f} minutes on {run.workers()} cores", projected, growing / count]


def processor_seconds(times: os.times_result) -> float:
    """Return the processor time of all processes that have ended."""
    return times.children_user + times.children_system


def python(*command: str, **variables: str) -> None:
    """Run Python on a file of this repository, under the variables of the tests."""
    environment = run.environment(variables.pop("BOOK_SCALE"))
    del environment["BOOK_STATIC"]
    environment.update(variables)
    subprocess.run([sys.executable, *command], check=True, cwd=ROOT, env=environment, capture_output=True)


def builds(cold: float):
    """Yield what a build takes in wall time, from nothing at all to nothing to do."""
    yield ["nothing cached: all lectures run", cold, "estimate"]
    (ROOT / "_build/.doctrees-html/frame.txt").unlink(missing_ok=True)
    yield ["all pages rendered, runs cached", build(), "measured"]
    yield ["nothing changed", build(), "measured"]
    (run.BOOK / f"{run.lectures()[0]}.ipynb").touch()
    yield ["one lecture's file touched", build(), "measured"]


def build() -> float:
    start = time.perf_counter()
    python("book/_ext/run.py", BOOK_SCALE="book")
    python("book/_ext/render.py", "_build/html", BOOK_SCALE="book")
    return time.perf_counter() - start
