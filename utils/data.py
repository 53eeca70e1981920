"""Image and toy data sets as tensors, and the loader that makes batches of them."""

import functools
import importlib.util
import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, SequentialSampler, TensorDataset

from utils import common, download

SHAPES = ("circle", "square", "triangle", "star")
COLORS = {  # six hues, 60° apart
    "red": (0.90, 0.12, 0.12),
    "yellow": (0.95, 0.90, 0.10),
    "green": (0.10, 0.65, 0.15),
    "cyan": (0.10, 0.80, 0.90),
    "blue": (0.12, 0.22, 0.90),
    "magenta": (0.90, 0.15, 0.80),
}
SIZES = ("small", "large")
STAND_INS = {"mnist": "digits", "fashion_mnist": "digits", "cifar10": "shapes"}


class Images(NamedTuple):
    """An image data set: pixels in [0, 1], classes as integers, and where they came from."""

    x: torch.Tensor  # (N, C, H, W), float32
    y: torch.Tensor  # (N,), int64
    x_test: torch.Tensor  # (M, C, H, W), float32
    y_test: torch.Tensor  # (M,), int64
    classes: tuple[str, ...]  # the name of each class
    name: str  # the data set that was in fact loaded


class Shapes(NamedTuple):
    """Drawn images and all that is known of them; K is the largest number of objects, and -1 fills labels up to it."""

    x: torch.Tensor  # (N, 3, S, S), float32 in [0, 1]
    y: torch.Tensor  # (N,), int64: the class of the first object, an index into SHAPES
    labels: torch.Tensor  # (N, K), int64: the class of every object
    colors: torch.Tensor  # (N, K), int64: the place in COLORS
    sizes: torch.Tensor  # (N, K), int64: an index into SIZES
    captions: list[str]  # "a small red circle and a large blue star"
    boxes: torch.Tensor  # (N, K, 4), float32: left, top, right, bottom edge in pixels; zeros where there is no object
    counts: torch.Tensor  # (N,), int64: the number of objects
    masks: torch.Tensor  # (N, S, S), int64: 0 for the ground, 1 + class where an object is seen


def load(name: str, *, size: int = 28) -> Images:
    """Return the images `name`: "digits", "shapes", "mnist", "fashion_mnist" or "cifar10", at size × size pixels.

    The first two are embedded. The others are downloaded once and verified (see `utils.download`); where that fails,
    one sentence says why, and the embedded stand-in (digits, or shapes for CIFAR-10) is returned: look at `.name`.

    Raises ValueError for another name, no pixel, and shapes of fewer than 16 pixels.
    """
    _check("name", name, ("digits", "shapes", *STAND_INS))
    _check_least("size", size, 1)
    if name in STAND_INS:
        try:
            got = download.fetch(name)
        except OSError as error:
            print(f"{name} could not be loaded ({error}), so the embedded {STAND_INS[name]} are used instead.")
            name = STAND_INS[name]
        else:
            x, y, x_test, y_test = (torch.from_numpy(got[key]) for key in ("x", "y", "x_test", "y_test"))
            return Images(_resize(x, size), y, _resize(x_test, size), y_test, tuple(got["classes"].tolist()), name)
    if name == "digits":
        return digits(size)
    drawn = shapes(5000, size=size, textured=True)
    return Images(drawn.x[:4000], drawn.y[:4000], drawn.x[4000:], drawn.y[4000:], SHAPES, "shapes")


def digits(size: int = 8) -> Images:
    """Return scikit-learn's 1,797 handwritten digits (8 × 8), 1,437 to train and 360 to test, resampled to `size`.

    The split is the same in every call: of one fixed shuffle, the first 360 images are the test set; nothing makes
    the classes equally frequent in it. Source: Alpaydin and Kaynak (1998), the test part of "Optical Recognition of
    Handwritten Digits" in the UCI repository. Raises ValueError for no pixel.
    """
    _check_least("size", size, 1)
    images, labels = _raw_digits()
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    x = images if size == 8 else F.interpolate(images, size=(size, size), mode="bilinear", align_corners=False)
    test, train = order[:360], order[360:]
    return Images(x[train], labels[train], x[test], labels[test], tuple("0123456789"), "digits")


