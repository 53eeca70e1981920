"""Each public helper and what it cannot do: it says so in one sentence of its own, or does the right thing.

A row holds the helper, the kind of input, a call, and what comes of it: a piece of the sentence, or a function that
says whether the result is right. A figure is drawn on the current axes.
"""

import contextlib
import importlib
import inspect
import io
import math
import pkgutil

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import ROOT
from torch import nn

import utils
from utils import common, data, diffusion, download, hundred, models, nets, plot, scenes, train, widgets

NAN = float("nan")
TAKE_NOTHING_OF_THE_KIND = {
    "common.get_scale",
    "common.pick",
    "common.is_static",
    "common.get_device",
    "plot.use_style",
    "download.cache",
    "widgets.image_element",
    "hundred.make_network",
}
KINDS = {
    "wrong rank",
    "one class",
    "too many",
    "NaN",
    "bytes",
    "gradients",
    "a list of tensors",
    "no step",
    "another name",
}


def graph(*shape):
    """A tensor that hangs on a computation."""
    leaf = torch.rand(shape, requires_grad=True)
    return 1 * leaf


def seeded():
    return torch.Generator().manual_seed(0)


def some_are_wrong(labels):
    return 0.1 < (labels != 0).float().mean() < 0.6


def tiny_net():
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    for parameter in net.parameters():
        nn.init.zeros_(parameter)  # the first class for all
    return net


def tiny_task():
    x = torch.zeros(2, 1, 2, 2)
    y = torch.tensor([0, 1])
    return data.Images(x, y, x, y, ("a", "b"), "tiny")


def train_tiny(epochs):
    return nets.train_net(tiny_net, tiny_task(), lr=0.1, seed=0, epochs=epochs)


def record_net_at(scale):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOOK_SCALE", scale)
        return nets.record_net("a", nets.Cost(1, 2, 3.0), [0.5, 0.5])


def model(width=2):
    torch.manual_seed(0)
    return nn.Linear(width, 2)


def bell(a, b):
    return torch.where(a > 0.9, NAN, a**2 + b**2)


def fit(batches, net=None, loss_fn=F.cross_entropy, epochs=1, **more):
    net = net or model()
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    return train.fit(net, batches, loss_fn, opt, epochs=epochs, **more)


def ema(value, steps=2):
    net = model()
    torch.manual_seed(0)
    return diffusion.train_ema(net, lambda: value(net), steps=steps, lr=1e-3)


def images(shape=(4, 1, 8, 8), classes=("a", "b"), dtype=torch.float32):
    x = torch.zeros(shape).to(dtype)
    y = torch.arange(len(x)) % max(1, len(classes))
    return data.Images(x, y, x, y, classes, "none")


def judge(rounds=1, **more):
    return diffusion.train_judge(images(**more), torch.device("cpu"), rounds=rounds)


