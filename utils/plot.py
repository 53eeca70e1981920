"""Figures in one style. Each function draws one idea on the axes it is given and returns them."""

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from cycler import cycler
from matplotlib.axes import Axes
from torch import nn

from utils.diagram import diagram  # noqa: F401 - plot.diagram: figures of models stand beside the others

# Okabe and Ito's palette, told apart with every common kind of colour blindness; yellow left out: too pale on white.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
MARKERS = "osD^vP*"


def use_style() -> None:
    """Set fonts, sizes and colours of all figures that follow; opaque white, to be legible on dark pages too."""
    plt.rcParams.update(
        {
            "figure.figsize": (6.6, 3.6),
            "figure.dpi": 150,
            "figure.facecolor": "white",
            "figure.constrained_layout.use": True,
            "savefig.facecolor": "white",
            "font.size": 10,
            "axes.titlesize": 11,
            "axes.prop_cycle": cycler(color=COLORS, linestyle=DASHES),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.alpha": 0.25,
            "image.cmap": "viridis",
            "image.interpolation": "nearest",
            "legend.frameon": False,
            "lines.linewidth": 1.8,
        }
    )


def curves(
    series: Mapping[str, Sequence[float]],
    ax: Axes | None = None,
    *,
    x: Sequence[float] | None = None,
    xlabel: str = "epoch",
    ylabel: str = "loss",
    log: bool = False,
    title: str = "",
) -> Axes:
    """Draw one labelled line per series, told apart by colour and dashes.

    series: for each name its values; a history of `fit` can be passed in parts. x: 1, 2, 3, … where it is not given.
    log: a logarithmic vertical axis. Values that are not finite leave a gap.

    Raises ValueError for no series, values that are no sequence or not as many as x, more than 49 series, and a
    logarithmic axis without a positive value.
    """
    ax = ax or plt.gca()
    if not series:
        raise ValueError("There is no series to draw.")
    for number, (name, values) in enumerate(series.items()):
        values = _array(values)
        if values.ndim != 1:
            raise ValueError(f"The series {name!r} must be a sequence of numbers, not of shape {values.shape}.")
        places = np.arange(1, len(values) + 1) if x is None else _array(x)
        if places.shape != values.shape:
            raise ValueError(f"The series {name!r} has {len(values)} values, but x is of shape {places.shape}.")
        if log and np.isfinite(values).any() and not (values > 0).any():
            raise ValueError(f"The series {name!r} has no positive value for a logarithmic axis.")
        color, dashes = _look(number, DASHES)
        look = {} if number < len(COLORS) else {"color": color, "linestyle": dashes}  # the style has the first ones
        ax.plot(places, values, label=name, **look)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title, yscale="log" if log else "linear")
    ax.legend()
    return ax