@functools.cache
def _raw_digits() -> tuple[torch.Tensor, torch.Tensor]:
    # The file that scikit-learn's load_digits reads; importing scikit-learn for it would take a second.
    folder = Path(importlib.util.find_spec("sklearn").origin).parent
    table = torch.tensor(np.loadtxt(folder / "datasets/data/digits.csv.gz", delimiter=",", dtype=np.int64))
    return (table[:, :-1] / 16).view(-1, 1, 8, 8), table[:, -1].clone()


def shapes(
    n: int, *, size: int = 32, objects: int = 1, textured: bool = False, overlap: float = 0.0, seed: int = 0
) -> Shapes:
    """Draw `n` images of upright coloured shapes on a plain grey ground or, `textured`, on stripes, checks and clouds.

    size: pixels a side, at least 16. objects: an image holds 1 to `objects` (at most 3) of them, smaller where
    `objects` is more than 1, so better seen at 64 pixels; a later object hides an earlier one. overlap: in [0, 0.5],
    how far the circles around two objects may reach into one another, as a share of their radii together. A box
    bounds the whole object to the pixel, hidden parts included. The same seed gives the same images, and the same
    objects on both grounds.

    Raises ValueError for arguments out of range.
    """
    for name, value, low, high in (("n", n, 1, None), ("size", size, 16, None), ("objects", objects, 1, 3)):
        if value < low or (high and value > high):
            raise ValueError(f"{name} is {value}, but it must be {f'{low} to {high}' if high else f'at least {low}'}.")
    if not 0 <= overlap <= 0.5:
        raise ValueError(f"overlap is {overlap}, but it must be 0 to 0.5.")
    rng = torch.Generator().manual_seed(seed)
    counts = torch.randint(1, objects + 1, (n,), generator=rng)
    absent = torch.arange(objects) >= counts[:, None]  # (N, K)
    kinds = [torch.randint(len(c), (n, objects), generator=rng) for c in (SHAPES, COLORS, SIZES)]
    labels, colors, sizes = (kind.masked_fill(absent, -1) for kind in kinds)
    radius = size * torch.tensor([0.20, 0.36])[kinds[2]] * (1 if objects == 1 else 0.58)
    radius = radius * torch.empty(n, objects).uniform_(0.93, 1.07, generator=rng)
    center = _places(radius.masked_fill(absent, 0), size, overlap, rng)
    jitter = torch.empty(n, objects, 3).uniform_(-0.08, 0.08, generator=rng)
    rgb = (torch.tensor(list(COLORS.values()))[kinds[1]] + jitter).clamp(0, 1)
    x = _grounds(n, size, textured, rng)
    masks, boxes = _paint(x, labels, center, radius, rgb)
    rows = zip(labels.tolist(), colors.tolist(), sizes.tolist())
    captions = [_caption(*row) for row in rows]
    return Shapes(x, labels[:, 0], labels, colors, sizes, captions, boxes, counts, masks)


def _caption(labels: list[int], colors: list[int], sizes: list[int]) -> str:
    names = list(COLORS)
    objects = (f"a {SIZES[s]} {names[c]} {SHAPES[k]}" for k, c, s in zip(labels, colors, sizes) if k >= 0)
    return " and ".join(objects)


def _places(radius: torch.Tensor, size: int, overlap: float, rng: torch.Generator) -> torch.Tensor:
    """Return centres (N, K, 2) within the image, of 64 proposals the first whose circles (N, K) keep their distance."""
    n, k = radius.shape
    tries = 1 if k == 1 else 64
    center = torch.rand(n, tries, k, 2, generator=rng) * (size - 2 * radius)[:, None, :, None]
    center = center + radius[:, None, :, None]
    gap = torch.zeros(n, tries)  # at most 0, so that the first free proposal is the first maximum
    for i, j in itertools.combinations(range(k), 2):
        room = (center[:, :, i] - center[:, :, j]).norm(dim=-1)
        both = radius[:, i] + radius[:, j]
        needed = (1 - overlap) * both * (radius[:, j] > 0)  # nothing, where the later object is absent
        gap = gap.minimum(room - needed[:, None])
    return center[torch.arange(n), gap.argmax(dim=1)]


