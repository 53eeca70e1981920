"""Diagrams of models and of processes: boxes and arrows, with the shapes that were measured."""

import inspect
import itertools
import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import HTML, display
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from torch import nn

from utils.widgets import image_element

OPERATIONS = {"+": "sum", "×": "product", "join": "join"}
TEXT_SIZE = 9  # points
BOX_HEIGHT = 0.42  # inches, and LINE more for each further line
LINE = 0.16
GAP = 0.38  # between boxes, where the arrows run
CIRCLE = 0.15  # radius of a sum or a product
MARGIN = 0.2  # around the picture
DPI = 160


def diagram(
    boxes: Mapping[str, tuple],
    arrows: Sequence[Sequence[str]],
    *,
    model: nn.Module | None = None,
    inputs: torch.Tensor | tuple = (),
    tensors: Mapping[str, torch.Tensor] | None = None,
    alt: str | None = None,
) -> None:
    """Show boxes and arrows, and in each box the shape of the tensor that leaves it.

    boxes: for each name its place and its text, (column, row, text), row 0 at the top; fractions are allowed. A name is

    - an argument of the model's `forward`, a submodule such as "features.0", or "output", what the model returns:
      the shape is measured while the model runs once, in evaluation mode, on `inputs`, a tensor or a tuple of them;
    - a key of `tensors`, for a function that is no module: the shape is that of the tensor;
    - "+", "×" or "join", each of which may have a number behind it ("+ 2"): a sum, a product, or a concatenation
      along dimension 1, of the shape that follows from what arrives; the text may be left out;
    - anything else, where there is no model: a box without a shape.

    arrows: chains of names; each pair of neighbours is an arrow. Where boxes lie between, it bends around them.
    alt: what the diagram shows, for those who cannot see it; by default all arrows in words.

    Raises ValueError for a name that is none of these, a submodule that was not called, an arrow from or to a box
    that is not there, and shapes that cannot be added or joined.
    """
    pairs = []
    for chain in arrows:
        pairs += itertools.pairwise(chain)
        for name in chain:
            if name not in boxes:
                raise ValueError(f"An arrow names {name!r}, but the boxes are {', '.join(boxes)}.")
    shapes = _diagram_shapes(boxes, pairs, model, inputs, tensors or {})
    labels = {name: _box_label(name, place, shapes[name]) for name, place in boxes.items()}
    places = {name: (float(place[0]), float(place[1])) for name, place in boxes.items()}
    fig = _draw_diagram(places, labels, pairs)
    plt.close(fig)  # shown below as an image with its alternative text, which a figure of the notebook would lack
    image = image_element(fig, alt or _diagram_in_words(labels, arrows), dpi=DPI)
    display(HTML(f'<div class="diagram">{image}</div>'))


def _diagram_shapes(boxes, pairs, model, inputs, tensors):
    """Return the shape of each box as a tuple, or None where nothing measures it."""
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    measured, received = _measured_shapes(model, inputs) if model is not None else ({}, {})
    for name, tensor in tensors.items():
        measured[name] = tuple(tensor.shape)
    shapes = {}
    for name in boxes:
        if name in measured:
            shapes[name] = measured[name]
        elif model is None and _operation(name) is None:
            shapes[name] = None
        elif _operation(name) is None:
            raise ValueError(_unknown_box(name, model, measured))

    # a sum or a join has its shape as soon as all that arrives has one
    sources = {name: [source for source, target in pairs if target == name] for name in boxes if name not in shapes}
    while sources:
        ready = [name for name in sources if shapes.keys() >= set(sources[name])]
        if not ready:
            raise ValueError(f"The arrows into {', '.join(sources)} go round in a circle.")
        for name in ready:
            arriving = [shapes[source] for source in sources.pop(name)]
            shapes[name] = _combined_shape(name, arriving)
    received.pop("output", None)  # what the whole model receives does not come from a box before the output
    for source, target in pairs:
        if _operation(source) and target in received and shapes[source] not in received[target]:
            got = " and ".join(map(str, received[target]))
            raise ValueError(f"{source!r} gives {shapes[source]}, but {target!r} received {got}.")
    batch = len(inputs[0]) if model is not None else None
    return {name: shape and _shape_text(shape, batch) for name, shape in shapes.items()}


