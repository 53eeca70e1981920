"""Execute the lectures in parallel into a cache that the renderer only reads.

`execute.py` fills the cache for the scale that BOOK_SCALE names; `execute.py one X.ipynb OUT.ipynb` runs one lecture.
The cache's folder is named by all that a result depends on beside the cells: scale, `utils/`, pins, Python.
"""

import concurrent.futures
import contextlib
import fcntl
import hashlib
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
WORKERS = 2
TIMEOUT = 1800  # seconds a cell; a lecture at book scale takes at most 150 in all


def lectures(toc: Path = ROOT / "_toc.yml", book: Path = BOOK) -> list[str]:
    """Return the notebooks that the table of contents names, in its order, such as "cnn/lenet"."""
    names = re.findall(r"^\s*-?\s*file: *(\S+)", toc.read_text(encoding="utf-8"), re.M)
    return [name for name in names if (book / f"{name}.ipynb").exists()]


def cache_folder(scale: str) -> Path:
    """Return the cache's folder for a scale."""
    digest = hashlib.sha256(f"{scale} {sys.version_info[:2]} static".encode())
    for path in sorted(
        [
            *(ROOT / "utils").glob("*.py"),
            ROOT / "requirements.txt",
            ROOT / "constraints.txt",
        ]
    ):
        digest.update(path.name.encode() + path.read_bytes())
    return ROOT / "_build" / "cache" / f"{scale}-{digest.hexdigest()[:12]}"


def environment(scale: str) -> dict[str, str]:
    """Return the variables under which a lecture gives the same page on every machine."""
    threads = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    ours = {
        "BOOK_SCALE": scale,
        "BOOK_STATIC": "1",
        "BOOK_DEVICE": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
    }
    return os.environ | threads | ours


def execute(source: Path, target: Path) -> dict[str, float]:
    """Run a notebook in its own folder, write it with its outputs, and return wall, CPU seconds and peak megabytes.

    Raises RuntimeError that names the lecture, the cell and the error.
    """
    nb = nbformat.read(source, as_version=4)
    where = {"metadata": {"path": str(source.parent)}}
    # Timings would enter the cache's key; printed text would be split by chance if it were not joined.
    options = {"timeout": TIMEOUT, "record_timing": False, "coalesce_streams": True}
    client = NotebookClient(nb, resources=where, **options)
    start = time.perf_counter()
    try:
        client.execute()
    except CellExecutionError as error:
        cell = next(c for c in nb.cells if any(o.output_type == "error" for o in c.get("outputs", [])))
        trace = re.sub(r"\x1b\[[0-9;]*m", "", error.traceback)
        raise RuntimeError(f"{source.stem}, cell {cell.id!r}: {error.ename}: {error.evalue}\n\n{trace}") from None
    except Exception as error:
        raise RuntimeError(f"{source.stem}: the notebook could not be run: {error}") from None
    seconds = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)  # the kernel, which has ended
    nbformat.write(nb, target)
    peak = used.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    return {
        "execution_seconds": seconds,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_mb": peak,
    }


def run_one(source: Path, scale: str) -> tuple[nbformat.NotebookNode, dict[str, float]]:
    """Run a lecture in a process of its own; returns it with its outputs, and what it used."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / source.name
        command = [sys.executable, __file__, "one", str(source), str(target)]
        done = subprocess.run(command, env=environment(scale), capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip().split("RuntimeError: ", 1)[-1])
        return nbformat.read(target, as_version=4), json.loads(done.stdout.strip().splitlines()[-1])


def fill(
    scale: str,
    book: Path = BOOK,
    toc: Path = ROOT / "_toc.yml",
    folder: Path | None = None,
) -> list[str]:
    """Execute every lecture that the cache lacks, a progress line each; return what failed, one text a lecture.

    Where another process fills the same cache, this one waits, and finds the lectures there.
    """
    folder = folder or cache_folder(scale)
    with alone(folder):
        return _fill(scale, book, toc, folder)


@contextlib.contextmanager
def alone(folder: Path):
    """Hold a folder for this process: two that write one cache would spoil it."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fill(scale: str, book: Path, toc: Path, folder: Path) -> list[str]:
    cache = get_cache(folder)
    waiting, names = [], lectures(toc, book)
    for name in names:
        nb = nbformat.read(book / f"{name}.ipynb", as_version=4)
        try:
            cache.match_cache_notebook(nb)
        except KeyError:
            waiting.append(name)
    print(
        f"{len(names)} lectures at {scale} scale: {len(waiting)} to run, {WORKERS} at a time",
        flush=True,
    )
    failures = []
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        jobs = {pool.submit(run_one, book / f"{name}.ipynb", scale): name for name in waiting}
        for count, job in enumerate(concurrent.futures.as_completed(jobs), 1):
            name = jobs[job]
            head = f"[{count}/{len(waiting)}] {name}"
            try:
                nb, used = job.result()
            except RuntimeError as error:
                failures.append(f"{name.rpartition('/')[0]}/{error}")
                print(f"{head}: FAILED", flush=True)
                continue
            bundle = CacheBundleIn(nb, str(book / f"{name}.ipynb"), data=used)
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
            print(
                f"{head}: {used['execution_seconds']:.0f} s, {used['peak_mb']:.0f} MB",
                flush=True,
            )
    return failures


def records(names: list[str], folder: Path, book: Path = BOOK) -> dict[str, dict]:
    """Return for each lecture what its run used, with the key `id`; a lecture that is not in the cache is missing."""
    cache, found = get_cache(folder), {}
    for name in names:
        try:
            record = cache.match_cache_notebook(nbformat.read(book / f"{name}.ipynb", as_version=4))
        except KeyError:
            continue
        found[name] = {**record.data, "id": f"{folder.name}/{record.hashkey}"}
    return found


def main(argv: list[str]) -> None:
    if argv[:1] == ["one"]:
        print(json.dumps(execute(Path(argv[1]), Path(argv[2]))))
        return
    failures = fill(os.environ.get("BOOK_SCALE", "book"))
    if failures:
        print("\n" + "\n\n".join(failures), file=sys.stderr)
        raise SystemExit(f"\n{len(failures)} lecture(s) failed: the book was not built.")


if __name__ == "__main__":
    main(sys.argv[1:])