def _grounds(n: int, size: int, textured: bool, rng: torch.Generator) -> torch.Tensor:
    """Return (N, 3, S, S): one grey an image, or two muted tints mixed by stripes, checks, clouds or a slope."""
    grey = torch.empty(n, 1, 1, 1).uniform_(0.1, 0.9, generator=rng)
    if not textured:
        return grey.expand(n, 3, size, size).clone()
    tints = grey + torch.empty(2, n, 3, 1, 1).uniform_(-0.12, 0.12, generator=rng)
    tints = tints + torch.tensor([-1, 1]).view(2, 1, 1, 1, 1) * torch.empty(n, 1, 1, 1).uniform_(
        0.08, 0.2, generator=rng
    )
    angle, phase, waves = torch.rand(3, n, 1, 1, generator=rng) * torch.tensor([math.pi, 6.3, 4.0]).view(3, 1, 1, 1)
    clouds = F.interpolate(torch.rand(n, 1, 6, 6, generator=rng), size=(size, size), mode="bicubic")[:, 0]
    kind = torch.randint(4, (n, 1, 1), generator=rng)
    axis = torch.linspace(0, 2 * math.pi, size)
    v, u = torch.meshgrid(axis, axis, indexing="ij")
    along = u * angle.cos() + v * angle.sin()  # (N, S, S)
    turn = (waves + 2) * along + phase
    stripes = 0.5 + 0.5 * turn.sin()
    turn_u = (waves + 1.5) * u + phase
    turn_v = (waves + 1.5) * v + angle
    checks = 0.5 + 2 * turn_u.sin() * turn_v.sin()
    slope = ((along + phase) % 6.3 / 3.15 - 1).abs()
    mix = torch.where(kind == 0, stripes, torch.where(kind == 1, checks, torch.where(kind == 2, clouds, slope)))
    return torch.lerp(tints[0], tints[1], mix.clamp(0, 1)[:, None]).clamp(0, 1)


def _paint(x, labels, center, radius, rgb) -> tuple[torch.Tensor, torch.Tensor]:
    """Paint the objects (N, K, …) on x (N, 3, S, S) in place; return class maps (N, S, S) and boxes (N, K, 4).

    The edge is smoothed by the signed distance d of a pixel's centre, in pixels: opacity clamp(0.5 + d, 0, 1).
    """
    size = x.shape[-1]
    masks = torch.zeros(len(x), size, size, dtype=torch.int64)
    boxes = torch.zeros(*labels.shape, 4)
    grid = torch.arange(size) + 0.5
    for k, (label, distance) in itertools.product(range(labels.shape[1]), enumerate(_DISTANCES)):
        for rows in (labels[:, k] == label).nonzero()[:, 0].split(512):  # blocks fit the cache
            r = radius[rows, k].view(-1, 1, 1)
            cx, cy = center[rows, k].T[:, :, None, None]
            x_unit = (grid - cx) / r  # in units of the circle around the shape
            y_unit = (grid[:, None] - cy) / r
            d = distance(x_unit, y_unit).mul_(r)  # (rows, S, S)
            alpha = (0.5 + d).clamp_(0, 1)[:, None]
            x[rows] = torch.lerp(x[rows], rgb[rows, k, :, None, None], alpha)
            inside = d >= 0
            masks[rows] = masks[rows].masked_fill(inside, label + 1)
            boxes[rows, k] = _bounds(inside)
    return masks, boxes


def _star(x: torch.Tensor, y: torch.Tensor, notch: float = 0.45) -> torch.Tensor:
    fifth = 2 * math.pi / 5
    half = fifth / 2
    angle = torch.atan2(x, -y)
    turn = ((angle + half) % fifth - half).abs()  # folded onto half a ray: 0 to 36°
    # the normal of the edge from tip to notch
    u = notch * math.sin(half)
    v = 1 - notch * math.cos(half)
    across = u * turn.cos() + v * turn.sin()
    return (u - torch.hypot(x, y) * across) / math.hypot(u, v)


