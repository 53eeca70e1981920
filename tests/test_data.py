"""The data sets are what their docstrings say, the same each time, and the loader gives each sample once."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets
import torch
from torch.utils.data import DataLoader

from utils import data

KINDS = [
    {},
    {"textured": True},
    {"size": 64, "objects": 3},
    {"size": 48, "objects": 2, "textured": True, "overlap": 0.5},
]


def assert_same(a, b):
    assert all(torch.equal(u, v) if isinstance(u, torch.Tensor) else u == v for u, v in zip(a, b, strict=True))


# ---- shapes


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_have_the_documented_form(kind):
    n, size, objects = 60, kind.get("size", 32), kind.get("objects", 1)
    s = data.shapes(n, **kind)
    assert s.x.shape == (n, 3, size, size) and s.x.dtype == torch.float32
    assert s.x.min() >= 0 and s.x.max() <= 1 and s.x.std() > 0.1
    assert s.masks.shape == (n, size, size) and s.boxes.shape == (n, objects, 4) and s.boxes.dtype == torch.float32
    for whole in (s.y, s.labels, s.colors, s.sizes, s.counts, s.masks):
        assert whole.dtype == torch.int64
    assert s.labels.shape == s.colors.shape == s.sizes.shape == (n, objects) and len(s.captions) == n
    assert set(s.counts.tolist()) == set(range(1, objects + 1))
    assert set(s.masks.unique().tolist()) == {0, 1, 2, 3, 4}
    assert torch.equal(s.y, s.labels[:, 0])
    absent = torch.arange(objects) >= s.counts[:, None]
    for kinds, names in ((s.labels, data.SHAPES), (s.colors, data.COLORS), (s.sizes, data.SIZES)):
        assert (kinds[absent] == -1).all() and set(kinds[~absent].tolist()) == set(range(len(names)))
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
    assert not torch.equal(first.x, other.x) and first.captions != other.captions


def test_ground_changes_and_objects_stay():
    plain, textured = data.shapes(50, seed=3), data.shapes(50, seed=3, textured=True)
    assert_same(plain[1:], textured[1:])
    ground = plain.masks == 0
    for i in range(50):
        far = plain.x[i].permute(1, 2, 0)[ground[i]]
        assert (far == far[0, 0]).all(dim=1).float().mean() > 0.8, "a plain ground is one grey, but for soft edges"
        assert textured.x[i].permute(1, 2, 0)[ground[i]].std(dim=0).max() > 0.01


def test_captions_say_class_colour_and_size():
    s = data.shapes(200, objects=3, size=64)
    for i in range(200):
        parts = s.captions[i].split(" and ")
        assert len(parts) == s.counts[i]
        for k, part in enumerate(parts):
            article, size, color, shape = part.split(" ")
            assert article == "a" and size == data.SIZES[s.sizes[i, k]]
            assert color == list(data.COLORS)[s.colors[i, k]] and shape == data.SHAPES[s.labels[i, k]]
    assert len(set(data.shapes(1000).captions)) == 4 * 6 * 2


@pytest.mark.parametrize("textured", [False, True])
def test_colours_are_seen_in_the_pixels_and_told_apart(textured):
    s = data.shapes(300, textured=textured)
    palette = torch.tensor(list(data.COLORS.values()))
    assert torch.cdist(palette, palette).add(torch.eye(6) * 9).min() > 0.5
    for i in range(300):
        seen = s.x[i][:, s.masks[i] > 0].median(dim=1).values
        assert (palette - seen).norm(dim=1).argmin() == s.colors[i, 0]
    s = data.shapes(100, size=64, objects=3, textured=textured)
    for i in range(100):
        for k in range(s.counts[i]):
            u, v = ((s.boxes[i, k, :2] + s.boxes[i, k, 2:]) / 2).int()
            assert (palette - s.x[i, :, v, u]).norm(dim=1).argmin() == s.colors[i, k]


def test_sizes_differ_clearly_for_every_shape():
    s = data.shapes(600)
    side = (s.boxes[:, 0, 2:] - s.boxes[:, 0, :2]).amax(dim=1)
    for label in range(4):
        small, large = (side[(s.y == label) & (s.sizes[:, 0] == z)] for z in (0, 1))
        assert small.min() >= 7 and large.min() >= 1.35 * small.max() and large.max() <= 30


def test_boxes_bound_the_masks_to_the_pixel():
    s = data.shapes(300, textured=True)
    for i in range(300):
        rows, columns = torch.nonzero(s.masks[i], as_tuple=True)
        assert s.boxes[i, 0].tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert s.masks[i].unique().tolist() == [0, s.y[i] + 1]


def edges_touched(s):
    """Say for each object whether all four edges of its box touch a pixel of its class."""
    touched = []
    for i in range(len(s.x)):
        for k in range(s.counts[i]):
            left, top, right, bottom = s.boxes[i, k].int().tolist()
            part = s.masks[i, top:bottom, left:right] == s.labels[i, k] + 1
            touched.append(all(e.any().item() for e in (part[0], part[-1], part[:, 0], part[:, -1])))
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
    def area(s, i, k):
        return (s.boxes[i, k, 2:] - s.boxes[i, k, :2]).prod()

    apart, mixed = (data.shapes(300, size=64, objects=3, overlap=o, seed=2) for o in (0.0, 0.5))
    assert all(edges_touched(apart)) and 0.01 < 1 - np.mean(edges_touched(mixed)) < 0.5
    assert (mixed.boxes[mixed.labels >= 0][:, 2:] > mixed.boxes[mixed.labels >= 0][:, :2]).all()
    squares = [(i, k) for i in range(300) for k in range(apart.counts[i]) if apart.labels[i, k] == 1]
    alone = [(i, k) for i, k in squares if (apart.labels[i] == 1).sum() == 1]
    assert all((apart.masks[i] == 2).sum() == area(apart, i, k) for i, k in alone), "a square fills its box"


@pytest.mark.parametrize(
    "bad, sentence",
    [
        ({"n": 0}, "n is 0, but it must be at least 1."),
        ({"size": 8}, "size is 8, but it must be at least 16."),
        ({"objects": 4}, "objects is 4, but it must be 1 to 3."),
        ({"overlap": 0.9}, "overlap is 0.9, but it must be 0 to 0.5."),
    ],
)
def test_shapes_refuse_bad_arguments(bad, sentence):
    with pytest.raises(ValueError) as error:
        data.shapes(**{"n": 2} | bad)
    assert str(error.value) == sentence


# ---- load, digits, photographs


@pytest.mark.parametrize("size", [8, 28])
def test_digits_keep_their_fixed_split(size):
    d, raw = data.load("digits", size=size), sklearn.datasets.load_digits()
    order = torch.randperm(1797, generator=torch.Generator().manual_seed(0))
    assert d.x.shape == (1437, 1, size, size) and d.x_test.shape == (360, 1, size, size)
    assert torch.equal(d.y_test, torch.tensor(raw.target)[order[:360]])
    assert torch.equal(d.y, torch.tensor(raw.target)[order[360:]])
    assert d.classes == tuple("0123456789") and d.name == "digits" and d.x.min() == 0 and d.x.max() <= 1
    if size == 8:
        assert torch.equal(d.x_test[:, 0], torch.tensor(raw.images / 16, dtype=torch.float32)[order[:360]])
    assert_same(d, data.digits(size))


def test_digits_can_be_changed_without_changing_the_next_call():
    data.digits().x.zero_()
    assert data.digits().x.sum() > 0


def test_load_shapes_has_four_classes_and_a_fixed_split():
    d, s = data.load("shapes", size=20), data.shapes(5000, size=20, textured=True)
    assert d.x.shape == (4000, 3, 20, 20) and d.x_test.shape == (1000, 3, 20, 20)
    assert torch.equal(torch.cat([d.x, d.x_test]), s.x) and torch.equal(torch.cat([d.y, d.y_test]), s.y)
    assert d.classes == data.SHAPES and d.name == "shapes"
    assert (torch.bincount(d.y_test, minlength=4) > 200).all()


def test_photos():
    for name in ("china", "flower"):
        raw = torch.tensor(sklearn.datasets.load_sample_image(f"{name}.jpg")).permute(2, 0, 1) / 255
        assert torch.equal(data.photo(name), raw) and raw.shape == (3, 427, 640)
        small = data.photo(name, 61)  # 427 = 7 · 61
        assert small.shape == (3, 61, 61) and small.dtype == torch.float32 and 0 <= small.min() < small.max() <= 1
        square = raw[:, :, 106:533]
        assert (small.mean(dim=(1, 2)) - square.mean(dim=(1, 2))).abs().max() < 0.005
        assert torch.equal(data.photo(name, 427), square)


# ---- points, curves, series


@pytest.mark.parametrize("name, classes", [("moons", 2), ("spirals", 2), ("rings", 2), ("eight_gaussians", 8)])
def test_points_lie_where_they_should(name, classes):
    x, y = data.toy2d(name, 803, noise=0.0)
    assert x.shape == (803, 2) and x.dtype == torch.float32 and y.dtype == torch.int64
    assert torch.bincount(y).max() - torch.bincount(y).min() <= 1 and y.max() == classes - 1
    assert 2 < x.abs().max() <= 3.01
    radius = x.norm(dim=1)
    if name == "rings":
        torch.testing.assert_close(radius, torch.tensor([1.2, 2.6])[y])
    if name == "eight_gaussians":
        torch.testing.assert_close(radius, torch.full((803,), 2.4))
        assert len(x.round(decimals=3).unique(dim=0)) == 8
    if name == "spirals":
        turned = torch.where((y == 0)[:, None], x, -x)  # the second arm is the first, turned by 180°
        angle = 8 * (radius - 0.3) / 2.5
        torch.testing.assert_close(turned, torch.stack([radius * angle.cos(), radius * angle.sin()], 1))
    if name == "moons":
        torch.testing.assert_close((x - torch.stack([2 * y - 1, y - 0.5], 1)).norm(dim=1), torch.full((803,), 2.0))
        assert (x[y == 0, 1] >= -0.5 - 1e-5).all() and (x[y == 1, 1] <= 0.5 + 1e-5).all()
    noisy = data.toy2d(name, 803)[0]
    assert 0.05 < (noisy - x).std() < 0.3 and noisy.abs().max() < 3.6


def test_checkerboard_fills_every_other_square():
    x, y = data.toy2d("checkerboard", 4000)
    column, row = ((x + 3) / 1.5).floor().long().T
    assert x.min() >= -3 and x.max() <= 3 and ((column + row) % 2 == 0).all()
    squares = (4 * row + column).unique()
    assert len(squares) == 8 and all(len((4 * row + column)[y == k].unique()) == 1 for k in range(8))


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
    first, state = make(4), torch.get_rng_state()
    torch.manual_seed(2)
    assert torch.equal(first, make(4)) and not torch.equal(first, make(5))
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
        assert x.shape == y.shape == (500, 1) and -3 <= x.min() < -2.9 and 2.9 < x.max() <= 3
        np.testing.assert_allclose(y.numpy(), f(x.numpy()), atol=1e-5)
        assert 0.28 < (data.regression(name, 500, noise=0.3)[1] - y).std() < 0.32


def test_series_have_their_seasons_and_noise():
    t = torch.arange(1, 1001)
    torch.testing.assert_close(data.series("sine", 1000, noise=0.0), torch.sin(0.01 * t))
    assert 0.19 < (data.series("sine", 1000) - torch.sin(0.01 * t)).std() < 0.21
    clean, noisy = (data.series("demand", 24 * 7 * 20, noise=z) for z in (0.0, 0.2))
    assert clean.shape == noisy.shape == (3360,) and clean.dtype == noisy.dtype == torch.float32
    torch.testing.assert_close(clean[168:] - clean[:-168], torch.full((3192,), 0.168), atol=1e-4, rtol=0)  # a week
    torch.testing.assert_close(clean[23], torch.tensor(5 + 0.024 - 1.4))  # midnight of the first day
    e = noisy - clean
    assert 0.75 < (e[1:] * e[:-1]).mean() / (e * e).mean() < 0.85
    assert 0.19 < (e[1:] - 0.8 * e[:-1]).std() < 0.21


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
    x, y = torch.arange(23.0).view(23, 1), torch.arange(23)
    loader = data.loader(x, y, batch_size=5)
    assert isinstance(loader, DataLoader) and len(loader) == 5
    batches = list(loader)
    assert [len(b) for _, b in batches] == [5, 5, 5, 5, 3]
    assert all(isinstance(a, torch.Tensor) and torch.equal(a[:, 0].long(), b) for a, b in batches)
    assert sorted(torch.cat([b for _, b in batches]).tolist()) == list(range(23))


def test_loader_order():
    y = torch.arange(40)

    def order(**arguments):
        loader = data.loader(y, batch_size=8, **arguments)
        return [torch.cat([b for (b,) in loader]).tolist() for _ in range(3)]

    first, second, third = order(seed=1)
    assert first != second != third != first and first != sorted(first)
    assert order(seed=1) == [first, second, third] and order(seed=2)[0] != first
    torch.manual_seed(9)
    assert order(seed=1)[0] == first
    assert order(shuffle=False) == [list(range(40))] * 3


def test_loader_drops_the_last_batch_when_asked():
    loader = data.loader(torch.arange(23), batch_size=5, drop_last=True)
    assert len(loader) == 4 and [len(b) for (b,) in loader] == [5] * 4


@pytest.mark.parametrize("lengths", [(3, 4), (), (0,), (0, 0)])
def test_loader_refuses_lengths(lengths):
    with pytest.raises(ValueError) as error:
        data.loader(*[torch.zeros(n, 2) for n in lengths], batch_size=2)
    assert (
        str(error.value)
        == f"The tensors must all have the same length, at least 1, but the lengths are {list(lengths)}."
    )


def test_import_leaves_slow_packages_for_later():
    code = "import sys; from utils import data; assert not {'torchvision', 'sklearn'} & set(sys.modules)"
    root = Path(data.__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True, env={**os.environ, "PYTHONPATH": str(root)})
