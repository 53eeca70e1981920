"""Fetch, verify, replace: data sets from the network, of which nothing half-written is ever used."""

import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

SOURCES = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST", "cifar10": "CIFAR10"}  # classes of torchvision.datasets
TIMEOUT = 10  # seconds without an answer
STAGE = ".incomplete-"


def cache() -> Path:
    """Return the folder of the data sets: the variable BOOK_DATA, else ~/.cache/deep-learning-you-can-run.

    Raises OSError where there is no home directory.
    """
    folder = Path(os.environ.get("BOOK_DATA") or "~/.cache/deep-learning-you-can-run")
    try:
        return folder.expanduser()
    except RuntimeError:
        raise OSError("there is no home directory, and BOOK_DATA names no other folder") from None


def fetch(name: str) -> dict[str, np.ndarray]:
    """Return the data set "mnist", "fashion_mnist" or "cifar10", from the cache or else from the network.

    x, x_test: bytes (N, C, H, W). y, y_test: int64 (N,). classes: names (K,). The archives are compared with the MD5
    sums that torchvision carries. One file then holds all arrays, with checksums that every reading verifies; it is
    written in a folder beside its place, then renamed.

    Raises OSError, its message one clause without a full stop, when the data cannot be had, and ValueError for another
    name.
    """
    if name not in SOURCES:
        raise ValueError(f"name is {name!r}, but it must be one of {', '.join(map(repr, SOURCES))}.")
    target = cache() / f"{name}.npz"
    with contextlib.suppress(Exception):  # absent, or damaged in whatever way: fetch it (again)
        return _read(target)
    with contextlib.ExitStack() as stack:
        with _explained(f"the folder {target.parent} cannot be used"):
            stage = stack.enter_context(_staging(target.parent))
        _download(name, stage)
        with _explained("what was downloaded cannot be read"):
            arrays = _parse(name, stage)
        with _explained(f"the file {target} cannot be written"):
            np.savez(stage / target.name, **arrays)
            os.replace(stage / target.name, target)
    return arrays


def _read(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        if file.zip.testzip():  # compares the CRC-32 of every member
            raise OSError(f"{path} is damaged")
        return {key: file[key] for key in ("x", "y", "x_test", "y_test", "classes")}


@contextlib.contextmanager
def _staging(parent: Path) -> Iterator[Path]:
    """Yield an empty folder in `parent` that vanishes afterwards; remove those that killed processes left.

    Who stages holds a shared lock on `parent`, which ends with the process: who gets it alone knows the others dead.
    Two processes may fetch the same set at once: the last rename wins, and both files are whole.
    """
    parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        if fcntl:
            lock = os.open(parent, os.O_RDONLY)
            stack.callback(os.close, lock)
            with contextlib.suppress(OSError):  # another process is staging, or the file system has no locks
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                for left in parent.glob(f"{STAGE}*"):
                    shutil.rmtree(left, ignore_errors=True)
            with contextlib.suppress(OSError):
                fcntl.flock(lock, fcntl.LOCK_SH)
        stage = tempfile.TemporaryDirectory(prefix=STAGE, dir=parent)
        yield Path(stack.enter_context(stage))


def _source(name: str) -> type:
    from torchvision import datasets  # here, because it takes two seconds

    return getattr(datasets, SOURCES[name])


def _download(name: str, stage: Path) -> None:
    """Download and extract the archives of `name` to where its torchvision class looks for them under `stage`."""
    from torchvision.datasets.utils import extract_archive

    source = _source(name)
    if name == "cifar10":
        archives = [(source.filename, source.tgz_md5, [source.url])]
    else:
        archives = []
        for file, md5 in source.resources:
            urls = [mirror + file for mirror in source.mirrors]
            archives.append((file, md5, urls))
        stage = stage / source.__name__ / "raw"
    for file, md5, urls in archives:
        problems = []
        for url in urls:
            problem = _download_one(url, stage / file, md5)
            if not problem:
                break
            problems.append(problem)
        else:
            raise OSError(problems[0])
        with _explained(f"{file} cannot be extracted"):
            extract_archive(str(stage / file))


def _download_one(url: str, path: Path, md5: str) -> str:
    """Download a file; return what went wrong, or "" when its MD5 sum is right."""
    from torchvision.datasets.utils import check_integrity, download_url

    path.unlink(missing_ok=True)  # what another mirror left
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)  # torchvision sets none
    try:
        download_url(url, str(path.parent), path.name)
    except Exception as error:  # URLError, HTTPException, TimeoutError, RecursionError, …
        return f"{path.name} cannot be downloaded: {_clause(error)}"
    finally:
        socket.setdefaulttimeout(before)
    if check_integrity(str(path), md5):
        return ""
    return f"{path.name} is truncated or altered: its checksum differs"


def _parse(name: str, stage: Path) -> dict[str, np.ndarray]:
    arrays = {}
    for suffix in ("", "_test"):
        part = _source(name)(str(stage), train=not suffix)
        x = np.asarray(part.data)
        if x.ndim == 3:  # grey images (N, H, W)
            x = x[:, None]  # (N, 1, H, W)
        else:  # colour images (N, H, W, 3)
            x = np.ascontiguousarray(x.transpose(0, 3, 1, 2))  # (N, 3, H, W)
        arrays[f"x{suffix}"] = x
        arrays[f"y{suffix}"] = np.asarray(part.targets, dtype=np.int64)
    names = [title.split(" - ")[0] for title in part.classes]  # "0", not "0 - zero"
    arrays["classes"] = np.array(names)
    return arrays


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise OSError(f"{what}: {_clause(error)}") from error


def _clause(error: Exception) -> str:
    reason = getattr(error, "reason", error)  # URLError wraps the cause
    text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return text.splitlines()[0].rstrip(".")
