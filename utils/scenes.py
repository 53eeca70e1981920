"""The scenes of the part on convolutional networks: several shapes, which may overlap, on a ground with clutter."""

from typing import NamedTuple

import torch

from utils import data

MOST_OBJECTS = 4
MOST_OVERLAP = 0.38  # of two boxes, as an IoU; rounded to pixels it may be 0.4
TRIES = 24  # places that are tried for an object
STROKES = 8  # of clutter in a hard scene
EXTENTS = torch.tensor(  # left, top, right, bottom of each shape, in units of the circle around it
    [
        [-0.85, -0.85, 0.85, 0.85],
        [-0.70, -0.70, 0.70, 0.70],
        [-0.87, -1.00, 0.87, 0.50],
        [-0.95, -1.00, 0.95, 0.81],
    ]
)


class Scenes(NamedTuple):
    """Drawn scenes and what is in them; -1 and zeros fill the rows of objects that are absent."""

    x: torch.Tensor  # (N, 3, S, S), float32 in [0, 1]
    boxes: torch.Tensor  # (N, 4, 4), float32: left, top, right, bottom edge of each object in pixels
    labels: torch.Tensor  # (N, 4), int64: the class of each object, an index into data.SHAPES
    masks: torch.Tensor  # (N, S, S), int64: 0 for the ground, 1 + class where an object is seen

    def to(self, device: torch.device | str) -> "Scenes":
        """Return the same scenes on a device."""
        return Scenes(*[part.to(device) for part in self])


def draw_scenes(n: int, *, hard: bool = True, objects: int = MOST_OBJECTS, size: int = 64, seed: int = 0) -> Scenes:
    """Draw `n` scenes of one to `objects` shapes each, at most four.

    Of 64 pixels a hard scene has shapes from 8 pixels a side, textured grounds, coloured strokes as clutter, and
    boxes that overlap up to an IoU of 0.4, the smaller object in front. An easy one has shapes from 13 pixels on a
    plain grey ground, and nothing overlaps. An object for which no place is found is left out. A box bounds the whole
    object to the pixel, hidden parts included. The same seed gives the same scenes.

    Raises ValueError for no scene, fewer than 1 or more than 4 objects, and fewer than 32 pixels.
    """
    if n < 1:
        raise ValueError(f"n is {n}, but it must be at least 1.")
    if size < 32:
        raise ValueError(f"size is {size}, but it must be at least 32.")
    if not 1 <= objects <= MOST_OBJECTS:
        raise ValueError(f"objects is {objects}, but it must be 1 to {MOST_OBJECTS}.")
    rng = torch.Generator().manual_seed(seed)
    counts = torch.randint(1, objects + 1, (n,), generator=rng)
    smallest, largest = (0.094, 0.25) if hard else (0.15, 0.23)
    radius = size * torch.empty(n, MOST_OBJECTS).uniform_(smallest, largest, generator=rng)
    radius = radius.sort(dim=1, descending=True).values  # the smaller ones are painted later
    kinds = torch.randint(len(data.SHAPES), (n, MOST_OBJECTS), generator=rng)
    labels = kinds.masked_fill(torch.arange(MOST_OBJECTS) >= counts[:, None], -1)
    center, labels = _placed(labels, radius, size, MOST_OVERLAP if hard else 0.0, rng)

    x = data._grounds(n, size, hard, rng)
    if hard:
        x = scribble(x, STROKES, rng)
    colors = torch.tensor(list(data.COLORS.values()))
    jitter = torch.empty(n, MOST_OBJECTS, 3).uniform_(-0.08, 0.08, generator=rng)
    picked = torch.randint(len(colors), (n, MOST_OBJECTS), generator=rng)
    rgb = (colors[picked] + jitter).clamp(0, 1)
    masks, boxes = data._paint(x, labels, center, radius, rgb)
    return Scenes(x, boxes, labels, masks)


