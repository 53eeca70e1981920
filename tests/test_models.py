"""utils.models: each model is the one that its lecture builds."""

import ast
import contextlib

import pytest
import torch
from conftest import read

from utils import models

BUILT_IN = {"LeNet": ("cnn/lenet", (2, 1, 28, 28)), "UNet": ("diffusion/denoising-unet", (2, 1, 16, 16))}


def from_lecture(lecture: str) -> dict:
    """Return what a lecture defines: its imports, functions and classes, without running its experiments."""
    tree = ast.parse("\n\n".join(cell.source for cell in read(lecture).cells if cell.cell_type == "code"))
    names = {}
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef):
            with contextlib.suppress(NameError):  # a default value that an experiment computes
                exec(compile(ast.Module([node], []), lecture, "exec"), names)
    return names


@pytest.mark.parametrize("name", BUILT_IN)
def test_both_definitions_are_equal(name):
    lecture, shape = BUILT_IN[name]
    built, kept = from_lecture(lecture)[name](), getattr(models, name)()
    assert type(built) is not type(kept)
    torch.manual_seed(0)
    for parameter in kept.parameters():  # zero-initialised layers too
        torch.nn.init.normal_(parameter, std=0.1)
    built.load_state_dict(kept.state_dict(), strict=True)
    inputs = [torch.randn(shape)] + ([torch.tensor([3, 700])] if name == "UNet" else [])
    torch.testing.assert_close(built(*inputs), kept(*inputs))
    if name == "UNet":
        c = torch.randn(2, 64)
        torch.testing.assert_close(built(*inputs, c), kept(*inputs, c))
        assert not torch.allclose(kept(*inputs, c), kept(*inputs))
    assert lecture in kept.__doc__


def test_every_model_is_held():
    defined = {n for n, m in vars(models).items() if isinstance(m, type) and m.__module__ == "utils.models"}
    public = {name for name in defined if not name.startswith("_")}
    assert set(BUILT_IN) <= public
    assert all(models.__dict__[name].__doc__ for name in public)


def test_lenet_scales_and_takes_its_parts():
    from utils.common import count_parameters

    assert count_parameters(models.LeNet()) == 61_706
    assert models.LeNet(channels=3, classes=4, width=0.01)(torch.zeros(1, 3, 28, 28)).shape == (1, 4)
    old = models.LeNet(act=torch.nn.Sigmoid, pool=torch.nn.AvgPool2d)
    assert sum(isinstance(m, torch.nn.AvgPool2d) for m in old.modules()) == 2
