"""Explorers: figures with sliders that move in a notebook and, without a kernel, on the website."""

import base64
import functools
import html
import io
import itertools
import math
from collections.abc import Callable, Iterable, Mapping

import ipywidgets as iw
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML, display
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from utils import common

MAX_FRAMES = 60
MAX_BYTES = 800_000  # of all the frames of an explorer, encoded
FRAME_DPI = 110  # a frame of 6.6 × 3.6 inches becomes 726 × 396 pixels


def explore(
    draw: Callable[..., Figure],
    choices: Mapping[str, Iterable],
    *,
    alt: str | Callable[..., str],
    default: Mapping | None = None,
    labels: Mapping[str, str] | None = None,
) -> None:
    """Show a figure with one slider per parameter.

    With a kernel each move calls `draw(**values)`, once per combination. On the website (BOOK_STATIC=1) every
    combination is drawn when the page is built, and standard widgets show them without a kernel. At smoke scale
    a slider keeps its first, default and last value, and of two sliders that have moved the frame heeds one.

    draw: a pure function that takes one keyword per slider and returns a Matplotlib figure.
    choices: for each parameter its values in the order of the slider; all combinations are at most 60.
    alt: what the picture shows, a text or a function of the values (`alt(**values)`).
    default: values at which the sliders start; the middle ones where it is silent.
    labels: what to call the parameters beside their sliders.

    Raises ValueError for no choices, an empty list, too many or too heavy frames, a default that is not among the
    choices, an unknown name; TypeError for values that are arrays, and when `draw` returns no figure; RuntimeError,
    naming the values, when it fails. Once the sliders are shown, the sentence stands in place of the picture.
    """
    choices = {name: list(values) for name, values in choices.items()}
    default = _complete_default(choices, default)
    for name in labels or {}:
        if name not in choices:
            raise ValueError(f"labels names {name!r}, but the sliders are {', '.join(choices)}.")
    if common.get_scale() == "smoke":
        choices = {name: _ends(values, default[name]) for name, values in choices.items()}
    start = tuple(choices[name].index(default[name]) for name in choices)
    sliders = [
        _slider(list(map(_text, values)), index, (labels or {}).get(name, name.replace("_", " ")))
        for (name, values), index in zip(choices.items(), start)
    ]

    def frame(*indices):
        values = {name: choices[name][i] for name, i in zip(choices, indices)}
        return _frame(draw, values, alt)

    _show(sliders, sliders, frame, start)


