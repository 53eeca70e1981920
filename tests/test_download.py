"""Downloads from a server on this machine, in the real formats: good, broken, interrupted, and damaged afterwards."""

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from generated_data import IMAGES, LABELS, TRAINING_BATCHES, make_cifar, make_idx, md5, pack
from torchvision import datasets

from utils import data, download

KEYS = ("x", "y", "x_test", "y_test", "classes")


class Site:
    """A server: `files` by path, `asked` for; it sends `share` of a body, calls `before(path)`, and hangs up.

    Both are those of the moment when the request came.
    """

    def __init__(self):
        self.files = {}
        self.asked = []
        self.share = 1.0
        self.before = lambda path: None
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                site.asked.append(self.path)
                body = site.files.get(self.path, b"")
                sent = int(len(body) * site.share)  # before the header, for a test may change both when it arrives
                before = site.before
                self.send_response(200 if self.path in site.files else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body[:sent])
                    self.wfile.flush()
                    before(self.path)
                except OSError:  # torchvision asks once for the header alone
                    pass

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
        self.server = None


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Serve small versions of the three sets, point torchvision at them, and the cache to an empty folder."""
    monkeypatch.setenv("BOOK_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    site = Site()
    site.truth = {}
    for seed, name, source in ((0, "mnist", datasets.MNIST), (1, "fashion_mnist", datasets.FashionMNIST)):
        files, site.truth[name] = make_idx(seed)
        for file, body in files.items():
            site.files[f"/{name}/{file}"] = body
        resources = [(file, md5(body)) for file, body in files.items()]
        monkeypatch.setattr(source, "mirrors", [f"{site.url}{name}/"])
        monkeypatch.setattr(source, "resources", resources)
    site.truth["mnist"]["classes"] = np.array(list("0123456789"))
    site.truth["fashion_mnist"]["classes"] = np.array(datasets.FashionMNIST.classes)
    members, site.truth["cifar10"] = make_cifar(3)
    archive = pack(members)
    site.files["/cifar-10-python.tar.gz"] = archive
    train_list = [[batch, md5(members[batch])] for batch in TRAINING_BATCHES]
    cifar = datasets.CIFAR10
    meta = dict(cifar.meta)
    meta["md5"] = md5(members["batches.meta"])
    monkeypatch.setattr(cifar, "url", f"{site.url}cifar-10-python.tar.gz")
    monkeypatch.setattr(cifar, "tgz_md5", md5(archive))
    monkeypatch.setattr(cifar, "train_list", train_list)
    monkeypatch.setattr(cifar, "test_list", [["test_batch", md5(members["test_batch"])]])
    monkeypatch.setattr(cifar, "meta", meta)
    yield site
    site.close()


def assert_true(got, truth):
    assert set(got) == set(KEYS)
    for key in KEYS:
        np.testing.assert_array_equal(got[key], truth[key])
        assert got[key].dtype == truth[key].dtype


def cached():
    """Return the names of all that is in the cache, hidden files included."""
    if not download.cache().is_dir():
        return []
    return sorted(os.listdir(download.cache()))


def assert_stand_in(name, capsys, reason):
    """Load what cannot be had: the stand-in comes, and one sentence that gives the reason."""
    stand_in = {"cifar10": "shapes"}.get(name, "digits")
    got = data.load(name, size=16)
    out = capsys.readouterr().out
    assert out == f"{name} could not be loaded ({reason}), so the embedded {stand_in} are used instead.\n"
    same = data.load(stand_in, size=16)
    assert got.name == stand_in
    assert got.classes == same.classes
    for one, other in zip(got[:4], same[:4], strict=True):
        assert torch.equal(one, other)


# ---- what torchvision carries, of which the fixture takes the place


def test_torchvision_still_carries_what_is_used():
    resources = datasets.MNIST.resources + datasets.FashionMNIST.resources
    assert len(resources) == 8
    for _, checksum in resources:
        assert len(checksum) == 32
    assert {file for file, _ in datasets.MNIST.resources} == set(IMAGES + LABELS)
    for mirror in datasets.MNIST.mirrors + datasets.FashionMNIST.mirrors:
        assert mirror.startswith("http")
        assert mirror.endswith("/")
    assert datasets.CIFAR10.tgz_md5 == "c58f30108f718f92721af3b95e74349a"
    assert datasets.CIFAR10.url.endswith(datasets.CIFAR10.filename)


def test_a_machine_without_a_home_directory(monkeypatch, capsys):
    def no_home(self):
        if str(self).startswith("~"):
            raise RuntimeError("Could not determine home directory.")
        return self

    monkeypatch.delenv("BOOK_DATA", raising=False)
    monkeypatch.setattr(Path, "expanduser", no_home)
    reason = "there is no home directory, and BOOK_DATA names no other folder"
    with pytest.raises(OSError, match=reason):
        download.fetch("mnist")
    assert_stand_in("mnist", capsys, reason)
    monkeypatch.setenv("BOOK_DATA", "/elsewhere")
    assert download.cache() == Path("/elsewhere")


def test_cache_folder(monkeypatch):
    monkeypatch.delenv("BOOK_DATA", raising=False)
    assert download.cache() == Path.home() / ".cache" / "deep-learning-you-can-run"
    monkeypatch.setenv("BOOK_DATA", "~/elsewhere")
    assert download.cache() == Path.home() / "elsewhere"


# ---- good downloads


@pytest.mark.parametrize("name", download.SOURCES)
def test_good_download_then_cache_without_network(site, name, capsys):
    truth = site.truth[name]
    assert_true(download.fetch(name), truth)
    assert cached() == [f"{name}.npz"]
    assert socket.getdefaulttimeout() is None
    site.close()
    asked = len(site.asked)
    assert_true(download.fetch(name), truth)
    native = truth["x"].shape[-1]
    got = data.load(name, size=native)
    assert len(site.asked) == asked
    assert capsys.readouterr().out == ""
    assert got.name == name
    assert got.classes == tuple(truth["classes"])
    for x, y, suffix in ((got.x, got.y, ""), (got.x_test, got.y_test, "_test")):
        assert x.dtype == torch.float32
        assert y.dtype == torch.int64
        pixels = truth[f"x{suffix}"].astype(np.float32) / np.float32(255)
        np.testing.assert_array_equal(x.numpy(), pixels)
        np.testing.assert_array_equal(y.numpy(), truth[f"y{suffix}"])


def test_images_are_resized(site):
    small = data.load("mnist", size=7)
    pixels = torch.tensor(site.truth["mnist"]["x"]) / 255
    assert small.x.shape == (30, 1, 7, 7)
    assert small.x_test.shape == (12, 1, 7, 7)
    assert abs(small.x.mean() - pixels.mean()) < 0.01
    assert small.x.std() < 0.1, "shrinking averages 8 × 8 of these noisy pixels"
    double = data.load("cifar10", size=64)
    assert double.x.shape == (20, 3, 64, 64)
    assert double.x.min() >= 0
    assert double.x.max() <= 1


def test_second_mirror_is_used_when_the_first_is_bad(site, monkeypatch):
    for file in IMAGES + LABELS:
        site.files[f"/bad/{file}"] = site.files[f"/mnist/{file}"][:-9]
    mirrors = [f"{site.url}{folder}/" for folder in ("missing", "bad", "mnist")]
    monkeypatch.setattr(datasets.MNIST, "mirrors", mirrors)
    assert_true(download.fetch("mnist"), site.truth["mnist"])
    assert cached() == ["mnist.npz"]


# ---- what goes wrong


@pytest.mark.parametrize("name", download.SOURCES)
def test_no_network(site, name, capsys):
    site.close()
    start = time.perf_counter()
    file = "cifar-10-python.tar.gz" if name == "cifar10" else IMAGES[0]
    assert_stand_in(name, capsys, f"{file} cannot be downloaded: Connection refused")
    assert time.perf_counter() - start < 5
    assert cached() == []


def test_server_that_does_not_answer(site, monkeypatch, capsys):
    monkeypatch.setattr(download, "TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        end = threading.Timer(10, silent.close)  # so that a missing timeout fails here and does not hang
        end.start()
        port = silent.getsockname()[1]
        monkeypatch.setattr(datasets.CIFAR10, "url", f"http://127.0.0.1:{port}/")
        assert_stand_in("cifar10", capsys, "cifar-10-python.tar.gz cannot be downloaded: timed out")
        end.cancel()
    assert socket.getdefaulttimeout() is None
    assert cached() == []


def test_server_without_the_file(site, capsys):
    del site.files[f"/mnist/{LABELS[1]}"]
    assert_stand_in("mnist", capsys, f"{LABELS[1]} cannot be downloaded: Not Found")
    assert cached() == []


@pytest.mark.parametrize("name", ["fashion_mnist", "cifar10"])
def test_truncated_file(site, name, capsys):
    site.share = 0.6
    file = "cifar-10-python.tar.gz" if name == "cifar10" else IMAGES[0]
    assert_stand_in(name, capsys, f"{file} is truncated or altered: its checksum differs")
    assert cached() == []
    site.share = 1.0
    assert_true(download.fetch(name), site.truth[name])


def test_wrong_checksum_of_a_file_that_could_be_read(site, capsys):
    files, _ = make_idx(99)  # other images, in perfect form
    site.files[f"/mnist/{IMAGES[1]}"] = files[IMAGES[1]]
    assert_stand_in("mnist", capsys, f"{IMAGES[1]} is truncated or altered: its checksum differs")
    assert cached() == []


def test_right_checksum_of_files_that_cannot_be_read(site, monkeypatch, capsys):
    body = b"no archive"
    site.files["/cifar-10-python.tar.gz"] = body
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", md5(body))
    assert_stand_in("cifar10", capsys, "cifar-10-python.tar.gz cannot be extracted: not a gzip file")
    body = pack({"data_batch_1": b"no pickle"})
    site.files["/cifar-10-python.tar.gz"] = body
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", md5(body))
    reason = "Dataset not found or corrupted. You can use download=True to download it"
    assert_stand_in("cifar10", capsys, f"what was downloaded cannot be read: {reason}")
    assert cached() == []


def test_unwritable_cache(site, tmp_path, monkeypatch, capsys):
    file = tmp_path / "file"
    file.write_text("I am no folder.")
    monkeypatch.setenv("BOOK_DATA", str(file / "cache"))
    assert_stand_in("mnist", capsys, f"the folder {file}/cache cannot be used: Not a directory")
    assert file.read_text() == "I am no folder."
    assert site.asked == []


def test_full_disk(site, monkeypatch, capsys):
    def savez(path, **arrays):
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", savez)
    file = download.cache() / "mnist.npz"
    assert_stand_in("mnist", capsys, f"the file {file} cannot be written: No space left on device")
    assert cached() == []


# ---- interruptions and neighbours


@pytest.mark.parametrize("when", ["download", "write"])
def test_keyboard_interrupt_leaves_nothing_and_the_next_download_works(site, monkeypatch, when):
    def interrupted(url_or_path, folder=None, file=None, **arrays):
        path = Path(folder, file) if folder else Path(url_or_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
        assert len(cached()) == 1, "half a file exists, in the temporary folder"
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if when == "download":
            patch.setattr(datasets.utils, "download_url", interrupted)
        else:
            patch.setattr(np, "savez", interrupted)
        with pytest.raises(KeyboardInterrupt):
            data.load("mnist")
    assert cached() == []
    assert socket.getdefaulttimeout() is None
    assert_true(download.fetch("mnist"), site.truth["mnist"])
    assert cached() == ["mnist.npz"]


KILLED = """
import sys
from torchvision import datasets
from utils import download
url, file, md5 = sys.argv[1:]
datasets.MNIST.mirrors = [url]
datasets.MNIST.resources = [(file, md5)]
download.fetch("mnist")
"""


@pytest.mark.skipif(os.name != "posix", reason="The locks that tell the dead from the living are POSIX.")
def test_killed_process_leaves_no_litter_after_the_next_download(site):
    stalled = threading.Event()
    go_on = threading.Event()

    def stall(path):
        stalled.set()
        go_on.wait(60)

    site.before = stall
    site.share = 0.5
    archive = site.files[f"/mnist/{IMAGES[0]}"]
    command = [sys.executable, "-c", KILLED, f"{site.url}mnist/", IMAGES[0], md5(archive)]
    root = str(Path(download.__file__).parents[1])
    environment = dict(os.environ)
    environment["PYTHONPATH"] = root
    child = subprocess.Popen(command, cwd=root, env=environment)
    try:
        assert stalled.wait(60)
        while not any(path.is_file() for path in download.cache().rglob("*")):  # half a file
            assert child.poll() is None
            time.sleep(0.02)
        site.before = lambda path: None
        site.share = 1.0
        assert_true(download.fetch("cifar10"), site.truth["cifar10"])
        assert len(cached()) == 2, "a living process keeps its folder"
        assert cached()[1] == "cifar10.npz"
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        go_on.set()
    assert len(cached()) == 2, "a killed process cannot tidy up"
    assert_true(download.fetch("mnist"), site.truth["mnist"])
    assert cached() == ["cifar10.npz", "mnist.npz"]


def test_two_downloads_at_once(site):
    both = threading.Barrier(2, timeout=20)
    got = []

    def meet(path):
        last = path.endswith(LABELS[1])
        early = len(got) == 0 and site.asked.count(path) <= 2
        if last and early:
            both.wait()

    def fetch():
        got.append(download.fetch("mnist"))

    site.before = meet
    threads = [threading.Thread(target=fetch), threading.Thread(target=fetch)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(got) == 2
    assert site.asked.count(f"/mnist/{IMAGES[0]}") == 4, "each asks for the header, then the file"
    for one in (*got, download.fetch("mnist")):
        assert_true(one, site.truth["mnist"])
    assert cached() == ["mnist.npz"]


# ---- damage


def test_damaged_cache_is_fetched_again(site, capsys):
    download.fetch("mnist")
    file = download.cache() / "mnist.npz"
    whole = file.read_bytes()
    changed = bytearray(whole)
    changed[9000] ^= 1
    for damaged in (whole[:5000], b"", changed):
        asked = len(site.asked)
        file.write_bytes(damaged)
        assert_true(download.fetch("mnist"), site.truth["mnist"])
        assert len(site.asked) > asked
        assert cached() == ["mnist.npz"]
        assert_true(download._read(file), site.truth["mnist"])
    site.close()
    file.write_bytes(whole[:5000])
    assert_stand_in("mnist", capsys, f"{IMAGES[0]} cannot be downloaded: Connection refused")


def test_no_damage_goes_unseen(site):
    download.fetch("cifar10")
    file = download.cache() / "cifar10.npz"
    whole = file.read_bytes()
    rng = np.random.default_rng(0)
    first_header = range(300)
    table_of_contents = range(len(whole) - 700, len(whole))
    anywhere = rng.integers(0, len(whole), 200)
    refused = 0
    for place in [*first_header, *table_of_contents, *anywhere]:
        changed = bytearray(whole)
        changed[place] ^= 1 << int(rng.integers(8))
        file.write_bytes(changed)
        try:
            assert_true(download._read(file), site.truth["cifar10"])
        except AssertionError:
            raise
        except Exception:
            refused += 1
    assert refused > 700, "the others changed a date or a name that nothing depends on"