def _measured_shapes(model, inputs):
    """Run the model once; return the shapes that leave inputs, submodules and model, and those that arrive."""
    leaving, received, handles = {}, {}, []
    parameter = next(model.parameters(), None)
    if parameter is not None:
        inputs = [value.to(parameter.device) for value in inputs]

    def record(name):
        def hook(module, args, output):
            leaving[name] = _first_shape(output)
            received[name] = [tuple(arg.shape) for arg in args if isinstance(arg, torch.Tensor)]

        return hook

    for name, module in model.named_modules():
        handles.append(module.register_forward_hook(record(name or "output")))
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            model(*inputs)
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes.items():
            module.training = training
    arguments = inspect.signature(model.forward).parameters
    for name, value in zip(arguments, inputs):
        leaving.setdefault(name, tuple(value.shape))
    return leaving, received


def _first_shape(output):
    while not isinstance(output, torch.Tensor):
        output = output[0]  # of several results, such as an LSTM's, the first
    return tuple(output.shape)


def _unknown_box(name, model, measured):
    kind = type(model).__name__
    if name in dict(model.named_modules()):
        return f"{name!r} is a part of {kind}, but it was not called on these inputs."
    arguments = [p for p in inspect.signature(model.forward).parameters if p in measured]
    parts = [part for part, _ in model.named_modules() if part]
    return (
        f"{name!r} is no part of {kind}: a box may be an input ({', '.join(arguments)}), 'output', a sum '+', "
        f"a product '×', a 'join', a key of `tensors`, or one of the submodules {', '.join(parts)}."
    )


def _operation(name):
    sign = name.split()[0]
    return sign if sign in OPERATIONS else None


def _combined_shape(name, arriving):
    if not arriving:
        raise ValueError(f"No arrow leads to {name!r}.")
    if None in arriving:
        return None
    try:
        if _operation(name) == "join":
            return tuple(torch.cat([torch.empty(shape, device="meta") for shape in arriving], dim=1).shape)
        return tuple(torch.broadcast_shapes(*arriving))
    except RuntimeError:
        together = " and ".join(map(str, arriving))
        raise ValueError(f"At {name!r} arrive {together}, which do not fit together.") from None


def _shape_text(shape, batch):
    """Write a shape as text, with B in place of a first number that is the size of the batch."""
    numbers = [str(number) for number in shape]
    if numbers and shape[0] == batch:
        numbers[0] = "B"
    return f"({', '.join(numbers)})"


def _box_label(name, place, shape):
    """Return what is written into a box: its text, and its shape or an empty string."""
    if len(place) > 2:
        text = place[2]
    else:
        text = _operation(name) or name
    return text, shape or ""


def _diagram_in_words(labels, arrows):
    said, seen = [], set()
    for chain in arrows:
        words = []
        for name in chain:
            text, shape = labels[name]
            text = " ".join(OPERATIONS.get(text, text).split())
            words.append(f"{text} {shape}" if shape and name not in seen else text)
            seen.add(name)
        said.append(", then ".join(words))
    return "Diagram: " + "; ".join(said) + "."


def _draw_diagram(places, labels, pairs):
    """Draw the boxes on a grid whose columns and rows are as wide and as high as what stands in them."""
    sizes = {name: _box_size(name, *labels[name]) for name in places}
    columns = _grid_lines([(places[name][0], sizes[name][0]) for name in places])
    rows = _grid_lines([(places[name][1], sizes[name][1]) for name in places])
    centres = {name: (columns(column), -rows(row)) for name, (column, row) in places.items()}
    routes = [_route(centres, sizes, source, target) for source, target in pairs]

    corners = list(itertools.chain.from_iterable(routes))
    for name, centre in centres.items():
        half = np.array(sizes[name]) / 2
        corners += [centre - half, centre + half]
    low = np.min(corners, axis=0) - MARGIN
    high = np.max(corners, axis=0) + MARGIN

    fig, ax = plt.subplots(figsize=high - low, layout="none")
    fig.subplots_adjust(0, 0, 1, 1)
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    ax.axis("off")
    for route in routes:
        ax.add_patch(FancyArrowPatch(path=Path(route), arrowstyle="-|>", mutation_scale=9, color="#444444", lw=1.1))
    for name, centre in centres.items():
        _draw_box(ax, name, centre, sizes[name], *labels[name])
    return fig


