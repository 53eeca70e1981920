"""Every lecture's full branch for a few steps on the CPU: do names, shapes and files fit? `full_scale.py [NAME …]`

A full run takes a GPU and the data sets of the papers. Here `pick` chooses what is particular to it, the data set, its
size in pixels and the layout of the networks, and takes how many and how long from the smoke scale (`cut`). The data
sets come from generated files in the form of the real ones, through `utils.download` as it is. What a lecture claims
of trained networks is not asked, as at smoke scale.
"""

import contextlib
import functools
import shutil
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import generated_data
import nbformat
from torchvision import datasets

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "book/_ext"))
sys.path.append(str(Path(__file__).resolve().parents[1]))

import kernels
import run

from utils import common, data

TESTS = run.ROOT / "tests"
SCALE = "smoke"  # of all that is not particular to a full run
FOLDER = run.ROOT / "_build/full"
COLOURED = 200  # images in each of CIFAR-10's six files
NUMBER = int | float | None
PRETEND = """
import sys
sys.path.append({tests!r})
import full_scale
full_scale.pretend({address!r}, {folder!r})
"""
STAND_IN = "could not be loaded"  # what `data.load` says when it gives another data set


def cut(smoke, book, full):
    """Return what a full run has of its own, such as a name or a number of levels, and else the value for smoke."""
    if not isinstance(full, str | tuple | NUMBER) or full == book:
        return smoke
    if isinstance(full, tuple):
        particular = len(smoke) != len(full) or any(isinstance(part, str) for part in full)
        return full if particular else tuple(map(cut, smoke, book, full))
    if isinstance(full, str) or smoke == book:
        return full  # a number that is the same at both small scales is a size in pixels or a rate, and no count
    return smoke


def pretend(address: str, folder: str) -> None:
    """Let the lecture in this process, below its set-up cell, pick cut sizes and fetch the files of a folder there."""
    common.pick = lambda *, smoke, book, full: cut(smoke, book, full)
    point_to(address, Path(folder))


def point_to(address: str, folder: Path) -> None:
    """Let torchvision look for the data sets at an address where a folder is served, with its files' checksums."""
    for name, source in (("mnist", datasets.MNIST), ("fashion_mnist", datasets.FashionMNIST)):
        source.mirrors = [f"{address}/{name}/"]
        source.resources = [(file, md5_of(folder / name / file)) for file, _ in source.resources]
    cifar = datasets.CIFAR10
    archive = folder / cifar.filename
    cifar.url = f"{address}/{archive.name}"
    cifar.tgz_md5 = md5_of(archive)
    with tarfile.open(archive) as tar:
        sums = {Path(name).name: generated_data.md5(tar.extractfile(name).read()) for name in tar.getnames()}
    cifar.train_list = [[file, sums[file]] for file, _ in cifar.train_list]
    cifar.test_list = [[file, sums[file]] for file, _ in cifar.test_list]
    cifar.meta = cifar.meta | {"md5": sums[cifar.meta["filename"]]}


def md5_of(path: Path) -> str:
    return generated_data.md5(path.read_bytes())


def write_files(folder: Path) -> None:
    """Write small data sets in the form in which the real ones are published: the embedded digits, and noise."""
    digits = data.digits(28)
    truth = {"y": digits.y.numpy(), "y_test": digits.y_test.numpy()}
    for key in ("x", "x_test"):
        truth[key] = (getattr(digits, key) * 255).round().numpy()
    files = generated_data.idx_files(truth)
    for name in ("mnist", "fashion_mnist"):
        (folder / name).mkdir(parents=True)
        for file, body in files.items():
            (folder / name / file).write_bytes(body)
    members, _ = generated_data.make_cifar(2, COLOURED)
    (folder / datasets.CIFAR10.filename).write_bytes(generated_data.pack(members))


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder, and keeps no log."""

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine; yield the address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def fits(name: str, address: str, book: Path = run.BOOK, folder: Path = FOLDER) -> float:
    """Run a lecture in its full sizes, cut, on the files of a folder that is served; return its seconds.

    Raises RuntimeError that names the cell and the error, and when a data set was replaced by a stand-in.
    """
    nb = nbformat.read(book / f"{name}.ipynb", as_version=4)
    place = [cell.id for cell in nb.cells].index("setup")
    code = PRETEND.format(tests=str(TESTS), address=address, folder=str(folder))
    nb.cells.insert(place + 1, nbformat.v4.new_code_cell(code, id="pretend"))
    path = folder / "lectures" / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    for companion in (book / name).parent.glob(f"{path.stem}.*"):  # such as a recorded study
        shutil.copy(companion, path.parent)
    nbformat.write(nb, path)
    variables = run.environment(SCALE) | {"BOOK_DATA": str(folder / "cache"), "no_proxy": "127.0.0.1"}
    ran, used = kernels.call(run.execute, path, variables=variables, forked=kernels.can_fork(SCALE))
    printed = [output.text for cell in ran.cells for output in cell.get("outputs", []) if "text" in output]
    lines = [line for text in printed for line in text.splitlines() if STAND_IN in line]
    if lines:
        raise RuntimeError(f"{path.stem}: {lines[0]}")
    return used["execution_seconds"]


def main(names: list[str]) -> None:
    names = names or run.lectures()
    print(f"{len(names)} lectures in full sizes, cut, {run.workers()} at a time", flush=True)
    shutil.rmtree(FOLDER, ignore_errors=True)
    write_files(FOLDER)
    failures = []
    with served(FOLDER) as address:
        for name, found in run.in_turn(lambda name: fits(name, address), run.longest_first(names, SCALE)):
            failed = isinstance(found, RuntimeError)
            failures += [f"{name.rpartition('/')[0]}/{found}"] if failed else []
            print(f"{name}: {'FAILED' if failed else f'{found:.0f} s'}", flush=True)
    if failures:
        print("\n" + "\n\n".join(failures), file=sys.stderr)
        raise SystemExit(f"\n{len(failures)} lecture(s) do not fit the full scale.")


if __name__ == "__main__":
    main(sys.argv[1:])
