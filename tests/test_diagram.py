"""utils.diagram: shapes are measured, names are checked, the picture says in words what it shows."""

import html
import re

import matplotlib.pyplot as plt
import pytest
import torch
from torch import nn

from utils import diagram, models, plot


@pytest.fixture
def shown(monkeypatch):
    """What the diagrams of a test displayed, as HTML."""
    pictures = []
    monkeypatch.setattr(diagram, "display", lambda picture: pictures.append(picture.data))
    return pictures


def words(picture: str) -> str:
    return html.unescape(re.search('alt="([^"]*)"', picture)[1])


class Joined(nn.Module):
    """Two branches that are added or joined, a part that is never called, and normalization with a memory."""

    def __init__(self):
        super().__init__()
        self.left = nn.Conv2d(1, 4, 3, padding=1)
        self.right = nn.Conv2d(1, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.mix = nn.Conv2d(8, 2, 1)
        self.unused = nn.ReLU()

    def forward(self, x, scale):
        left = self.norm(self.left(x))
        return self.mix(torch.cat([left, self.right(x)], dim=1)) * scale[:, None, None, None]


BOXES = {
    "x": (0, 0, "image"),
    "left": (1, 0, "left"),
    "norm": (2, 0, "norm"),
    "right": (1, 1, "right"),
    "join": (3, 0),
    "mix": (4, 0, "mix"),
}
ARROWS = [("x", "left", "norm", "join", "mix"), ("x", "right", "join")]
INPUTS = (torch.zeros(3, 1, 5, 6), torch.ones(3))


def test_shapes_are_measured_and_said(shown):
    assert plot.diagram is diagram.diagram
    plot.diagram(BOXES, ARROWS, model=Joined(), inputs=INPUTS)
    assert words(shown[0]) == (
        "Diagram: image (B, 1, 5, 6), then left (B, 4, 5, 6), then norm (B, 4, 5, 6), then join (B, 8, 5, 6), "
        "then mix (B, 2, 5, 6); image, then right (B, 4, 5, 6), then join."
    )
    assert re.search('width="[0-9]+" height="[0-9]+"', shown[0])
    assert plt.get_fignums() == []


def test_the_model_is_left_as_it_was(shown):
    model = Joined()
    model.mix.eval()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    plot.diagram(BOXES, ARROWS, model=model, inputs=INPUTS)
    torch.testing.assert_close(model.state_dict(), state, rtol=0, atol=0)
    assert model.training and model.norm.training and not model.mix.training
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize(
    ("boxes", "arrows", "message"),
    [
        ({"up": (0, 0, "up")}, [], r"'up' is no part of Joined: a box may be an input \(x, scale\), .* left, right"),
        ({"unused": (0, 0, "ReLU")}, [], "'unused' is a part of Joined, but it was not called"),
        ({"x": (0, 0, "x")}, [("x", "y")], "An arrow names 'y', but the boxes are x"),
        ({"join": (0, 0)}, [], "No arrow leads to 'join'"),
        ({**BOXES, "+": (3, 1)}, [*ARROWS, ("mix", "+"), ("norm", "+")], r"At '\+' arrive .* do not fit together"),
        ({**BOXES, "+": (3, 1)}, [*ARROWS, ("left", "+"), ("+", "mix")], r"'\+' gives .* but 'mix' received"),
        ({"+": (0, 0), "+ 2": (1, 0)}, [("+", "+ 2"), ("+ 2", "+")], "go round in a circle"),
    ],
)
def test_what_is_not_so_is_an_error(boxes, arrows, message, shown):
    with pytest.raises(ValueError, match=message):
        plot.diagram(boxes, arrows, model=Joined(), inputs=INPUTS)
    assert shown == []


def test_functions_processes_and_results_of_several_tensors(shown):
    scores = torch.zeros(2, 7)
    plot.diagram(
        {"scores": (0, 0, "scores"), "other": (1, 0, "a step")}, [("scores", "other")], tensors={"scores": scores}
    )
    assert words(shown[0]) == "Diagram: scores (2, 7), then a step."
    boxes = {"input": (0, 0, "words"), "output": (1, 0, "LSTM")}
    plot.diagram(boxes, [("input", "output")], model=nn.LSTM(4, 5, batch_first=True), inputs=torch.zeros(2, 3, 4))
    assert words(shown[1]) == "Diagram: words (B, 3, 4), then LSTM (B, 3, 5)."
    plot.diagram(boxes, [("input", "output")], alt='Words "in", states out.')
    assert words(shown[2]) == 'Words "in", states out.'


def test_arrows_bend_around_what_lies_between():
    centres = {"a": (0.0, 0.0), "b": (2.0, 0.0), "c": (4.0, 0.0), "d": (4.0, -1.0), "e": (0.0, -1.0)}
    sizes = dict.fromkeys(centres, (1.0, 0.5))
    straight = diagram._route(centres, sizes, "a", "b")
    around = diagram._route(centres, sizes, "a", "c")
    down = diagram._route(centres, sizes, "c", "d")
    elbow = diagram._route(centres, sizes, "b", "e")
    assert straight == [(0.5, 0.0), (1.5, 0.0)]
    assert len(around) == 4 and min(y for _, y in around) >= 0.25
    assert down == [(4.0, -0.25), (4.0, -0.75)]
    assert len(elbow) == 3 and elbow[1] == (2.0, -1.0)


def test_lenet_is_drawn_with_its_shapes(shown):
    chain = ("x", "features.0", "features.2", "features.3", "features.5", "head", "output")
    boxes = {name: (column, 0, name) for column, name in enumerate(chain)}
    plot.diagram(boxes, [chain], model=models.LeNet(), inputs=torch.zeros(1, 1, 28, 28))
    for shape in ("(B, 6, 28, 28)", "(B, 6, 14, 14)", "(B, 16, 10, 10)", "(B, 16, 5, 5)", "(B, 10)"):
        assert shape in words(shown[0])