def _grid_lines(entries):
    """Return the function from a column (or row) to its place in inches; entries: (column, width) of each box."""
    first = math.floor(min(column for column, _ in entries))
    last = math.ceil(max(column for column, _ in entries))
    lines = np.arange(first, last + 1)
    widths = []
    for line in lines:
        here = [width for column, width in entries if round(column) == line]
        widths.append(max(here, default=0))
    steps = [(left + right) / 2 + GAP for left, right in itertools.pairwise(widths)]
    places = np.concatenate([[0.0], np.cumsum(steps)])
    return lambda column: float(np.interp(column, lines, places))


def _box_size(name, text, shape):
    if _operation(name) in ("+", "×") and len(text) == 1:
        return 2 * CIRCLE, 2 * CIRCLE
    lines = [*text.split("\n"), shape]
    widths = [TextPath((0, 0), line, size=TEXT_SIZE).get_extents().width / 72 for line in lines if line]
    return max(widths) + 0.2, BOX_HEIGHT + LINE * (len(lines) - 2)


def _draw_box(ax, name, centre, size, text, shape):
    x, y = centre
    width, height = size
    if width == height == 2 * CIRCLE:
        ax.add_patch(Circle(centre, CIRCLE, facecolor="white", edgecolor="black", lw=1.2, zorder=3))
        ax.text(x, y, text, ha="center", va="center_baseline", fontsize=12, zorder=4)
        if shape:
            clear = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # an arrow passes behind it
            below = ax.text(x, y - CIRCLE - 0.05, shape, ha="center", va="top", color="#444444", bbox=clear)
            below.set_fontsize(TEXT_SIZE - 1.5)
        return
    corner = (x - width / 2, y - height / 2)
    fill = "#FFF3DC" if _operation(name) else "#E3EEF7"
    style = "round,pad=0,rounding_size=0.06"
    box = FancyBboxPatch(corner, width, height, boxstyle=style, facecolor=fill, edgecolor="#333333", lw=1, zorder=3)
    ax.add_patch(box)
    lines = [*text.split("\n"), *([shape] if shape else [])]
    for number, line in enumerate(lines):
        height_of_line = y + LINE * ((len(lines) - 1) / 2 - number)
        color = "#444444" if shape and number == len(lines) - 1 else "black"
        ax.text(x, height_of_line, line, ha="center", va="center", fontsize=TEXT_SIZE, color=color, zorder=4)


def _route(centres, sizes, source, target):
    """Return the corners of an arrow: straight, or with one bend, or around what lies between in a row or column."""
    (x0, y0), (x1, y1) = centres[source], centres[target]
    (w0, h0), (w1, h1) = sizes[source], sizes[target]

    def taken(x, y):
        return any(math.dist((x, y), centre) < 0.1 for centre in centres.values())

    def between(axis):
        """Is there a box on the straight way along this axis?"""
        ends = sorted([centres[source][axis], centres[target][axis]])
        inner = [c for c in centres.values() if ends[0] + 0.01 < c[axis] < ends[1] - 0.01]
        return any(abs(c[1 - axis] - centres[source][1 - axis]) < 0.1 for c in inner)

    if abs(y0 - y1) < 0.01:  # in one row
        side = 1 if x1 > x0 else -1
        if not between(axis=0):
            return [(x0 + side * w0 / 2, y0), (x1 - side * w1 / 2, y1)]
        level = y0 + max(h0, h1) / 2 + 0.17
        return [(x0, y0 + h0 / 2), (x0, level), (x1, level), (x1, y1 + h1 / 2)]
    if abs(x0 - x1) < 0.01:  # in one column
        side = 1 if y1 > y0 else -1
        if not between(axis=1):
            return [(x0, y0 + side * h0 / 2), (x1, y1 - side * h1 / 2)]
        widest = max(w for name, (w, _) in sizes.items() if abs(centres[name][0] - x0) < 0.1)
        level = x0 + widest / 2 + 0.17
        return [(x0 + w0 / 2, y0), (level, y0), (level, y1), (x1 + w1 / 2, y1)]
    right, up = (1 if x1 > x0 else -1), (1 if y1 > y0 else -1)
    if not taken(x1, y0):  # along the row of the source, then up or down
        return [(x0 + right * w0 / 2, y0), (x1, y0), (x1, y1 - up * h1 / 2)]
    if not taken(x0, y1):
        return [(x0, y0 + up * h0 / 2), (x0, y1), (x1 - right * w1 / 2, y1)]
    return [(x0 + right * w0 / 2, y0), (x1 - right * w1 / 2, y1)]
