"""How long each lecture runs at each scale, and how long the site takes to build, cold and warm."""

import contextlib
import io
import subprocess
import sys
import time
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book/_ext"))

import execute  # noqa: E402 - the path is set above


def tables():
    names, rows = execute.lectures(), []
    scales = ["smoke", "book"] + (["full"] if torch.cuda.is_available() else [])
    for name in names:
        for scale in scales:
            if scale == "full":
                _, used = execute.run_one(ROOT / "book" / f"{name}.ipynb", scale)
            else:
                with contextlib.redirect_stdout(io.StringIO()):
                    execute.fill(scale)
                used = execute.records([name], execute.cache_folder(scale))[name]
            rows.append([name, scale, used["execution_seconds"], used["cpu_seconds"], used["peak_mb"]])
    yield (
        "Lectures, as the cached runs measured them",
        ["lecture", "scale", "wall, s", "processor, s", "memory, MB"],
        rows,
    )
    if "full" not in scales:
        print("\nFull scale needs a CUDA GPU: not measured here.")

    rows = [
        ["nothing cached: run all, render all", sum(r[2] for r in rows if r[1] == "book") / execute.WORKERS, "estimate"]
    ]
    for label, change in (
        ("all pages rendered, runs cached", fresh),
        ("nothing changed", None),
        ("one lecture's text changed", touch),
    ):
        if change:
            change()
        rows.append([label, render(), "measured"])
    yield "Building the site (book scale)", ["what", "wall, s", ""], rows


def render():
    start = time.perf_counter()
    for script in (["execute.py"], ["build.py", str(ROOT / "_build/html")]):
        command = [sys.executable, str(ROOT / "book/_ext" / script[0]), *script[1:]]
        subprocess.run(command, check=True, env=execute.environment("book"), capture_output=True)
    return time.perf_counter() - start


def fresh():
    (ROOT / "_build/.doctrees-html/frame.txt").unlink(missing_ok=True)


def touch():
    path = ROOT / "book" / f"{execute.lectures()[0]}.ipynb"
    path.touch()