def image_grid(
    images,
    ax: Axes | None = None,
    *,
    columns: int = 8,
    labels: Sequence[str] | None = None,
    limits: tuple[float, float] | None = (0.0, 1.0),
    cmap: str = "gray",
    title: str = "",
) -> Axes:
    """Draw images (N, H, W), (N, 1, H, W) or (N, 3, H, W) row by row in one picture, with a gap between them.

    labels: a short text above each image. limits: the values drawn black and white; None takes those of the data, and
    of bytes (uint8) they are 0 and 255. A pixel that is NaN is left out.
    Raises ValueError for another shape, no column or a wrong number of labels.
    """
    ax = ax or plt.gca()
    images = _array(images)
    if images.dtype == np.uint8 and limits == (0.0, 1.0):
        limits = (0, 255)
    if images.ndim == 3:
        images = images[:, None]
    if images.ndim != 4 or images.shape[1] not in (1, 3) or len(images) == 0:
        raise ValueError(f"Images must be (N, H, W), (N, 1, H, W) or (N, 3, H, W), not {images.shape}.")
    if labels is not None and len(labels) != len(images):
        raise ValueError(f"There are {len(labels)} labels for {len(images)} images.")
    if columns < 1:
        raise ValueError(f"columns is {columns}, but it must be at least 1.")
    low, high = limits or _range(images)
    images = np.clip((images - low) / max(high - low, 1e-12), 0, 1)
    n, c, h, w = images.shape
    columns = min(columns, n)
    rows = -(-n // columns)
    gap = max(1, h // 12)
    head = h // 3 if labels is not None else 0  # room for a label
    pitch = h + gap + head
    height = rows * pitch - gap
    width = columns * (w + gap) - gap
    canvas = np.full((height, width, c), np.nan)
    for i, image in enumerate(images):
        top = (i // columns) * pitch + head
        left = (i % columns) * (w + gap)
        canvas[top : top + h, left : left + w] = image.transpose(1, 2, 0)
        if labels is not None:
            ax.text(left + w / 2, top - gap / 2, labels[i], ha="center", va="bottom", fontsize=8)
    if c == 1:
        ax.imshow(canvas[..., 0], cmap=cmap, vmin=0, vmax=1)
    else:
        ax.imshow(np.where(np.isnan(canvas), 1.0, canvas))
    ax.set_title(title)
    ax.axis("off")
    return ax


def heatmap(
    values,
    ax: Axes | None = None,
    *,
    xlabel: str = "",
    ylabel: str = "",
    xticks: Sequence[str] | None = None,
    yticks: Sequence[str] | None = None,
    annotate: str | None = None,
    colorbar: bool = True,
    cmap: str = "viridis",
    limits: tuple[float, float] | None = None,
    title: str = "",
) -> Axes:
    """Draw a matrix (rows, columns) in colours, row 0 at the top.

    annotate: a format such as "{:.2f}" or "{:.0f}" that writes each value into its cell. A cell that is NaN is white.

    Raises ValueError for another shape and a wrong number of ticks.
    """
    ax = ax or plt.gca()
    values = _array(values)
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"A heat map needs a matrix, not an array of shape {values.shape}.")
    for what, ticks, count in (("xticks", xticks, values.shape[1]), ("yticks", yticks, values.shape[0])):
        if ticks is not None and len(ticks) != count:
            raise ValueError(f"{what} names {len(ticks)} cells, but the matrix {values.shape} has {count}.")
    low, high = limits or _range(values)
    picture = ax.imshow(values, cmap=cmap, vmin=low, vmax=high, aspect="auto")
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    ax.grid(False)
    if xticks is not None:
        ax.set_xticks(range(len(xticks)), xticks)
    if yticks is not None:
        ax.set_yticks(range(len(yticks)), yticks)
    if annotate is not None:
        for (i, j), value in np.ndenumerate(values):
            red, green, blue, alpha = picture.to_rgba(value)
            dark = alpha > 0 and 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
            ax.text(j, i, annotate.format(value), ha="center", va="center", color="white" if dark else "black")
    if colorbar:
        ax.figure.colorbar(picture, ax=ax, pad=0.02)
    return ax


def contour(
    f: Callable,
    ax: Axes | None = None,
    *,
    xlim: tuple[float, float],
    ylim: tuple[float, float],
    paths: Mapping[str, Sequence] | None = None,
    levels: int = 14,
    log: bool = False,
    filled: bool = False,
    resolution: int = 120,
    title: str = "",
) -> Axes:
    """Draw the level sets of f(x, y) and, over them, paths (steps, 2) of points, from a dot to a cross.

    f takes two tensors of the same shape and returns one. log: levels evenly spaced in log(f − min f), for surfaces
    that span several powers of ten. filled: flat greys in place of lines, a quarter of the bytes in the frame of an
    explorer; take few levels. A path is cut where it leaves the picture for good or stops being finite. Where f is not
    finite, nothing is drawn.

    Raises ValueError for values of another shape or nowhere finite, fewer than one level or two points a side, and a
    path of another shape, without a finite first point, or one of more than 49.
    """
    ax = ax or plt.gca()
    if levels < 1 or resolution < 2:
        raise ValueError(f"There must be 1 level and 2 points a side, or more, but there are {levels}, {resolution}.")
    xs, ys = torch.linspace(*xlim, resolution), torch.linspace(*ylim, resolution)
    gx, gy = torch.meshgrid(xs, ys, indexing="xy")
    z = _array(f(gx, gy))
    if z.shape != tuple(gx.shape):
        raise ValueError(f"f must return one value a point, {tuple(gx.shape)}, but it returned {z.shape}.")
    z = np.where(np.isfinite(z), z, np.nan)
    if np.isnan(z).all():
        raise ValueError(f"f is nowhere finite on {xlim} × {ylim}.")
    if log:
        z = np.log10(z - np.nanmin(z) + 1e-3)
    if filled:
        ax.contourf(_array(xs), _array(ys), z, levels=levels, cmap="Greys", alpha=0.5, antialiased=False)
    else:
        ax.contour(_array(xs), _array(ys), z, levels=levels, cmap="Greys", linewidths=0.8, linestyles="-", alpha=0.7)
    for number, (name, path) in enumerate((paths or {}).items()):
        path = _array(path)
        if path.ndim != 2 or path.shape[1] != 2 or len(path) == 0 or not np.isfinite(path[0]).all():
            raise ValueError(f"The path {name!r} must be points (steps, 2), the first finite, but it is {path.shape}.")
        finite = np.isfinite(path).all(axis=1)
        if not finite.all():
            path = path[: np.argmin(finite)]  # up to the first point that is not
        color, _ = _look(number, DASHES)
        look = {"color": color, "linestyle": DASHES[number // len(COLORS)]}
        ax.plot(path[:, 0], path[:, 1], label=name, marker=".", markersize=3, linewidth=1.3, **look)
        ax.plot(*path[0], "o", color=color, markersize=6)
        end_x, end_y = path[-1]
        ax.plot(end_x, end_y, "X", color=color, markersize=8, markeredgecolor="white")
    ax.set(xlim=xlim, ylim=ylim, title=title)
    ax.grid(False)
    if paths:
        ax.legend(loc="best")
    return ax


def boundary(predict: Callable, x, y, ax: Axes | None = None, *, resolution: int = 120, title: str = "") -> Axes:
    """Draw the classes that `predict` gives to points of the plane, with the data (N, 2) and their classes (N,).

    predict: takes a tensor (M, 2) and returns scores (M, K), K at least 2. The points are on the device of a model, or
    of x where `predict` is another function. Where a score is NaN, nothing is drawn.

    Raises ValueError for other shapes, points that are not finite, classes that are not 0, 1, 2, …, more than 49
    classes, and fewer than two points a side.
    """
    ax = ax or plt.gca()
    home = torch.zeros(0, device=x.device if isinstance(x, torch.Tensor) else "cpu")
    if isinstance(predict, nn.Module):
        home = next(predict.parameters(), home)
    x = _array(x)
    y = _array(y)
    _check_points(x, y)
    if resolution < 2:
        raise ValueError(f"resolution is {resolution}, but it must be at least 2.")
    low = x.min(0) - 0.3
    high = x.max(0) + 0.3
    gx, gy = np.meshgrid(np.linspace(low[0], high[0], resolution), np.linspace(low[1], high[1], resolution))
    grid = np.stack([gx.ravel(), gy.ravel()], axis=1)
    points = torch.tensor(grid, dtype=home.dtype)
    with torch.no_grad():
        scores = _array(predict(points.to(home.device)))
    if scores.ndim != 2 or len(scores) != len(points) or scores.shape[1] < 2:
        raise ValueError(f"predict must return scores ({len(points)}, K), K at least 2, not {scores.shape}.")
    classes = np.where(np.isnan(scores).any(axis=1), np.nan, scores.argmax(axis=1))
    k = int(np.nanmax([*classes, *y])) + 1
    looks = [_look(c, MARKERS) for c in range(k)]
    colors = [color for color, _ in looks]
    ax.contourf(gx, gy, classes.reshape(gx.shape), levels=np.arange(k + 1) - 0.5, colors=colors, alpha=0.2)
    for c, (color, marker) in enumerate(looks):
        ax.scatter(*x[y == c].T, color=color, marker=marker, s=12, label=f"class {c}")
    ax.set(xlabel="$x_1$", ylabel="$x_2$", title=title)
    ax.grid(False)
    ax.legend()
    return ax


def _check_points(x: np.ndarray, y: np.ndarray) -> None:
    if x.ndim != 2 or x.shape[1] != 2 or len(x) == 0:
        raise ValueError(f"A decision boundary needs points of shape (N, 2), not {x.shape}.")
    if not np.isfinite(x).all():
        raise ValueError("The points of a decision boundary must be finite, but some are NaN or infinite.")
    if y.shape != x.shape[:1]:
        raise ValueError(f"The classes must be of shape ({len(x)},), one a point, not {y.shape}.")
    strange = y[(y < 0) | (y % 1 != 0)]
    if strange.size:
        raise ValueError(f"The classes must be numbers 0, 1, 2, …, but one is {strange[0]:g}.")


def layer_histograms(
    tensors: Mapping[str, torch.Tensor], ax: Axes | None = None, *, bins: int = 60, title: str = ""
) -> Axes:
    """Draw one histogram per layer in rows, first layer on top, all on one horizontal axis.

    Each is scaled to its own height: shapes and widths can be compared, counts cannot. Values that are not finite
    are left out, and their share is written beside the row. Raises ValueError for no layer and no bin.
    """
    ax = ax or plt.gca()
    if not tensors or bins < 1:
        raise ValueError(f"There must be a layer and a bin, but there are {len(tensors)} and {bins}.")
    arrays = {name: _array(t).ravel() for name, t in tensors.items()}
    finite = {name: a[np.isfinite(a)] for name, a in arrays.items()}
    reach = max((np.percentile(np.abs(a), 99.5) for a in finite.values() if a.size), default=1.0) or 1.0
    edges = np.linspace(-reach, reach, bins + 1)
    for row, (name, a) in enumerate(finite.items()):
        counts, _ = np.histogram(a, edges)
        ax.stairs(
            0.85 * counts / max(counts.max(), 1) - row, edges, baseline=-row, fill=True, color=COLORS[0], alpha=0.8
        )
        if a.size < arrays[name].size:
            ax.text(reach, -row, f"{1 - a.size / arrays[name].size:.0%} not finite", ha="right", va="bottom")
    ax.set_yticks(-np.arange(len(finite)), list(finite))
    ax.set(xlim=(-reach, reach), title=title)
    return ax


def _look(number: int, marks: Sequence) -> tuple:
    """Return the colour and the mark (of seven) of line or class `number`; 49 differ."""
    lap, place = divmod(number, len(COLORS))
    if lap >= len(marks):
        raise ValueError(f"More than {number} cannot be told apart.")
    return COLORS[place], marks[(place + lap) % len(marks)]


def _range(values: np.ndarray) -> tuple[float, float]:
    """Return the smallest and the largest of the values that are finite; 0 and 1 where none is."""
    finite = values[np.isfinite(values)]
    return (finite.min(), finite.max()) if finite.size else (0.0, 1.0)


def _array(values) -> np.ndarray:
    """Return numbers or tensors, or a list of them, as an array: floats of any precision as float32, bytes as bytes."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        return values.numpy() if values.dtype == torch.uint8 else values.float().numpy()
    if isinstance(values, list | tuple) and any(isinstance(value, torch.Tensor | list | tuple) for value in values):
        values = [_array(value) for value in values]
    try:
        return np.asarray(values)
    except ValueError:
        raise ValueError("The values of a list must all have the same shape.") from None
