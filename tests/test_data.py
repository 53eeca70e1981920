"""The data sets are what their docstrings say, the same each time, and the loader gives each sample once."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader

from utils import data

KINDS = [
    {},
    {"textured": True},
    {"size": 64, "objects": 3},
    {"size": 48, "objects": 2, "textured": True, "overlap": 0.5},
]


def assert_same(a, b):
    for one, other in zip(a, b, strict=True):
        if isinstance(one, torch.Tensor):
            assert torch.equal(one, other)
        else:
            assert one == other


# ---- shapes


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_have_the_documented_form(kind):
    n = 60
    size = kind.get("size", 32)
    objects = kind.get("objects", 1)
    s = data.shapes(n, **kind)
    assert s.x.shape == (n, 3, size, size)
    assert s.x.dtype == torch.float32
    assert s.x.min() >= 0
    assert s.x.max() <= 1
    assert s.x.std() > 0.1
    assert s.masks.shape == (n, size, size)
    assert s.boxes.shape == (n, objects, 4)
    assert s.boxes.dtype == torch.float32
    for whole in (s.y, s.labels, s.colors, s.sizes, s.counts, s.masks):
        assert whole.dtype == torch.int64
    for kinds in (s.labels, s.colors, s.sizes):
        assert kinds.shape == (n, objects)
    assert len(s.captions) == n
    assert set(s.counts.tolist()) == set(range(1, objects + 1))
    assert set(s.masks.unique().tolist()) == {0, 1, 2, 3, 4}
    assert torch.equal(s.y, s.labels[:, 0])
    absent = torch.arange(objects) >= s.counts[:, None]
    for kinds, names in ((s.labels, data.SHAPES), (s.colors, data.COLORS), (s.sizes, data.SIZES)):
        assert (kinds[absent] == -1).all()
        present = kinds[~absent].tolist()
        assert set(present) == set(range(len(names)))
    assert (s.boxes[absent] == 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_follow_from_the_seed_alone(kind):
    torch.manual_seed(1)
    first = data.shapes(20, seed=5, **kind)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    assert_same(first, data.shapes(20, seed=5, **kind))
    assert torch.equal(state, torch.get_rng_state()), "the global state was moved"
    other = data.shapes(20, seed=6, **kind)
    assert not torch.equal(first.x, other.x)
    assert first.captions != other.captions


def test_ground_changes_and_objects_stay():
    plain = data.shapes(50, seed=3)
    textured = data.shapes(50, seed=3, textured=True)
    assert_same(plain[1:], textured[1:])
    ground = plain.masks == 0
    for i in range(50):
        plain_ground = plain.x[i][:, ground[i]]  # (3, pixels of the ground)
        grey = (plain_ground == plain_ground[0, 0]).all(dim=0)
        assert grey.float().mean() > 0.8, "a plain ground is one grey, but for soft edges"
        textured_ground = textured.x[i][:, ground[i]]
        assert textured_ground.std(dim=1).max() > 0.01


def test_captions_say_class_colour_and_size():
    colors = list(data.COLORS)
    s = data.shapes(200, objects=3, size=64)
    for i in range(200):
        parts = s.captions[i].split(" and ")
        assert len(parts) == s.counts[i]
        for k, part in enumerate(parts):
            article, size, color, shape = part.split(" ")
            assert article == "a"
            assert size == data.SIZES[s.sizes[i, k]]
            assert color == colors[s.colors[i, k]]
            assert shape == data.SHAPES[s.labels[i, k]]
    captions = data.shapes(1000).captions
    assert len(set(captions)) == 4 * 6 * 2


def nearest(palette, color):
    """Return which row of the palette is closest to a colour."""
    return (palette - color).norm(dim=1).argmin()


@pytest.mark.parametrize("textured", [False, True])
def test_colours_are_seen_in_the_pixels_and_told_apart(textured):
    s = data.shapes(300, textured=textured)
    palette = torch.tensor(list(data.COLORS.values()))
    distances = F.pdist(palette)  # of all pairs
    assert distances.min() > 0.5
    for i in range(300):
        seen = s.x[i][:, s.masks[i] > 0].median(dim=1).values
        assert nearest(palette, seen) == s.colors[i, 0]
    s = data.shapes(100, size=64, objects=3, textured=textured)
    for i in range(100):
        for k in range(s.counts[i]):
            left, top, right, bottom = s.boxes[i, k].tolist()
            column = int((left + right) / 2)
            row = int((top + bottom) / 2)
            assert nearest(palette, s.x[i, :, row, column]) == s.colors[i, k]


def test_sizes_differ_clearly_for_every_shape():
    s = data.shapes(600)
    box = s.boxes[:, 0]
    side = (box[:, 2:] - box[:, :2]).amax(dim=1)
    size = s.sizes[:, 0]  # 0: small, 1: large
    for label in range(4):
        small = side[(s.y == label) & (size == 0)]
        large = side[(s.y == label) & (size == 1)]
        assert small.min() >= 7
        assert large.min() >= 1.35 * small.max()
        assert large.max() <= 30


def test_boxes_bound_the_masks_to_the_pixel():
    s = data.shapes(300, textured=True)
    for i in range(300):
        rows, columns = torch.nonzero(s.masks[i], as_tuple=True)
        left, top, right, bottom = s.boxes[i, 0].tolist()
        assert left == columns.min()
        assert top == rows.min()
        assert right == columns.max() + 1
        assert bottom == rows.max() + 1
        assert s.masks[i].unique().tolist() == [0, s.y[i] + 1]


def edges_touched(s):
    """Say for each object whether all four edges of its box touch a pixel of its class."""
    touched = []
    for i in range(len(s.x)):
        for k in range(s.counts[i]):
            left, top, right, bottom = s.boxes[i, k].int().tolist()
            part = s.masks[i, top:bottom, left:right] == s.labels[i, k] + 1
            edges = (part[0], part[-1], part[:, 0], part[:, -1])
            touched.append(all(edge.any() for edge in edges))
    return touched


def test_several_objects_fill_their_boxes_and_no_pixel_lies_outside():
    s = data.shapes(150, size=64, objects=3, seed=1)
    assert all(edges_touched(s))
    for i in range(150):
        left = s.masks[i].clone()
        for k in range(s.counts[i]):
            x1, y1, x2, y2 = s.boxes[i, k].int().tolist()
            part = left[y1:y2, x1:x2]
            part[part == s.labels[i, k] + 1] = 0
        assert (left == 0).all()


def test_overlap_hides_objects_only_when_asked():
    apart = data.shapes(300, size=64, objects=3, overlap=0.0, seed=2)
    assert all(edges_touched(apart))
    square = data.SHAPES.index("square")
    for i in range(300):
        is_square = apart.labels[i] == square
        if is_square.sum() == 1:
            pixels = (apart.masks[i] == square + 1).sum()
            left, top, right, bottom = apart.boxes[i, is_square][0].tolist()
            assert pixels == (right - left) * (bottom - top), "a square fills its box"

    mixed = data.shapes(300, size=64, objects=3, overlap=0.5, seed=2)
    hidden = 1 - np.mean(edges_touched(mixed))
    assert 0.01 < hidden < 0.5
    boxes = mixed.boxes[mixed.labels >= 0]
    assert (boxes[:, 2:] > boxes[:, :2]).all()


@pytest.mark.parametrize(
    "name, value, sentence",
    [
        ("n", 0, "n is 0, but it must be at least 1."),
        ("size", 8, "size is 8, but it must be at least 16."),
        ("objects", 4, "objects is 4, but it must be 1 to 3."),
        ("overlap", 0.9, "overlap is 0.9, but it must be 0 to 0.5."),
    ],
)
def test_shapes_refuse_bad_arguments(name, value, sentence):
    arguments = {"n": 2}
    arguments[name] = value
    with pytest.raises(ValueError) as error:
        data.shapes(**arguments)
    assert str(error.value) == sentence


# ---- load, digits, photographs


@pytest.mark.parametrize("size", [8, 28])
def test_digits_keep_their_fixed_split(size):
    d = data.load("digits", size=size)
    raw = sklearn.datasets.load_digits()
    order = torch.randperm(1797, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor(raw.target)[order]
    assert d.x.shape == (1437, 1, size, size)
    assert d.x_test.shape == (360, 1, size, size)
    assert torch.equal(d.y_test, labels[:360])
    assert torch.equal(d.y, labels[360:])
    assert d.classes == tuple("0123456789")
    assert d.name == "digits"
    assert d.x.min() == 0
    assert d.x.max() <= 1
    if size == 8:
        images = torch.tensor(raw.images / 16, dtype=torch.float32)[order]
        assert torch.equal(d.x_test[:, 0], images[:360])
    assert_same(d, data.digits(size))


def test_digits_can_be_changed_without_changing_the_next_call():
    data.digits().x.zero_()
    assert data.digits().x.sum() > 0


def test_load_shapes_has_four_classes_and_a_fixed_split():
    d = data.load("shapes", size=20)
    s = data.shapes(5000, size=20, textured=True)
    assert d.x.shape == (4000, 3, 20, 20)
    assert d.x_test.shape == (1000, 3, 20, 20)
    assert torch.equal(torch.cat([d.x, d.x_test]), s.x)
    assert torch.equal(torch.cat([d.y, d.y_test]), s.y)
    assert d.classes == data.SHAPES
    assert d.name == "shapes"
    counts = torch.bincount(d.y_test, minlength=4)
    assert (counts > 200).all()


def test_photos():
    for name in ("china", "flower"):
        image = sklearn.datasets.load_sample_image(f"{name}.jpg")  # (H, W, 3), bytes
        raw = torch.tensor(image).permute(2, 0, 1) / 255
        assert raw.shape == (3, 427, 640)
        assert torch.equal(data.photo(name), raw)
        small = data.photo(name, 61)  # 427 = 7 · 61
        assert small.shape == (3, 61, 61)
        assert small.dtype == torch.float32
        assert small.min() >= 0
        assert small.max() <= 1
        assert small.min() < small.max()
        square = raw[:, :, 106:533]
        difference = small.mean(dim=(1, 2)) - square.mean(dim=(1, 2))
        assert difference.abs().max() < 0.005
        assert torch.equal(data.photo(name, 427), square)


# ---- points, curves, series


@pytest.mark.parametrize("name, classes", [("moons", 2), ("spirals", 2), ("rings", 2), ("eight_gaussians", 8)])
def test_points_lie_where_they_should(name, classes):
    x, y = data.toy2d(name, 803, noise=0.0)
    assert x.shape == (803, 2)
    assert x.dtype == torch.float32
    assert y.dtype == torch.int64
    assert y.max() == classes - 1
    counts = torch.bincount(y)
    assert counts.max() - counts.min() <= 1
    assert 2 < x.abs().max() <= 3.01
    radius = x.norm(dim=1)
    if name == "rings":
        torch.testing.assert_close(radius, torch.tensor([1.2, 2.6])[y])
    if name == "eight_gaussians":
        torch.testing.assert_close(radius, torch.full((803,), 2.4))
        centers = x.round(decimals=3).unique(dim=0)
        assert len(centers) == 8
    if name == "spirals":
        turned = torch.where((y == 0)[:, None], x, -x)  # the second arm is the first, turned by 180°
        angle = 8 * (radius - 0.3) / 2.5
        spiral = torch.stack([radius * angle.cos(), radius * angle.sin()], 1)
        torch.testing.assert_close(turned, spiral)
    if name == "moons":
        center = torch.stack([2 * y - 1, y - 0.5], 1)
        distance = (x - center).norm(dim=1)
        torch.testing.assert_close(distance, torch.full((803,), 2.0))
        upper = x[y == 0]
        lower = x[y == 1]
        assert upper[:, 1].min() >= -0.5 - 1e-5
        assert lower[:, 1].max() <= 0.5 + 1e-5
    noisy, _ = data.toy2d(name, 803)
    noise = noisy - x
    assert 0.05 < noise.std() < 0.3
    assert noisy.abs().max() < 3.6


def test_checkerboard_fills_every_other_square():
    x, y = data.toy2d("checkerboard", 4000)
    column, row = ((x + 3) / 1.5).floor().long().T
    assert x.min() >= -3
    assert x.max() <= 3
    dark = (column + row) % 2 == 0
    assert dark.all()
    square = 4 * row + column
    assert len(square.unique()) == 8
    for k in range(8):
        assert len(square[y == k].unique()) == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: data.toy2d("moons", 50, seed=seed)[0],
        lambda seed: data.toy2d("checkerboard", 50, seed=seed)[0],
        lambda seed: torch.cat(data.regression("cubic", 50, seed=seed)),
        lambda seed: data.series("sine", 50, seed=seed),
        lambda seed: data.series("demand", 50, seed=seed),
    ],
)
def test_toys_follow_from_the_seed_alone(make):
    torch.manual_seed(1)
    first = make(4)
    state = torch.get_rng_state()
    torch.manual_seed(2)
    assert torch.equal(first, make(4))
    assert not torch.equal(first, make(5))
    torch.manual_seed(1)
    assert torch.equal(state, torch.get_rng_state())


def test_regression_is_the_function_plus_noise():
    functions = {
        "line": lambda x: 0.5 * x + 1,
        "sine": lambda x: np.sin(2 * x),
        "cubic": lambda x: 0.2 * x**3 - x,
        "step": np.sign,
    }
    for name, f in functions.items():
        x, y = data.regression(name, 500, noise=0.0)
        assert x.shape == (500, 1)
        assert y.shape == (500, 1)
        assert -3 <= x.min() < -2.9
        assert 2.9 < x.max() <= 3
        np.testing.assert_allclose(y.numpy(), f(x.numpy()), atol=1e-5)
        _, noisy = data.regression(name, 500, noise=0.3)
        noise = noisy - y
        assert 0.28 < noise.std() < 0.32


def test_series_have_their_seasons_and_noise():
    t = torch.arange(1, 1001)
    wave = torch.sin(0.01 * t)
    torch.testing.assert_close(data.series("sine", 1000, noise=0.0), wave)
    noise = data.series("sine", 1000) - wave
    assert 0.19 < noise.std() < 0.21

    clean = data.series("demand", 3360, noise=0.0)  # 20 weeks of 168 hours
    noisy = data.series("demand", 3360, noise=0.2)
    for hours in (clean, noisy):
        assert hours.shape == (3360,)
        assert hours.dtype == torch.float32
    growth = clean[168:] - clean[:-168]  # in a week
    torch.testing.assert_close(growth, torch.full((3192,), 0.168), atol=1e-4, rtol=0)
    torch.testing.assert_close(clean[23], torch.tensor(5 + 0.024 - 1.4))  # midnight of the first day

    noise = noisy - clean
    before = noise[:-1]
    after = noise[1:]
    correlation = (after * before).mean() / noise.square().mean()
    assert 0.75 < correlation < 0.85
    shock = after - 0.8 * before
    assert 0.19 < shock.std() < 0.21


@pytest.mark.parametrize(
    "call, accepted",
    [
        (lambda: data.load("minst"), "'digits', 'shapes', 'mnist', 'fashion_mnist', 'cifar10'"),
        (lambda: data.toy2d("moon", 9), "'moons', 'spirals', 'rings', 'eight_gaussians', 'checkerboard'"),
        (lambda: data.regression("cosine", 9), "'line', 'sine', 'cubic', 'step'"),
        (lambda: data.series("cosine", 9), "'sine', 'demand'"),
        (lambda: data.photo("cat"), "'china', 'flower'"),
    ],
)
def test_unknown_names_are_answered_with_the_known_ones(call, accepted):
    with pytest.raises(ValueError, match="^name is '.*', but it must be one of ") as error:
        call()
    assert str(error.value).endswith(f"one of {accepted}.")


# ---- loader


def test_loader_is_a_data_loader_that_gives_each_sample_once():
    x = torch.arange(23.0).view(23, 1)
    y = torch.arange(23)
    loader = data.loader(x, y, batch_size=5)
    assert isinstance(loader, DataLoader)
    assert len(loader) == 5
    lengths = []
    given = []
    for x_batch, y_batch in loader:
        assert isinstance(x_batch, torch.Tensor)
        assert torch.equal(x_batch[:, 0].long(), y_batch)
        lengths.append(len(y_batch))
        given += y_batch.tolist()
    assert lengths == [5, 5, 5, 5, 3]
    assert sorted(given) == list(range(23))


def test_loader_order():
    y = torch.arange(40)

    def three_passes(**arguments):
        loader = data.loader(y, batch_size=8, **arguments)
        passes = []
        for _ in range(3):
            batches = [batch for (batch,) in loader]
            passes.append(torch.cat(batches).tolist())
        return passes

    first, second, third = three_passes(seed=1)
    assert first != second
    assert second != third
    assert third != first
    assert first != sorted(first)
    assert three_passes(seed=1) == [first, second, third]
    assert three_passes(seed=2)[0] != first
    torch.manual_seed(9)
    assert three_passes(seed=1)[0] == first
    assert three_passes(shuffle=False) == [list(range(40))] * 3


def test_loader_drops_the_last_batch_when_asked():
    loader = data.loader(torch.arange(23), batch_size=5, drop_last=True)
    assert len(loader) == 4
    assert [len(batch) for (batch,) in loader] == [5, 5, 5, 5]


@pytest.mark.parametrize("lengths", [(3, 4), (), (0,), (0, 0)])
def test_loader_refuses_lengths(lengths):
    tensors = [torch.zeros(n, 2) for n in lengths]
    with pytest.raises(ValueError) as error:
        data.loader(*tensors, batch_size=2)
    sentence = f"The tensors must all have the same length, at least 1, but the lengths are {list(lengths)}."
    assert str(error.value) == sentence


IMPORT = """
import sys
from utils import data
assert "torchvision" not in sys.modules
assert "sklearn" not in sys.modules
"""


def test_import_leaves_slow_packages_for_later():
    root = Path(data.__file__).parents[1]
    environment = dict(os.environ)
    environment["PYTHONPATH"] = str(root)
    subprocess.run([sys.executable, "-c", IMPORT], cwd=root, check=True, env=environment)
