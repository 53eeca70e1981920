"""Run lectures into a cache that the renderer only reads, and read them back.

`run.py` runs what the cache lacks at the scale that BOOK_SCALE names; `run.py one X.ipynb OUT.ipynb` runs one lecture;
`run.py prune` removes runs that no lecture of this checkout needs.

A run lies in the cache as KEY.ipynb, the notebook with its outputs, and KEY.json, what it used; `keys.key` says on what
it depends. As the key says all, the cache may lie anywhere and be shared: the variable BOOK_CACHE names its folder.
"""

import contextlib
import fcntl
import json
import math
import os
import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

import kernels
import keys

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
TOC = ROOT / "_toc.yml"
SCALES = ("smoke", "book", "full")
TIMEOUT = 1800  # seconds a cell; a lecture at book scale takes at most 150 in all
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def lectures(toc: Path = TOC, book: Path = BOOK) -> list[str]:
    """Return the notebooks that the table of contents names, in its order, such as "cnn/lenet"."""
    names = re.findall(r"^\s*-?\s*file: *(\S+)", toc.read_text(encoding="utf-8"), re.M)
    return [name for name in names if (book / f"{name}.ipynb").exists()]


def named_scale(otherwise: str = "book") -> str:
    """Return the scale that the variable BOOK_SCALE names; raises SystemExit for one that does not exist."""
    scale = os.environ.get("BOOK_SCALE") or otherwise
    if scale not in SCALES:
        raise SystemExit(f"BOOK_SCALE is {scale!r}, but the scales are 'smoke', 'book' and 'full'.")
    return scale


def environment(scale: str) -> dict[str, str]:
    """Return the variables under which a lecture gives the same page on every machine."""
    threads = dict.fromkeys(THREADS, "1")
    ours = {
        "BOOK_SCALE": scale,
        "BOOK_STATIC": "1",
        "BOOK_DEVICE": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
    }
    return os.environ | threads | ours


def workers() -> int:
    """Return how many lectures run at a time: the variable BOOK_WORKERS, else one for each core of this process."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return int(os.environ.get("BOOK_WORKERS") or cores or 1)


# One run


def execute(source: Path) -> tuple[nbformat.NotebookNode, dict]:
    """Run a notebook in its own folder; return it with its outputs, and its wall, CPU seconds and peak megabytes.

    Raises RuntimeError that names the lecture, the cell and the error.
    """
    nb = nbformat.read(source, as_version=4)
    where = {"metadata": {"path": str(source.parent)}}
    # Timings would differ from run to run; printed text would be split by chance if it were not joined.
    options = {"timeout": TIMEOUT, "record_timing": False, "coalesce_streams": True}
    client = NotebookClient(nb, resources=where, **options)
    start = time.perf_counter()
    try:
        client.execute()
    except CellExecutionError as error:
        raise RuntimeError(f"{source.stem}, {what_failed(nb, error)}") from None
    except Exception as error:
        raise RuntimeError(f"{source.stem}: the notebook could not be run: {error}") from None
    return nb, used_since(start)


def what_failed(nb: nbformat.NotebookNode, error: CellExecutionError) -> str:
    """Return the cell that failed, its error, and the trace."""
    failed = next(cell for cell in nb.cells if "error" in kinds(cell))
    trace = re.sub(r"\x1b\[[0-9;]*m", "", error.traceback)
    return f"cell {failed.id!r}: {error.ename}: {error.evalue}\n\n{trace}"


def kinds(cell) -> list[str]:
    return [output.output_type for output in cell.get("outputs", [])]


def used_since(start: float) -> dict:
    """Return what the kernel used, which has ended, imports included."""
    seconds = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    imports = kernels.import_seconds()
    return {
        "execution_seconds": seconds + imports,
        "cpu_seconds": used.ru_utime + used.ru_stime + imports,
        "peak_mb": used.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3),
    }


def run_one(source: Path, scale: str, forked: bool | None = None) -> tuple[nbformat.NotebookNode, dict]:
    """Run a lecture in a process of its own; return it with its outputs, and what it used.

    forked: whether its kernel is a fork with the libraries imported; None decides by scale and machine.
    """
    forked = kernels.can_fork(scale) if forked is None else forked
    return kernels.call(execute, source, variables=environment(scale), forked=forked)


# The cache


def cache_folder() -> Path:
    return Path(os.environ.get("BOOK_CACHE") or ROOT / "_build/cache").expanduser().resolve()


def record(name: str, scale: str, book: Path = BOOK) -> dict | None:
    """Return what a lecture's run used, with its `key`; None where the cache lacks the run."""
    key = keys.key(book / f"{name}.ipynb", scale)
    path = cache_folder() / f"{key}.json"
    if not path.exists():
        return None
    return {"key": key, **json.loads(path.read_text(encoding="utf-8"))}