def _triangle(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    slanted = 0.75**0.5 * x.abs() - 0.5 * y
    return 0.5 - torch.maximum(y, slanted)


# In the order of SHAPES; in units of the circle around the shape, positive inside, the vertical axis pointing down.
_DISTANCES = (
    lambda x, y: 0.85 - torch.hypot(x, y),
    lambda x, y: 0.70 - torch.maximum(x.abs(), y.abs()),
    _triangle,
    _star,
)


def _bounds(inside: torch.Tensor) -> torch.Tensor:
    """Return the edges (N, 4) left, top, right, bottom of the pixels that are true in (N, S, S)."""
    size = inside.shape[-1]
    columns, rows = inside.any(dim=1).int(), inside.any(dim=2).int()
    first = [columns.argmax(dim=1), rows.argmax(dim=1)]
    last = [size - columns.flip(1).argmax(dim=1), size - rows.flip(1).argmax(dim=1)]
    return torch.stack(first + last, dim=1).float()


def toy2d(name: str, n: int, *, noise: float | None = None, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return `n` points of a distribution in the plane and their classes, x (N, 2) within about [-3, 3] and y (N,).

    name: "moons", "spirals", "rings" (2 classes), "eight_gaussians" or "checkerboard" (8: the bump, or the dark
    square). The classes follow one another in turn, so that every slice holds them in equal parts. noise: the standard
    deviation added to each coordinate, 0.12 where it is not given (0.2 for the Gaussians, 0 for the checkerboard).

    Raises ValueError for another name, no point, and a negative noise.
    """
    _check("name", name, ("moons", "spirals", "rings", "eight_gaussians", "checkerboard"))
    _check_least("n", n, 1)
    _check_least("noise", 0 if noise is None else noise, 0)
    rng = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % (8 if name in ("eight_gaussians", "checkerboard") else 2)
    t, u = torch.rand(2, n, generator=rng)
    if name == "checkerboard":
        row = y // 2
        column = 2 * (y % 2) + row % 2
        x = 1.5 * torch.stack([column + t, row + u], dim=1) - 3
    elif name == "moons":
        angle = math.pi * (t + y)  # the lower moon is the upper one, turned and shifted
        side = 2 * y - 1
        x = 2 * _polar(angle, torch.ones(n)) + torch.stack([side, 0.5 * side], dim=1)
    else:
        radius = {
            "spirals": 0.3 + 2.5 * t.sqrt(),
            "rings": 1.2 + 1.4 * y,
            "eight_gaussians": torch.full((n,), 2.4),
        }
        angle = {
            "spirals": 8 * t.sqrt() + math.pi * y,
            "rings": 2 * math.pi * t,
            "eight_gaussians": math.pi / 4 * y,
        }
        x = _polar(angle[name], radius[name])
    spread = {"eight_gaussians": 0.2, "checkerboard": 0.0}.get(name, 0.12) if noise is None else noise
    return x + spread * torch.randn(n, 2, generator=rng), y


def _polar(angle: torch.Tensor, radius: torch.Tensor) -> torch.Tensor:
    return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)


def regression(name: str, n: int, *, noise: float = 0.2, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return x (N, 1), drawn evenly from [-3, 3], and y = f(x) + N(0, noise²) (N, 1).

    name: "line" f = 0.5 x + 1, "sine" f = sin(2 x), "cubic" f = 0.2 x³ - x, "step" f = sign(x).

    Raises ValueError for another name, no point, and a negative noise.
    """
    functions = {
        "line": lambda x: 0.5 * x + 1,
        "sine": lambda x: torch.sin(2 * x),
        "cubic": lambda x: 0.2 * x**3 - x,
        "step": torch.sign,
    }
    _check("name", name, tuple(functions))
    _check_least("n", n, 1)
    _check_least("noise", noise, 0)
    rng = torch.Generator().manual_seed(seed)
    x = 6 * torch.rand(n, 1, generator=rng) - 3
    return x, functions[name](x) + noise * torch.randn(n, 1, generator=rng)


def series(name: str, n: int, *, noise: float = 0.2, seed: int = 0) -> torch.Tensor:
    """Return a time series (N,) for t = 1 … N.

    name: "sine" is x_t = sin(0.01 t) + e_t with e_t independent N(0, noise²). "demand" looks like a load measured
    every hour: 5 + 0.001 t (growth) - cos(2π t / 24) - 0.4 cos(4π t / 24) (day), less 0.8 on the last two of seven
    days (week), plus noise with a memory, e_t = 0.8 e_{t-1} + N(0, noise²). It is made up; its unit is arbitrary.

    Raises ValueError for another name, no point, and a negative noise.
    """
    _check("name", name, ("sine", "demand"))
    _check_least("n", n, 1)
    _check_least("noise", noise, 0)
    t = torch.arange(1, n + 1, dtype=torch.float64)
    shocks = noise * torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    if name == "sine":
        return (torch.sin(0.01 * t) + shocks).float()
    turn = 2 * math.pi * t / 24
    day = -torch.cos(turn) - 0.4 * torch.cos(2 * turn)
    week = -0.8 * (t // 24 % 7 >= 5)
    remembered = itertools.accumulate(shocks.tolist(), lambda e, shock: 0.8 * e + shock)
    memory = torch.tensor(list(remembered), dtype=torch.float64)
    return (5 + 0.001 * t + day + week + memory).float()


def photo(name: str, size: int | None = None) -> torch.Tensor:
    """Return scikit-learn's photograph "china" (a pagoda) or "flower", (3, H, W) in [0, 1], 427 × 640 pixels.

    size: where it is given, the largest square in the middle is cut out and resampled to size × size pixels.

    Raises ValueError for another name and no pixel. Source: see images/README.txt of scikit-learn's data sets; CC BY
    2.0.
    """
    _check("name", name, ("china", "flower"))
    _check_least("size", 1 if size is None else size, 1)
    import sklearn.datasets  # here, because it takes a second

    x = torch.tensor(sklearn.datasets.load_sample_image(f"{name}.jpg")).permute(2, 0, 1)[None]
    if size is None:
        return x[0].contiguous() / 255
    height, width = x.shape[2:]
    side = min(height, width)
    top = (height - side) // 2
    left = (width - side) // 2
    square = x[:, :, top : top + side, left : left + side]
    return _resize(square, size)[0]


def _resize(x: torch.Tensor, size: int) -> torch.Tensor:
    """Return bytes (N, C, H, W) as float32 in [0, 1] at size × size pixels: bilinear, averaging where it shrinks."""
    if tuple(x.shape[2:]) == (size, size):
        return x / 255
    blocks = [F.interpolate(b / 255, (size, size), mode="bilinear", antialias=True) for b in x.split(5000)]
    return torch.cat(blocks).clamp_(0, 1)


def _check(what: str, value: str, accepted: Sequence[str]) -> None:
    if value not in accepted:
        raise ValueError(f"{what} is {value!r}, but it must be one of {', '.join(map(repr, accepted))}.")


def _check_least(what: str, value: float, least: float) -> None:
    if not value >= least:  # NaN too
        raise ValueError(f"{what} is {value}, but it must be at least {least}.")


class _Batches(TensorDataset):
    """Tensors from which a whole batch is picked at once: a list of indices is made a tensor once, not per tensor."""

    def __getitem__(self, index):
        index = torch.as_tensor(index, device=self.tensors[0].device)
        return tuple(tensor.index_select(0, index) for tensor in self.tensors)


def loader(
    *tensors: torch.Tensor, batch_size: int, shuffle: bool = True, drop_last: bool = False, seed: int = 0
) -> DataLoader:
    """Return a DataLoader over tensors (N, …) of equal length that picks whole batches by index.

    A standard `torch.utils.data.DataLoader`, several times faster than one that gathers sample by sample: its sampler
    yields lists of indices, and `batch_size=None` passes each list to the data set at once. The order of each pass
    follows from `seed` and differs from pass to pass. What computed the tensors gets no gradients.

    Raises ValueError for no tensors, empty ones, unequal lengths and different devices, TypeError for other things.
    """
    for tensor in tensors:
        common.check_tensor("Each argument", tensor)
    lengths = [len(t) if t.ndim else 0 for t in tensors]
    if not lengths or 0 in lengths or len(set(lengths)) > 1:
        raise ValueError(f"The tensors must all have the same length, at least 1, but the lengths are {lengths}.")
    devices = [str(t.device) for t in tensors]
    if len(set(devices)) > 1:
        raise ValueError(f"The tensors must all be on one device, but they are on {', '.join(devices)}.")
    plain = [t.detach() for t in tensors]
    data = _Batches(*plain)
    generator = torch.Generator().manual_seed(seed)
    order = RandomSampler(data, generator=generator) if shuffle else SequentialSampler(data)
    return DataLoader(data, sampler=BatchSampler(order, batch_size, drop_last), batch_size=None, generator=generator)