def animate(draw: Callable[..., Figure], steps: Iterable, *, alt: str | Callable, interval: int = 500) -> None:
    """Show a process as pictures with a play button and a slider; nothing moves until the reader asks.

    draw: takes one of `steps` and returns a Matplotlib figure; the first is shown at the start.
    steps: at most 60 values. alt: a text or a function of the step. interval: milliseconds a picture.

    Errors are those of `explore`.
    """
    steps = list(steps)
    _complete_default({"step": steps}, None)
    if common.get_scale() == "smoke":
        steps = _ends(steps, steps[len(steps) // 2])
    play = iw.Play(min=0, max=len(steps) - 1, value=0, interval=interval)
    slider = _slider(list(map(_text, steps)), 0, "step")
    iw.jslink((play, "value"), (slider, "index"))
    about = (lambda step: alt(step)) if callable(alt) else alt  # both are called with a keyword below
    _show([play, slider], [slider], lambda i: _frame(lambda step: draw(step), {"step": steps[i]}, about), (0,))


def _show(controls, sliders, frame, start):
    """Display the controls above the picture: nested stacks of frames on the website, one live picture elsewhere."""
    if not common.is_static():
        cache = {}
        picture = iw.HTML()

        def update():
            at = tuple(slider.index for slider in sliders)
            if at not in cache:
                cache[at] = frame(*at)
            picture.value = cache[at]

        def move(_):
            try:
                update()
            except Exception as error:  # nobody sees what a callback raises: say it in place of the old picture
                picture.value = f"<p>{html.escape(str(error))}</p>"

        for slider in sliders:
            slider.observe(move, "index")
        update()
        display(iw.VBox([*controls, picture]))
        return
    sizes = [len(slider.options) for slider in sliders]
    frames = _frames(frame, sizes, start)
    heavy = sum(map(len, frames.values()))
    if heavy > MAX_BYTES:
        raise ValueError(
            f"The {len(frames)} frames weigh {heavy / 1000:.0f} kB, but an explorer may hold {MAX_BYTES / 1000:.0f}: "
            f"draw smaller or simpler figures, or fewer."
        )
    layout = iw.Layout()  # one for all frames: each widget would bring its own

    def stack(at):
        if len(at) == len(sliders):
            return iw.HTML(frames[at], layout=layout)
        children = [stack((*at, i)) for i in range(sizes[len(at)])]
        node = iw.Stack(children, selected_index=start[len(at)], layout=layout)
        iw.jslink((sliders[len(at)], "index"), (node, "selected_index"))
        return node

    lines = "".join(f"<li>{html.escape(s.description)} = {html.escape(s.options[s.index][0])}</li>" for s in sliders)
    display(HTML(f'<div class="explorer-still"><ul class="explorer-values">{lines}</ul>{frames[start]}</div>'))
    box = iw.VBox([*controls, stack(())])
    box.add_class("explorer")
    display(box)


def _frames(frame, sizes, start):
    """Return the frame at each place of the sliders; at smoke scale only those with one slider moved are drawn."""
    frames = {}
    drawn = functools.cache(frame)
    for at in itertools.product(*map(range, sizes)):
        heeded = _first_moved(at, start) if common.get_scale() == "smoke" else at
        frames[at] = drawn(*heeded)
    return frames


def _first_moved(at, start):
    """Return the places of the sliders with all but the first that has moved put back to their start."""
    for slider, place in enumerate(at):
        if place != start[slider]:
            return (*start[:slider], place, *start[slider + 1 :])
    return start


def _frame(draw, values, alt):
    """Return the picture at these values as an <img> element with its alt text; no figure stays open."""
    said = ", ".join(f"{name} = {_text(value)}" for name, value in values.items())
    before = set(plt.get_fignums())
    try:
        fig = draw(**values)
        text = alt(**values) if callable(alt) else f"{alt} ({said})"
    except Exception as error:
        raise RuntimeError(f"draw or alt failed at {said}: {type(error).__name__}: {error}") from error
    finally:
        for number in set(plt.get_fignums()) - before:
            plt.close(number)  # a closed figure can still be drawn, but the notebook does not show it a second time
    if not isinstance(fig, Figure):
        raise TypeError(f"draw must return a Matplotlib figure, but at {said} it returned {type(fig).__name__}.")
    return image_element(fig, text)


def image_element(fig: Figure, alt: str, *, dpi: int = FRAME_DPI) -> str:
    """Return a figure as an HTML image with its alternative text, at 100 pixels of the page an inch."""
    width, height = (round(100 * inches) for inches in fig.get_size_inches())
    source = f"data:image/webp;base64,{base64.b64encode(_webp(fig, dpi)).decode()}"
    return f'<img width="{width}" height="{height}" alt="{html.escape(alt)}" src="{source}">'


def _webp(fig, dpi):
    """Draw a figure and compress it: the smaller of lossless (flat colours) and lossy (pictures)."""
    fig.set_dpi(dpi)
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    coded = []
    # lossless takes four times as long: not in the tests
    for options in ({"quality": 80}, {"lossless": True})[: 1 if common.get_scale() == "smoke" else 2]:
        buffer = io.BytesIO()
        image.save(buffer, "webp", **options)
        coded.append(buffer.getvalue())
    return min(coded, key=len)


def _slider(texts, index, description):
    # options are (text, position) pairs, so that two values with the same text stay two options
    return iw.SelectionSlider(
        options=[(text, i) for i, text in enumerate(texts)],
        index=index,
        description=description,
        style={"description_width": "initial"},
        layout={"width": "100%", "max_width": "34em"},
    )


def _complete_default(choices, default):
    """Check the choices; return a default value for each."""
    default = dict(default or {})
    if not choices:
        raise ValueError("There is no slider: choices must name at least one parameter and its values.")
    for name, values in choices.items():
        if len(values) < 2:
            raise ValueError(f"The slider {name!r} has {len(values)} value(s), but it needs at least two to move.")
        if any(getattr(value, "ndim", 0) for value in values):
            raise TypeError(f"The values of the slider {name!r} must be numbers or texts, not arrays.")
        if name in default and default[name] not in values:
            raise ValueError(f"The default {name} = {default[name]!r} is not among its choices {values}.")
        default.setdefault(name, values[len(values) // 2])
    if unknown := set(default) - set(choices):
        raise ValueError(f"default names {sorted(unknown)}, but the sliders are {', '.join(choices)}.")
    sizes = [len(values) for values in choices.values()]
    if math.prod(sizes) > MAX_FRAMES:
        shape = " × ".join(map(str, sizes)) + " = " if len(sizes) > 1 else ""
        raise ValueError(f"{shape}{math.prod(sizes)} frames are too many: an explorer may hold {MAX_FRAMES}.")
    return default


def _ends(values, default):
    keep = {0, values.index(default), len(values) - 1}
    return [values[i] for i in sorted(keep)]


def _text(value):
    if hasattr(value, "item"):  # a number of NumPy or PyTorch
        value = value.item()
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
