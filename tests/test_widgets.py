"""utils.widgets, live and static; the live half also runs under the ipywidgets of Colab."""

import re

import ipywidgets as iw
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from ipywidgets.widgets.widget_link import Link

from utils import widgets

needs_stack = pytest.mark.skipif(not hasattr(iw, "Stack"), reason="the website is built with ipywidgets 8")


@pytest.fixture
def shown(monkeypatch):
    """What is displayed, instead of displaying it."""
    seen = []
    monkeypatch.setattr(widgets, "display", seen.append)
    return seen


@pytest.fixture
def static(monkeypatch):
    monkeypatch.setenv("BOOK_STATIC", "1")


@pytest.fixture
def book(monkeypatch):
    monkeypatch.setenv("BOOK_SCALE", "book")


calls = []


def draw(lr, depth=1):
    calls.append((lr, depth))
    fig, ax = plt.subplots(figsize=(2, 1))
    ax.plot([0, lr], [depth, 0])
    return fig


def find(widget, kind):
    found = [widget] if isinstance(widget, kind) else []
    for child in getattr(widget, "children", ()):
        found += find(child, kind)
    return found


def alts(text):
    return re.findall(r'alt="([^"]*)"', text)


def test_live_sliders_draw_once_per_combination(shown, book):
    calls.clear()
    widgets.explore(draw, {"lr": [0.1, 1.0], "depth": [1, 2, 3]}, alt="a line", labels={"lr": "learning rate"})
    rate, depth = find(shown[0], iw.SelectionSlider)
    picture = find(shown[0], iw.HTML)[0]
    assert (rate.description, depth.description) == ("learning rate", "depth")
    assert alts(picture.value) == ["a line (lr = 1, depth = 2)"]
    first = picture.value
    rate.index = 0
    assert alts(picture.value) == ["a line (lr = 0.1, depth = 2)"] and picture.value != first
    rate.index = 1
    assert picture.value == first
    assert calls == [(1.0, 2), (0.1, 2)]
    assert plt.get_fignums() == []


def test_live_needs_no_stack(shown, book, monkeypatch):
    monkeypatch.delattr(iw, "Stack", raising=False)
    widgets.explore(draw, {"lr": [0.1, 1.0]}, alt="a line")
    assert len(find(shown[0], iw.SelectionSlider)) == 1


def test_live_animation_follows_its_player(shown, book):
    widgets.animate(lambda step: draw(step), [5, 10, 20], alt=lambda step: f"after {step} steps")
    player, slider = find(shown[0], iw.Play)[0], find(shown[0], iw.SelectionSlider)[0]
    picture = find(shown[0], iw.HTML)[0]
    assert (player.min, player.max) == (0, 2) and alts(picture.value) == ["after 5 steps"]
    slider.index = 2
    assert alts(picture.value) == ["after 20 steps"]


@needs_stack
def test_static_frames_are_where_the_sliders_point(shown, book, static):
    widgets.explore(
        draw,
        {"lr": [0.1, 1.0], "depth": [1, 2, 3]},
        alt=lambda lr, depth: f"rate {lr}, depth {depth}",
        default={"lr": 0.1, "depth": 3},
    )
    still, box = shown
    assert alts(still.data) == ["rate 0.1, depth 3"] and "lr = 0.1" in still.data
    outer = box.children[-1]
    assert isinstance(outer, iw.Stack) and outer.selected_index == 0
    for i, rate in enumerate([0.1, 1.0]):
        assert outer.children[i].selected_index == 2
        for j, depth in enumerate([1, 2, 3]):
            assert alts(outer.children[i].children[j].value) == [f"rate {rate}, depth {depth}"]
    sliders = find(box, iw.SelectionSlider)
    assert [s.index for s in sliders] == [0, 2]
    made = [widget for widget in iw.widgets.widget._instances.values() if isinstance(widget, Link)]
    links = [(link.source, link.target) for link in made]
    assert ((sliders[0], "index"), (outer, "selected_index")) in links
    assert ((sliders[1], "index"), (outer.children[1], "selected_index")) in links


@needs_stack
def test_smoke_keeps_first_default_and_last(shown, static):
    calls.clear()
    widgets.explore(draw, {"lr": [1, 2, 3, 4, 5], "depth": [1, 2]}, alt="a", default={"lr": 4})
    rate, depth = find(shown[1], iw.SelectionSlider)
    assert [text for text, _ in rate.options] == ["1", "4", "5"] and rate.index == 1
    assert sorted(calls) == [(1, 2), (4, 1), (4, 2), (5, 2)]  # one slider moved at a time
    frames = find(shown[1], iw.HTML)
    assert len(frames) == 3 * 2 and alts(frames[0].value) == ["a (lr = 1, depth = 2)"]