def _placed(labels, radius, size, most_overlap, rng):
    """Return centres (N, K, 2), and the labels with -1 where no place was found.

    Half of the places that are tried lie near the object before, so that objects do overlap where they may.
    """
    n = len(labels)
    rows = torch.arange(n)
    center = torch.zeros(n, MOST_OBJECTS, 2)
    boxes = torch.zeros(n, MOST_OBJECTS, 4)
    labels = labels.clone()
    for k in range(MOST_OBJECTS):
        r = radius[:, k, None, None]
        anywhere = r + torch.rand(n, TRIES, 2, generator=rng) * (size - 2 * r)
        near = center[:, max(k - 1, 0), None] + 2.2 * r * torch.randn(n, TRIES, 2, generator=rng)
        near = near.maximum(r).minimum(size - r)
        chosen = torch.rand(n, TRIES, 1, generator=rng) < 0.5
        tried = torch.where(chosen & (k > 0), near, anywhere)  # (N, T, 2)
        extent = EXTENTS[labels[:, k].clamp(min=0)][:, None] * r  # (N, 1, 4)
        tried_boxes = tried.repeat(1, 1, 2) + extent
        # a pixel more on each side: the boxes are rounded to pixels when they are painted
        overlap = _ious(_grown(tried_boxes), _grown(boxes[:, :k])).amax(dim=2) if k else torch.zeros(n, TRIES)
        free = overlap <= most_overlap
        first = free.int().argmax(dim=1)
        center[:, k] = tried[rows, first]
        boxes[:, k] = tried_boxes[rows, first]
        absent = ~free.any(dim=1) | (labels[:, k] < 0)
        labels[:, k] = labels[:, k].masked_fill(absent, -1)
        boxes[:, k] = boxes[:, k].masked_fill(absent[:, None], -1e4)  # far away, so that nothing overlaps it
    return center, labels


def _grown(boxes):
    return boxes + torch.tensor([-1.0, -1.0, 1.0, 1.0])


def _ious(a, b):
    """Return the IoU of all pairs of boxes (N, T, 4) and (N, K, 4): (N, T, K)."""
    a = a[:, :, None]
    b = b[:, None]
    sides = torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])
    shared = sides.clamp(min=0).prod(dim=-1)
    both = (a[..., 2:] - a[..., :2]).prod(dim=-1) + (b[..., 2:] - b[..., :2]).prod(dim=-1)
    return shared / (both - shared)


def scribble(x: torch.Tensor, strokes: int, generator: torch.Generator) -> torch.Tensor:
    """Return the images x (N, 3, S, S) under coloured strokes: straight, thin, and of the colours of the shapes.

    generator: a generator of the CPU. Raises ValueError for another shape and a negative number of strokes.
    """
    if x.ndim != 4 or x.shape[1] != 3:
        raise ValueError(f"The images must be (N, 3, S, S), but they are {tuple(x.shape)}.")
    if strokes < 0:
        raise ValueError(f"strokes is {strokes}, but it must be at least 0.")
    colors = torch.tensor(list(data.COLORS.values()))
    n, _, size, _ = x.shape
    grid = torch.arange(size) + 0.5
    for _ in range(strokes):
        middle = size * torch.rand(2, n, 1, 1, generator=generator)
        angle = torch.pi * torch.rand(n, 1, 1, generator=generator)
        half_length = size * torch.empty(n, 1, 1).uniform_(0.04, 0.14, generator=generator)
        half_width = torch.empty(n, 1, 1).uniform_(0.4, 1.2, generator=generator)
        picked = torch.randint(len(colors), (n,), generator=generator)
        across_x = grid - middle[0]  # (N, 1, S)
        across_y = grid[:, None] - middle[1]  # (N, S, 1)
        along = across_x * angle.cos() + across_y * angle.sin()
        aside = across_y * angle.cos() - across_x * angle.sin()
        distance = torch.minimum(half_length - along.abs(), half_width - aside.abs())
        alpha = (0.5 + distance).clamp(0, 1)[:, None]
        x = torch.lerp(x, colors[picked][:, :, None, None], alpha)
    return x
