"""utils.plot: each function draws on the axes it is given, returns them, and says what was wrong with bad input."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from utils import plot


@pytest.fixture
def ax():
    fig, ax = plt.subplots()
    yield ax
    plt.close(fig)


def test_style_is_opaque_and_told_apart_without_colour():
    plot.use_style()
    assert plt.rcParams["figure.facecolor"] == "white"
    styles = plt.rcParams["axes.prop_cycle"].by_key()
    assert len(set(styles["color"])) == len(set(map(str, styles["linestyle"]))) == 7


def test_curves(ax):
    assert plot.curves({"train": [3.0, 2.0], "val": torch.tensor([4.0, float("nan")])}, ax, log=True) is ax
    assert [line.get_label() for line in ax.lines] == ["train", "val"]
    assert ax.lines[0].get_xdata().tolist() == [1, 2] and ax.get_yscale() == "log"


@pytest.mark.parametrize("shape", [(5, 8, 8), (5, 1, 8, 8), (5, 3, 8, 8)])
def test_image_grid_puts_each_image_in_its_place(ax, shape):
    images = torch.zeros(shape)
    images[4] = 1.0
    assert plot.image_grid(images, ax, columns=3) is ax
    picture = np.asarray(ax.images[0].get_array())
    assert picture[9:17, 9:17].min() == 1.0 and picture[:8, :8].max() == 0.0  # second row, second column


def test_image_grid_labels_and_errors(ax):
    plot.image_grid(torch.rand(4, 8, 8), ax, labels=list("abcd"))
    assert [t.get_text() for t in ax.texts] == list("abcd")
    with pytest.raises(ValueError, match="2 labels for 4"):
        plot.image_grid(torch.rand(4, 8, 8), ax, labels=["a", "b"])
    with pytest.raises(ValueError, match=r"not \(4, 2, 8, 8\)"):
        plot.image_grid(torch.rand(4, 2, 8, 8), ax)


def test_heatmap_writes_values_legibly(ax):
    assert plot.heatmap([[0.0, 1.0]], ax, annotate="{:.1f}", xticks=["a", "b"]) is ax
    assert [(t.get_text(), t.get_color()) for t in ax.texts] == [("0.0", "white"), ("1.0", "black")]
    with pytest.raises(ValueError, match="needs a matrix"):
        plot.heatmap([1.0, 2.0], ax)


def test_contour_cuts_a_path_that_diverges(ax):
    path = np.array([[0.0, 0.0], [1.0, 1.0], [np.nan, 2.0], [3.0, 3.0]])
    assert plot.contour(lambda x, y: x**2 + y**2, ax, xlim=(-2, 2), ylim=(-2, 2), paths={"gd": path}) is ax
    assert ax.lines[0].get_xdata().tolist() == [0.0, 1.0]
    assert plot.contour(lambda x, y: x * y, ax, xlim=(-2, 2), ylim=(-2, 2), filled=True, levels=4) is ax


def test_boundary(ax):
    x = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    assert plot.boundary(lambda p: torch.stack([-p[:, 0], p[:, 0]], 1), x, torch.tensor([0, 1]), ax) is ax
    assert len(ax.get_legend().get_texts()) == 2
    with pytest.raises(ValueError, match=r"\(N, 2\), not \(2, 3\)"):
        plot.boundary(lambda p: p, torch.zeros(2, 3), torch.zeros(2), ax)


def test_layer_histograms_mark_what_is_not_finite(ax):
    broken = torch.tensor([0.0, 1.0, float("nan"), float("inf")])
    assert plot.layer_histograms({"one": torch.randn(100), "two": broken}, ax) is ax
    assert [t.get_text() for t in ax.texts] == ["50% not finite"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["one", "two"]