def cached(name: str, scale: str, book: Path = BOOK) -> tuple[nbformat.NotebookNode, dict] | None:
    """Return a lecture as its file has it now, with the outputs and the widgets of its run, and the run's record.

    None where the cache lacks the run.
    """
    found = record(name, scale, book)
    if found is None:
        return None
    nb = nbformat.read(book / f"{name}.ipynb", as_version=4)
    ran = nbformat.read(cache_folder() / f"{found['key']}.ipynb", as_version=4)
    give_outputs(nb, ran)
    return nb, found


def give_outputs(nb: nbformat.NotebookNode, ran: nbformat.NotebookNode) -> None:
    """Put the outputs and the widget state of a run into a notebook with the same code."""
    cells = {cell.id: cell for cell in ran.cells}
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs = cells[cell.id].outputs
            cell.execution_count = cells[cell.id].execution_count
    if "widgets" in ran.metadata:
        nb.metadata.widgets = ran.metadata.widgets


def ensure(source: Path, name: str, scale: str) -> dict | None:
    """Run a lecture into the cache, unless it is there or another process brings it; return what it used, or None."""
    key = keys.key(source, scale)
    entry = cache_folder() / f"{key}.json"
    with alone(entry.with_suffix(".lock")):
        if entry.exists():
            return None
        nb, used = execute(source)
        if keys.key(source, scale) != key:
            raise RuntimeError(f"{source.stem}: it, or a helper that it uses, was changed while it ran: run it again")
        write_whole(entry.with_suffix(".ipynb"), nbformat.writes(nb))
        write_whole(entry, json.dumps({"name": name, "scale": scale, **used}))
        return used


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold a lock file for this process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write_whole(path: Path, text: str) -> None:
    """Write a file so that nobody sees a part of it."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())  # also when the power fails
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def prune() -> int:
    """Remove what no lecture of this checkout needs from its own cache; return how many runs went."""
    if os.environ.get("BOOK_CACHE"):
        raise SystemExit("BOOK_CACHE names a cache that others may use: remove its old files by their age.")
    needed = set()
    for name in lectures():
        needed |= {keys.key(BOOK / f"{name}.ipynb", scale) for scale in SCALES}
    removed = set()
    for path in cache_folder().glob("*.*"):
        if path.stem not in needed:
            path.unlink()
            removed.add(path.stem)
    return len(removed)


# All runs


def fill(scale: str, names: Iterable[str] | None = None, book: Path = BOOK, toc: Path = TOC) -> list[str]:
    """Run every lecture that the cache lacks, a progress line each; return what failed, one text a lecture.

    names: the lectures, all of the table of contents where it is None.
    """
    names = lectures(toc, book) if names is None else list(names)
    missing = [name for name in names if record(name, scale, book) is None]
    print(f"{len(names)} lectures at {scale} scale: {len(missing)} to run, {workers()} at a time", flush=True)
    forked = kernels.can_fork(scale)
    variables = environment(scale)

    def run(name):
        return kernels.call(ensure, book / f"{name}.ipynb", name, scale, variables=variables, forked=forked)

    failures = []
    for count, (name, used) in enumerate(in_turn(run, longest_first(missing, scale)), 1):
        head = f"[{count}/{len(missing)}] {name}"
        if isinstance(used, RuntimeError):
            failures.append(f"{name.rpartition('/')[0]}/{used}")
            print(f"{head}: FAILED", flush=True)
        elif used is None:
            print(f"{head}: another process has run it", flush=True)
        else:
            print(f"{head}: {used['execution_seconds']:.0f} s, {used['peak_mb']:.0f} MB", flush=True)
    return failures


def in_turn(run: Callable, names: list[str]) -> Iterator[tuple[str, object]]:
    """Call `run` for each name, as many at a time as there are workers; yield each name with the result or error."""
    with ThreadPoolExecutor(workers()) as pool:
        jobs = {pool.submit(run, name): name for name in names}
        for job in as_completed(jobs):
            error = job.exception()
            if error is not None and not isinstance(error, RuntimeError):
                raise error
            yield jobs[job], error or job.result()


def longest_first(names: list[str], scale: str) -> list[str]:
    """Order lectures by the seconds of their latest run; first those that have never run."""
    latest = {}
    for path in sorted(cache_folder().glob("*.json"), key=lambda path: path.stat().st_mtime):
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["scale"] == scale:
            latest[found["name"]] = found["execution_seconds"]
    return sorted(names, key=lambda name: -latest.get(name, math.inf))


def main(argv: list[str]) -> None:
    match argv:
        case ["one", source, target]:
            nb, used = execute(Path(source).resolve())
            nbformat.write(nb, target)
            print(json.dumps(used))
        case ["prune"]:
            print(f"{prune()} runs removed")
        case []:
            failures = fill(named_scale())
            if failures:
                print("\n" + "\n\n".join(failures), file=sys.stderr)
                raise SystemExit(f"\n{len(failures)} lecture(s) failed: the book was not built.")
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