def printed(call):
    """What a helper says that goes as far as it can."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        call()
    return text.getvalue()


def draw(value=None, step=None):
    return plt.figure(figsize=(1, 1))


def explore(values, **more):
    return widgets.explore(draw, {"value": values}, alt="a", **more)


def boundary(k, classes=None, scores=None, x=None):
    """The classes that `k` corners of a polygon divide the plane into."""
    angles = 2 * math.pi * torch.arange(k) / k
    corners = torch.stack([angles.cos(), angles.sin()], dim=1)
    predict = scores or (lambda points: -torch.cdist(points, corners))
    x = corners if x is None else x
    return plot.boundary(predict, x, torch.arange(k) if classes is None else classes, resolution=40)


def contour(f=bell, paths=None, **more):
    return plot.contour(f, xlim=(-1, 1), ylim=(-1, 1), paths=paths, resolution=20, **more)


# what is right


def shows(count):
    """So many pictures, areas or histograms are on the axes."""
    return lambda ax: len(ax.images) + len(ax.patches) == count


def told_apart(count):
    """So many lines, or classes of points, are labelled, no two with the same look."""

    def right(ax):
        handles, labels = ax.get_legend_handles_labels()
        looks = set()
        for handle in handles:
            if isinstance(handle, plt.Line2D):
                looks.add((handle.get_color(), handle.get_linestyle(), str(handle._dash_pattern)))
            else:
                points = handle.get_paths()[0].vertices
                looks.add((handle.get_facecolor().tobytes(), points.tobytes()))
        return len(labels) == len(looks) == count

    return right


def has_levels(ax):
    return sum(len(path.vertices) for path in ax.collections[0].get_paths()) > 50


def grey(value):
    """The first pixel is drawn so bright."""
    return lambda ax: np.asarray(ax.images[0].get_array()).flat[0] == pytest.approx(value)


def writes(*texts):
    return lambda ax: [(text.get_text(), text.get_color()) for text in ax.texts] == list(texts)


def is_near(value):
    return lambda result: float(result) == pytest.approx(value, abs=1e-4, nan_ok=True)


def contains(sentence):
    return lambda text: sentence in text


PAIR = torch.tensor([[2.0, 1.0], [0.0, 3.0]])
LIVE = PAIR.clone().requires_grad_()
BATCH = (PAIR, torch.tensor([0, 1]))
LEVELS = diffusion.cosine_schedule(10)
ROWS = [
    ("common.record", "a list of tensors", lambda: common.record("a", [torch.ones(1)]), "A record is one number"),
    ("common.record", "wrong rank", lambda: common.record("a", torch.ones(2)), "A record is one number"),
    ("common.record", "gradients", lambda: common.record("a", graph(1).sum()), lambda nothing: nothing is None),
    ("common.check_tensor", "a list of tensors", lambda: common.check_tensor("y", [PAIR]), "y must be a tensor"),
    ("common.count_parameters", "gradients", lambda: common.count_parameters(model()), is_near(6)),
    ("common.set_seed", "too many", lambda: common.set_seed(2**40).initial_seed(), is_near(2**40)),
    ("data.load", "no step", lambda: data.load("digits", size=0), "size is 0"),
    ("data.load", "another name", lambda: data.load("svhn"), "name is 'svhn'"),
    ("data.digits", "no step", lambda: data.digits(0), "size is 0"),
    ("data.photo", "no step", lambda: data.photo("china", 0), "size is 0"),
    ("data.shapes", "no step", lambda: data.shapes(0), "n is 0"),
    ("data.shapes", "too many", lambda: data.shapes(1, objects=4), "objects is 4"),
    ("data.shapes", "NaN", lambda: data.shapes(1, overlap=NAN), "overlap is nan"),
    ("data.toy2d", "no step", lambda: data.toy2d("moons", 0), "n is 0"),
    ("data.toy2d", "NaN", lambda: data.toy2d("moons", 2, noise=NAN), "noise is nan"),
    ("data.regression", "no step", lambda: data.regression("line", 0), "n is 0"),
    ("data.regression", "NaN", lambda: data.regression("line", 2, noise=NAN), "noise is nan"),
    ("data.series", "no step", lambda: data.series("sine", -1), "n is -1"),
    ("data.series", "NaN", lambda: data.series("sine", 2, noise=NAN), "noise is nan"),
    ("data.loader", "wrong rank", lambda: data.loader(torch.tensor(1.0), batch_size=1), "the lengths are [0]"),
    ("data.loader", "a list of tensors", lambda: data.loader([PAIR], batch_size=1), "must be a tensor"),
    (
        "data.loader",
        "gradients",
        lambda: fit(data.loader(graph(4, 2), torch.arange(4) % 2, batch_size=2), epochs=2),
        lambda history: len(history["loss"]) == 2,
    ),
    ("train.accuracy", "wrong rank", lambda: train.accuracy(PAIR, torch.tensor([[0], [1]])), "(2, 2) and (2, 1)"),
    ("train.accuracy", "wrong rank", lambda: train.accuracy(PAIR[0], torch.tensor(0)), "(2,) and ()"),
    ("train.accuracy", "one class", lambda: train.accuracy(PAIR[:, :1], torch.tensor([0, 1])), "two classes or more"),
    ("train.accuracy", "no step", lambda: train.accuracy(PAIR[:0], torch.tensor([])), "must have a row"),
    ("train.accuracy", "a list of tensors", lambda: train.accuracy([*PAIR], BATCH[1]), "logits must be a tensor"),
    ("train.accuracy", "gradients", lambda: train.accuracy(LIVE, BATCH[1]), is_near(1)),
    ("train.accuracy", "bytes", lambda: train.accuracy(PAIR.byte(), BATCH[1].byte()), is_near(1)),
    (
        "train.accuracy",
        "NaN",
        lambda: train.accuracy(PAIR / torch.tensor([[0.0], [1]]) * 0, BATCH[1] * 0),
        is_near(0.5),
    ),
    ("train.fit", "no step", lambda: fit([]), "loader holds no batch"),
    ("train.fit", "no step", lambda: fit([BATCH], val_loader=[]), "val_loader holds no batch"),
    ("train.fit", "no step", lambda: fit([BATCH], epochs=-1), "epochs is -1"),
    ("train.fit", "no step", lambda: fit([BATCH], epochs=0), lambda history: history["loss"] == []),
    ("train.fit", "no step", lambda: fit(batch for batch in [BATCH]), "must have a length"),
    ("train.fit", "bytes", lambda: fit([(PAIR.byte(), BATCH[1])]), "inputs are bytes"),
    ("train.fit", "a list of tensors", lambda: fit([([PAIR], BATCH[1])]), "Each part of a batch must be a tensor"),
    ("train.fit", "wrong rank", lambda: fit([PAIR]), "A batch must be (x, y)"),
    ("train.fit", "wrong rank", lambda: fit([BATCH], loss_fn=lambda a, y: a.mean(1)), "a scalar tensor, such as"),
    ("train.fit", "gradients", lambda: fit([BATCH], loss_fn=lambda a, y: a.detach().mean()), "loss has no gradient"),
    ("train.fit", "NaN", lambda: printed(lambda: fit([(NAN * PAIR, BATCH[1])])), contains("nan in epoch 1, batch 1")),
    (
        "train.fit",
        "one class",
        lambda: fit([(PAIR[:1], BATCH[1][:1])], nn.Sequential(model(), nn.BatchNorm1d(2))),
        "refuses a batch of one sample",
    ),
    ("train.evaluate", "no step", lambda: train.evaluate(model(), [], F.cross_entropy), "loader holds no batch"),
    ("train.evaluate", "bytes", lambda: train.evaluate(model(), [(PAIR.byte(), BATCH[1])], F.cross_entropy), "bytes"),
    ("train.evaluate", "wrong rank", lambda: train.evaluate(model(), [BATCH], lambda a, y: a), "a scalar tensor"),
    ("train.check_loss", "wrong rank", lambda: train.check_loss(graph(1)), "a scalar tensor"),
    ("train.check_loss", "a list of tensors", lambda: train.check_loss([graph(1).sum()]), "a scalar tensor"),
    ("diffusion.cosine_schedule", "no step", lambda: diffusion.cosine_schedule(0), "T is 0"),
    ("diffusion.diffuse", "bytes", lambda: diffusion.diffuse(PAIR.byte(), BATCH[1], LEVELS), "must hold floats"),
    ("diffusion.diffuse", "a list of tensors", lambda: diffusion.diffuse([PAIR], BATCH[1], LEVELS), "must be a tensor"),
    ("diffusion.diffuse", "wrong rank", lambda: diffusion.diffuse(PAIR, BATCH[1][:1], LEVELS), "integers (2,)"),
    ("diffusion.diffuse", "wrong rank", lambda: diffusion.diffuse(PAIR, BATCH[1], PAIR), "alpha_bar must be (T + 1,)"),
    ("diffusion.diffuse", "too many", lambda: diffusion.diffuse(PAIR, BATCH[1] + 10, LEVELS), "lie in [0, 10]"),
    ("diffusion.diffuse", "too many", lambda: diffusion.diffuse(PAIR, BATCH[1] - 1, LEVELS), "lie in [0, 10]"),
    ("diffusion.train_ema", "no step", lambda: ema(lambda net: net(PAIR).sum(), steps=1), "at least 2"),
    ("diffusion.train_ema", "wrong rank", lambda: ema(lambda net: net(PAIR)), "a scalar tensor"),
    ("diffusion.train_ema", "gradients", lambda: ema(lambda net: PAIR.sum()), "loss has no gradient"),
    (
        "diffusion.train_ema",
        "NaN",
        lambda: printed(lambda: ema(lambda net: NAN * net(PAIR).sum(), 9)),
        contains("before update 1;"),
    ),
    ("diffusion.denoiser", "too many", lambda: diffusion.denoiser(models.UNet(), LEVELS)(PAIR, 11), "time is 11"),
    ("diffusion.denoiser", "too many", lambda: diffusion.denoiser(models.UNet(), LEVELS)(PAIR, -1), "time is -1"),
    ("diffusion.ancestral", "NaN", lambda: diffusion.ancestral(PAIR, PAIR, 0.5, NAN, 0), "0.5 and nan"),
    ("diffusion.ancestral", "no step", lambda: diffusion.ancestral(PAIR, PAIR, 0.5, 0.4, 0), "0.5 and 0.4"),
    ("diffusion.ddim", "too many", lambda: diffusion.ddim(PAIR, PAIR, 1.0, 0.4), "1.0 and 0.4"),
    ("diffusion.sample", "no step", lambda: diffusion.sample(F.relu, PAIR, LEVELS, steps=0), "steps is 0"),
    ("diffusion.sample", "too many", lambda: diffusion.sample(F.relu, PAIR, LEVELS, steps=11), "steps is 11"),
    ("diffusion.sample", "bytes", lambda: diffusion.sample(F.relu, PAIR.byte(), LEVELS, steps=2), "must hold floats"),
    ("diffusion.sample", "wrong rank", lambda: diffusion.sample(F.relu, PAIR, PAIR, steps=2), "alpha_bar must be"),
    ("diffusion.train_judge", "no step", lambda: judge(rounds=0), "rounds is 0"),
    ("diffusion.train_judge", "one class", lambda: judge(classes=("a",)), "there is 1"),
    ("diffusion.train_judge", "bytes", lambda: judge(dtype=torch.uint8), "must hold floats"),
    ("diffusion.train_judge", "wrong rank", lambda: judge(shape=(4, 3, 8, 8)), "reads grey images"),
    ("diffusion.train_judge", "wrong rank", lambda: judge()(torch.zeros(8, 8)), "reads grey images"),
    ("diffusion.train_judge", "bytes", lambda: judge()(torch.zeros(2, 1, 8, 8).byte()), "must hold floats"),
    ("diffusion.frechet", "one class", lambda: diffusion.frechet(PAIR[:1], PAIR), "N at least 2"),
    ("diffusion.frechet", "one class", lambda: diffusion.frechet(PAIR[:, :1], 1 + PAIR[:, :1]), is_near(1)),
    ("diffusion.frechet", "wrong rank", lambda: diffusion.frechet(PAIR[0], PAIR), "must be (N, D)"),
    ("diffusion.frechet", "wrong rank", lambda: diffusion.frechet(PAIR, torch.ones(3, 3)), "f has 2 and g has 3"),
    ("diffusion.frechet", "NaN", lambda: diffusion.frechet(PAIR, NAN * PAIR), "g holds NaN"),
    ("diffusion.frechet", "a list of tensors", lambda: diffusion.frechet([*PAIR], PAIR), "f must be a tensor"),
    ("diffusion.frechet", "gradients", lambda: diffusion.frechet(LIVE, PAIR), is_near(0)),
    ("diffusion.frechet", "bytes", lambda: diffusion.frechet(PAIR.byte(), PAIR.byte()), is_near(0)),
    ("download.fetch", "another name", lambda: download.fetch("svhn"), "name is 'svhn'"),
    ("models.time_embedding", "wrong rank", lambda: models.time_embedding(PAIR, 4), "(B,)"),
    ("models.time_embedding", "too many", lambda: models.time_embedding(BATCH[1], 5), "must be even"),
    ("plot.curves", "no step", lambda: plot.curves({}), "no series"),
    ("plot.curves", "wrong rank", lambda: plot.curves({"a": PAIR}), "a sequence of numbers"),
    ("plot.curves", "wrong rank", lambda: plot.curves({"a": PAIR[0]}, x=[1, 2, 3]), "x is of shape (3,)"),
    ("plot.curves", "a list of tensors", lambda: plot.curves({"a": [graph(1).sum()]}), told_apart(1)),
    ("plot.curves", "gradients", lambda: plot.curves({"a": graph(3)}), told_apart(1)),
    ("plot.curves", "NaN", lambda: plot.curves({"a": [-1.0, NAN]}, log=True), "no positive value"),
    ("plot.curves", "too many", lambda: plot.curves({i: [i, i] for i in range(20)}), told_apart(20)),
    ("plot.curves", "too many", lambda: plot.curves({i: [i, i] for i in range(50)}), "cannot be told apart"),
    ("plot.image_grid", "wrong rank", lambda: plot.image_grid(PAIR), "Images must be"),
    ("plot.image_grid", "bytes", lambda: plot.image_grid(torch.full((2, 4, 4), 51).byte()), grey(0.2)),
    ("plot.image_grid", "bytes", lambda: plot.image_grid(np.full((2, 4, 4), 51, np.uint8)), grey(0.2)),
    ("plot.image_grid", "NaN", lambda: plot.image_grid(torch.tensor([[[1, NAN, 3]]]), limits=None), grey(0)),
    ("plot.image_grid", "gradients", lambda: plot.image_grid(graph(2, 4, 4)), shows(1)),
    ("plot.image_grid", "a list of tensors", lambda: plot.image_grid([graph(4, 4), graph(4, 4)]), shows(1)),
    ("plot.image_grid", "a list of tensors", lambda: plot.image_grid([graph(4, 4), graph(5, 5)]), "the same shape"),
    ("plot.image_grid", "no step", lambda: plot.image_grid(graph(2, 4, 4), columns=0), "columns is 0"),
    ("plot.image_grid", "no step", lambda: plot.image_grid(graph(0, 4, 4)), "Images must be"),
    ("plot.heatmap", "wrong rank", lambda: plot.heatmap(PAIR[0]), "needs a matrix"),
    ("plot.heatmap", "no step", lambda: plot.heatmap(PAIR[:0]), "needs a matrix"),
    ("plot.heatmap", "too many", lambda: plot.heatmap(PAIR, xticks="abc"), "xticks names 3 cells"),
    ("plot.heatmap", "a list of tensors", lambda: plot.heatmap([graph(2), graph(2)]), shows(1)),
    ("plot.heatmap", "bytes", lambda: plot.heatmap(PAIR.byte()), shows(1)),
    ("plot.heatmap", "NaN", lambda: plot.heatmap([[NAN]], annotate="{:.0f}"), writes(("nan", "black"))),
    ("plot.contour", "NaN", lambda: contour(log=True), has_levels),
    ("plot.contour", "NaN", lambda: contour(lambda a, b: 1 / bell(a, b), log=True, filled=True), has_levels),
    ("plot.contour", "NaN", lambda: contour(lambda a, b: NAN * a), "nowhere finite"),
    ("plot.contour", "NaN", lambda: contour(paths={"a": [[NAN, 0]]}), "the first finite"),
    ("plot.contour", "wrong rank", lambda: contour(lambda a, b: a.sum()), "one value a point"),
    ("plot.contour", "wrong rank", lambda: contour(paths={"a": [0.0, 1.0]}), "points (steps, 2)"),
    ("plot.contour", "no step", lambda: contour(levels=0), "1 level"),
    ("plot.contour", "no step", lambda: contour(paths={"a": []}), "points (steps, 2)"),
    ("plot.contour", "gradients", lambda: contour(lambda a, b: a * graph(1)), has_levels),
    ("plot.contour", "a list of tensors", lambda: contour(paths={"a": [graph(2), graph(2)]}), told_apart(1)),
    ("plot.contour", "too many", lambda: contour(paths={i: PAIR for i in range(9)}), told_apart(9)),
    ("plot.boundary", "too many", lambda: boundary(8), told_apart(8)),
    ("plot.boundary", "too many", lambda: boundary(49), told_apart(49)),
    ("plot.boundary", "too many", lambda: boundary(50), "cannot be told apart"),
    ("plot.boundary", "one class", lambda: boundary(2, classes=torch.tensor([-1, 1])), "but one is -1"),
    ("plot.boundary", "one class", lambda: boundary(2, scores=lambda p: p[:, :1]), "K at least 2"),
    ("plot.boundary", "one class", lambda: boundary(2, classes=torch.tensor([0, 0])), told_apart(2)),
    ("plot.boundary", "wrong rank", lambda: boundary(2, classes=torch.tensor([[0], [1]])), "one a point"),
    ("plot.boundary", "wrong rank", lambda: boundary(2, scores=lambda p: p[:, 0]), "K at least 2"),
    ("plot.boundary", "NaN", lambda: boundary(2, x=NAN * torch.ones(2, 2)), "must be finite"),
    ("plot.boundary", "NaN", lambda: boundary(2, scores=lambda p: p / p.clamp(min=0)), told_apart(2)),
    ("plot.boundary", "bytes", lambda: boundary(2, classes=torch.tensor([0, 1]).byte()), told_apart(2)),
    ("plot.boundary", "gradients", lambda: boundary(2, x=graph(2, 2)), told_apart(2)),
    ("plot.boundary", "a list of tensors", lambda: boundary(2, x=[graph(2), graph(2)]), told_apart(2)),
    ("plot.layer_histograms", "no step", lambda: plot.layer_histograms({}), "a layer and a bin"),
    ("plot.layer_histograms", "NaN", lambda: plot.layer_histograms({"a": NAN * PAIR}), shows(1)),
    ("plot.layer_histograms", "gradients", lambda: plot.layer_histograms({"a": graph(9)}), shows(1)),
    ("plot.layer_histograms", "bytes", lambda: plot.layer_histograms({"a": PAIR.byte()}), shows(1)),
    ("plot.layer_histograms", "a list of tensors", lambda: plot.layer_histograms({"a": [graph(2)]}), shows(1)),
    (
        "hundred.draw_hundred",
        "no step",
        lambda: hundred.draw_hundred(data.digits(8)._replace(x=PAIR, x_test=PAIR), 0),
        "4",
    ),
    ("hundred.mess_up", "bytes", lambda: hundred.mess_up(torch.zeros(99).byte(), seeded()), some_are_wrong),
    ("hundred.mean_and_error", "no step", lambda: hundred.mean_and_error([]), "two values or more, but there are 0"),
    ("hundred.mean_and_error", "gradients", lambda: hundred.mean_and_error(graph(3)), lambda pair: len(pair) == 2),
    ("scenes.draw_scenes", "no step", lambda: scenes.draw_scenes(0), "n is 0"),
    ("scenes.draw_scenes", "too many", lambda: scenes.draw_scenes(1, objects=5), "objects is 5"),
    ("scenes.draw_scenes", "no step", lambda: scenes.draw_scenes(1, size=16), "size is 16"),
    ("scenes.scribble", "wrong rank", lambda: scenes.scribble(PAIR, 4, seeded()), "must be (N, 3, S, S)"),
    ("scenes.scribble", "no step", lambda: scenes.scribble(torch.zeros(1, 3, 8, 8), -1, seeded()), "strokes is -1"),
    ("nets.load_task", "no step", lambda: nets.load_task(images=0), "images is 0"),
    ("nets.load_task", "another name", lambda: nets.load_task("scratch"), "name is 'scratch'"),
    ("nets.init_weights", "no step", lambda: nets.init_weights(nn.ReLU()), lambda nothing: nothing is None),
    ("nets.train_net", "no step", lambda: train_tiny(epochs=0), "epochs is 0"),
    ("nets.test_accuracy", "one class", lambda: nets.test_accuracy(tiny_net(), tiny_task()), is_near(0.5)),
    ("nets.rate_scores", "no step", lambda: nets.rate_scores(tiny_net, tiny_task(), []), "rates must name a rate"),
    ("nets.rate_scores", "no step", lambda: nets.rate_scores(tiny_net, tiny_task(), [0.1]), "but there are 2"),
    ("nets.multiply_adds", "gradients", lambda: nets.multiply_adds(tiny_net(), graph(2, 1, 2, 2)), is_near(8)),
    ("nets.measure_cost", "gradients", lambda: nets.measure_cost(tiny_net(), graph(2, 1, 2, 2))[0], is_near(10)),
    ("nets.record_net", "no step", lambda: record_net_at("book"), "three accuracies or more, but there are 2"),
    ("nets.record_net", "no step", lambda: record_net_at("smoke"), lambda nothing: nothing is None),
    ("diagram.diagram", "another name", lambda: plot.diagram({"a": (0, 0, "")}, [["a", "b"]]), "An arrow names 'b'"),
    ("widgets.explore", "no step", lambda: explore([]), "has 0 value"),
    ("widgets.explore", "one class", lambda: explore([1]), "has 1 value"),
    ("widgets.explore", "too many", lambda: explore(range(61)), "are too many"),
    ("widgets.explore", "a list of tensors", lambda: explore([torch.ones(2), torch.ones(2)]), "not arrays"),
    ("widgets.explore", "gradients", lambda: explore(graph(3)), lambda nothing: nothing is None),
    ("widgets.animate", "no step", lambda: widgets.animate(draw, [], alt="a"), "has 0 value"),
    ("widgets.animate", "too many", lambda: widgets.animate(draw, range(61), alt="a"), "are too many"),
]


@pytest.mark.parametrize("row", ROWS, ids=[f"{helper}: {kind}" for helper, kind, _, _ in ROWS])
@pytest.mark.filterwarnings("error::UserWarning", "error::RuntimeWarning")
def test_a_sentence_or_the_right_thing(row, monkeypatch):
    _, _, call, expected = row
    for module in (widgets, common):
        monkeypatch.setattr(module, "display", lambda *shown, **more: None)
    plt.close("all")
    if isinstance(expected, str):
        with pytest.raises((ValueError, TypeError)) as caught:
            call()
        said = str(caught.value)
        assert expected in said and said[0] != " " and said.endswith(".") and "\n" not in said
        assert caught.traceback[-1].path.parent == ROOT / "utils", "the sentence is someone else's"
    else:
        assert expected(call())
        plt.gcf().canvas.draw()
    plt.close("all")


def public_helpers():
    for found in pkgutil.iter_modules(utils.__path__):
        module = importlib.import_module(f"utils.{found.name}")
        for name, value in vars(module).items():
            own = inspect.isfunction(value) and value.__module__ == module.__name__
            if own and not name.startswith("_"):
                yield f"{found.name}.{name}"


def test_every_helper_is_tried():
    tried = {helper for helper, _, _, _ in ROWS}
    kinds = {kind for _, kind, _, _ in ROWS}
    assert set(public_helpers()) == tried | TAKE_NOTHING_OF_THE_KIND
    assert kinds == KINDS
