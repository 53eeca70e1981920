"""`make test-full`: what it takes of a full run, its files, and a lecture that does not fit them."""

import shutil

import author
import full_scale
import pytest
import run
import torch
from torchvision import datasets

from utils import data

LECTURE = """\
=== md title
# Title

=== setup

=== code settings
import torch

from utils import data
from utils.common import pick

side = pick(smoke=8, book=8, full=28)
name = pick(smoke="digits", book="digits", full="fashion_mnist")
updates = pick(smoke=2, book=300, full=20_000)
images = data.load(name, size=side)
assert images.name == "fashion_mnist"
assert updates == 2

=== code work
net = torch.nn.Linear({pixels}, 10)
net(images.x[:4].flatten(1))
"""


@pytest.mark.parametrize(
    "smoke, book, full, expected",
    [
        ("digits", "digits", "mnist", "mnist"),
        (8, 8, 28, 28),  # a size: the same at both small scales
        (0.004, 0.004, 0.001, 0.001),
        (2, 300, 20_000, 2),  # how long
        (64, None, 12_000, 64),
        ((8, 16), (16, 32), (64, 128, 256), (64, 128, 256)),  # another number of levels
        ((3, 16), (950, 64), (4000, 128), (3, 16)),
        ((8, "digits"), (16, "digits"), (28, "mnist"), (28, "mnist")),
        ([0], [0, 1, 2], list(range(10)), [0]),
        (-1, 0.9, 0.8, -1),  # what an assertion asks
        ([1e-2], [1e-3, 1e-2], [1e-3, 1e-2], [1e-2]),  # nothing of its own
    ],
)
def test_what_is_taken_of_a_full_run(smoke, book, full, expected):
    assert full_scale.cut(smoke, book, full) == expected


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("full")
    full_scale.write_files(folder)
    return folder


def test_the_files_have_the_form_of_the_real_ones(files, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    used = {"MNIST": ("mirrors", "resources"), "CIFAR10": ("url", "tgz_md5", "train_list", "test_list", "meta")}
    used["FashionMNIST"] = used["MNIST"]
    for name, attributes in used.items():
        source = getattr(datasets, name)
        for attribute in attributes:
            monkeypatch.setattr(source, attribute, getattr(source, attribute))  # put back afterwards
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    digits = data.digits(28)
    for name, channels in (("mnist", 1), ("fashion_mnist", 1), ("cifar10", 3)):
        with full_scale.served(files) as address:
            full_scale.point_to(address, files)
            images = data.load(name, size=28)
        assert images.name == name
        assert images.x.shape[1:] == (channels, 28, 28)
        assert set(images.y.tolist()) == set(range(10))
        if channels == 1:
            torch.testing.assert_close(images.x, digits.x, rtol=0, atol=0.003)
    assert capsys.readouterr().out == ""


def fits(files, tmp_path, text, address):
    (tmp_path / "book/part").mkdir(parents=True)
    author.save(author.write(text, author.repository()), tmp_path / "book/part/one.ipynb")
    if not (files / "utils").exists():
        (files / "utils").symlink_to(run.ROOT / "utils")  # where the set-up cell looks for it
    return full_scale.fits("part/one", address, tmp_path / "book", files)


def test_a_lecture_that_fits(files, tmp_path):
    with full_scale.served(files) as address:
        assert fits(files, tmp_path, LECTURE.format(pixels=784), address) > 0


def test_a_lecture_whose_shapes_fit_the_small_scales_alone_is_seen(files, tmp_path):
    with (
        full_scale.served(files) as address,
        pytest.raises(RuntimeError, match="one, cell 'work': RuntimeError: .*mat1 and mat2 shapes"),
    ):
        fits(files, tmp_path, LECTURE.format(pixels=64), address)


def test_a_stand_in_for_a_data_set_is_seen(files, tmp_path):
    shutil.rmtree(files / "cache", ignore_errors=True)
    text = LECTURE.format(pixels=784).replace('assert images.name == "fashion_mnist"', "")
    with pytest.raises(RuntimeError, match="one: fashion_mnist could not be loaded"):
        fits(files, tmp_path, text, "http://127.0.0.1:9")