@needs_stack
def test_heavy_frames_are_refused(shown, book, static, monkeypatch):
    monkeypatch.setattr(widgets, "MAX_BYTES", 1000)
    with pytest.raises(ValueError, match=r"2 frames weigh \d+ kB, but an explorer may hold 1"):
        widgets.explore(draw, {"lr": [0.1, 1.0]}, alt="a")


def returns_nothing(lr):
    plt.plot([0, lr])


def fails_at_two(lr):
    if lr == 2:
        raise ZeroDivisionError("no such rate")
    return draw(lr)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: widgets.explore(draw, {}, alt="a"), ValueError, "no slider"),
        (lambda: widgets.explore(draw, {"lr": []}, alt="a"), ValueError, "'lr' has 0 value"),
        (lambda: widgets.explore(draw, {"lr": [1]}, alt="a"), ValueError, "'lr' has 1 value"),
        (lambda: widgets.explore(draw, {"lr": range(31), "depth": [1, 2]}, alt="a"), ValueError, "31 × 2 = 62 frames"),
        (
            lambda: widgets.explore(draw, {"lr": [1, 2]}, alt="a", default={"lr": 3}),
            ValueError,
            "default lr = 3 is not",
        ),
        (
            lambda: widgets.explore(draw, {"lr": [1, 2]}, alt="a", default={"rl": 1}),
            ValueError,
            r"default names \['rl'\]",
        ),
        (lambda: widgets.explore(draw, {"lr": [1, 2]}, alt="a", labels={"rl": "x"}), ValueError, "labels names 'rl'"),
        (lambda: widgets.explore(returns_nothing, {"lr": [1, 2]}, alt="a"), TypeError, "lr = 2 it returned NoneType"),
        (
            lambda: widgets.explore(fails_at_two, {"lr": [1, 2]}, alt="a"),
            RuntimeError,
            "lr = 2: ZeroDivisionError: no such",
        ),
        (lambda: widgets.animate(draw, [], alt="a"), ValueError, "'step' has 0 value"),
        (lambda: widgets.animate(draw, range(61), alt="a"), ValueError, "61 frames are too many"),
    ],
)
def test_mistakes_get_one_clear_sentence(shown, book, make, error, message):
    with pytest.raises(error, match=message):
        make()
    assert plt.get_fignums() == [], "a figure was left open"


def test_live_an_error_takes_the_place_of_the_picture(shown, book):
    broken = [True]

    def mended_later(lr):
        if broken and lr < 3:
            raise ZeroDivisionError("no <such> rate")
        return draw(lr)

    widgets.explore(mended_later, {"lr": [1, 2, 3]}, alt="a", default={"lr": 3})
    slider = find(shown[0], iw.SelectionSlider)[0]
    picture = find(shown[0], iw.HTML)[0]
    first = picture.value
    slider.index = 1
    assert picture.value == "<p>draw or alt failed at lr = 2: ZeroDivisionError: no &lt;such&gt; rate</p>"
    slider.index = 0
    assert "lr = 1" in picture.value and "<img" not in picture.value
    slider.index = 2
    assert picture.value == first
    broken.clear()
    slider.index = 1
    assert alts(picture.value) == ["a (lr = 2)"]  # the error was not kept


def test_live_an_error_of_an_animation_is_seen(shown, book):
    widgets.animate(fails_at_two, [1, 2, 3], alt="a")
    find(shown[0], iw.SelectionSlider)[0].index = 1
    assert "ZeroDivisionError: no such rate" in find(shown[0], iw.HTML)[0].value


def test_numbers_of_any_library_are_written_alike(shown, book):
    for values in ([0.1, 1.0], np.array([0.1, 1.0], np.float32), torch.tensor([0.1, 1.0])):
        widgets.explore(draw, {"lr": values}, alt="a")
        slider = find(shown.pop(), iw.SelectionSlider)[0]
        assert [text for text, _ in slider.options] == ["0.1", "1"]


def test_alt_texts_are_escaped(shown, book):
    widgets.explore(draw, {"lr": [1, 2]}, alt='a "quoted" <tag>')
    assert 'alt="a &quot;quoted&quot; &lt;tag&gt; (lr = 2)"' in find(shown[0], iw.HTML)[0].value
