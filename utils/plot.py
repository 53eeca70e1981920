"""Figures in one style. Each function draws one idea on the axes it is given and returns them."""

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from cycler import cycler
from matplotlib.axes import Axes

from utils.diagram import diagram  # noqa: F401 - plot.diagram: figures of models stand beside the others

# Okabe and Ito's palette, told apart with every common kind of colour blindness; yellow left out: too pale on white.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))


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
    """
    ax = ax or plt.gca()
    for name, values in series.items():
        values = _array(values)
        places = np.arange(1, len(values) + 1) if x is None else _array(x)
        ax.plot(places, values, label=name)
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

    labels: a short text above each image. limits: the values drawn black and white; None takes those of the data.
    Raises ValueError for another shape or a wrong number of labels.
    """
    ax = ax or plt.gca()
    images = _array(images)
    if images.ndim == 3:
        images = images[:, None]
    if images.ndim != 4 or images.shape[1] not in (1, 3) or len(images) == 0:
        raise ValueError(f"Images must be (N, H, W), (N, 1, H, W) or (N, 3, H, W), not {images.shape}.")
    if labels is not None and len(labels) != len(images):
        raise ValueError(f"There are {len(labels)} labels for {len(images)} images.")
    low, high = limits or (images.min(), images.max())
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

    annotate: a format such as "{:.2f}" or "{:.0f}" that writes each value into its cell.
    """
    ax = ax or plt.gca()
    values = _array(values)
    if values.ndim != 2:
        raise ValueError(f"A heat map needs a matrix, not an array of shape {values.shape}.")
    low, high = limits or (np.nanmin(values), np.nanmax(values))
    picture = ax.imshow(values, cmap=cmap, vmin=low, vmax=high, aspect="auto")
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    ax.grid(False)
    if xticks is not None:
        ax.set_xticks(range(len(xticks)), xticks)
    if yticks is not None:
        ax.set_yticks(range(len(yticks)), yticks)
    if annotate is not None:
        for (i, j), value in np.ndenumerate(values):
            red, green, blue, _ = picture.to_rgba(value)
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
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
    explorer; take few levels. A path is cut where it leaves the picture for good or stops being finite.
    """
    ax = ax or plt.gca()
    xs, ys = torch.linspace(*xlim, resolution), torch.linspace(*ylim, resolution)
    gx, gy = torch.meshgrid(xs, ys, indexing="xy")
    z = _array(f(gx, gy))
    if log:
        z = np.log10(z - z.min() + 1e-3)
    if filled:
        ax.contourf(_array(xs), _array(ys), z, levels=levels, cmap="Greys", alpha=0.5, antialiased=False)
    else:
        ax.contour(_array(xs), _array(ys), z, levels=levels, cmap="Greys", linewidths=0.8, linestyles="-", alpha=0.7)
    for (name, path), color in zip((paths or {}).items(), COLORS):
        path = _array(path)
        finite = np.isfinite(path).all(axis=1)
        if not finite.all():
            path = path[: np.argmin(finite) or None]  # up to the first point that is not
        ax.plot(path[:, 0], path[:, 1], "-", color=color, label=name, marker=".", markersize=3, linewidth=1.3)
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

    predict: takes a tensor (M, 2) and returns scores (M, K).
    """
    ax = ax or plt.gca()
    x, y = _array(x), _array(y)
    if x.ndim != 2 or x.shape[1] != 2:
        raise ValueError(f"A decision boundary needs points of shape (N, 2), not {x.shape}.")
    low = x.min(0) - 0.3
    high = x.max(0) + 0.3
    gx, gy = np.meshgrid(np.linspace(low[0], high[0], resolution), np.linspace(low[1], high[1], resolution))
    with torch.no_grad():
        scores = predict(torch.tensor(np.stack([gx.ravel(), gy.ravel()], axis=1), dtype=torch.float32))
    classes = _array(scores).argmax(axis=1).reshape(gx.shape)
    k = int(max(classes.max(), y.max())) + 1
    ax.contourf(gx, gy, classes, levels=np.arange(k + 1) - 0.5, colors=COLORS[:k], alpha=0.2)
    for c, marker in zip(range(k), "osD^vP*"):
        ax.scatter(*x[y == c].T, color=COLORS[c], marker=marker, s=12, label=f"class {c}")
    ax.set(xlabel="$x_1$", ylabel="$x_2$", title=title)
    ax.grid(False)
    ax.legend()
    return ax


def layer_histograms(
    tensors: Mapping[str, torch.Tensor], ax: Axes | None = None, *, bins: int = 60, title: str = ""
) -> Axes:
    """Draw one histogram per layer in rows, first layer on top, all on one horizontal axis.

    Each is scaled to its own height: shapes and widths can be compared, counts cannot. Values that are not finite
    are left out, and their share is written beside the row.
    """
    ax = ax or plt.gca()
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


def _array(values) -> np.ndarray:
    if isinstance(values, torch.Tensor):
        return values.detach().float().cpu().numpy()
    return np.asarray(values)
