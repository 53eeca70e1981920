"""utils.common: scale, device, seed, parameter count."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from utils import common


@pytest.mark.parametrize("scale, value", [("smoke", 1), ("book", 2), ("full", 3)])
def test_pick_follows_the_scale(monkeypatch, scale, value):
    monkeypatch.setenv("BOOK_SCALE", scale)
    assert common.get_scale() == scale
    assert common.pick(smoke=1, book=2, full=3) == value


def test_an_unknown_scale_names_the_three(monkeypatch):
    monkeypatch.setenv("BOOK_SCALE", "tiny")
    with pytest.raises(ValueError, match="'tiny'.*'smoke', 'book' and 'full'"):
        common.pick(smoke=1, book=2, full=3)


@pytest.mark.parametrize("cuda, scale", [(False, "book"), (True, "full")])
def test_the_scale_without_a_variable_follows_the_gpu(monkeypatch, cuda, scale):
    monkeypatch.delenv("BOOK_SCALE")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    assert common.get_scale() == scale


def test_the_device_is_the_fastest_present_or_the_one_named(monkeypatch):
    assert common.get_device() == torch.device("cpu")
    monkeypatch.delenv("BOOK_DEVICE")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert common.get_device() == torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert common.get_device() == torch.device("mps")


@pytest.mark.parametrize("name", ["tpu", "cuda"])
def test_a_device_that_is_not_there_is_an_error(monkeypatch, name):
    monkeypatch.setenv("BOOK_DEVICE", name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=f"'{name}', but this machine has: .*cpu"):
        common.get_device()


def test_a_seed_fixes_all_three_generators():
    def draw():
        generator = common.set_seed(3)
        return random.random(), np.random.rand(), torch.rand(1).item(), torch.rand(1, generator=generator).item()  # noqa: NPY002

    first = draw()
    assert draw() == first
    common.set_seed(4)
    assert torch.rand(1).item() != first[2]


def test_static_is_what_the_build_says(monkeypatch):
    assert not common.is_static()
    monkeypatch.setenv("BOOK_STATIC", "1")
    assert common.is_static()


def test_parameters_count_once_and_only_if_trained():
    layer = nn.Linear(3, 4)
    assert common.count_parameters(nn.Sequential(layer, layer)) == 3 * 4 + 4
    layer.bias.requires_grad_(False)
    assert common.count_parameters(layer) == 12


def test_a_result_is_recorded_in_the_outputs_and_not_shown(monkeypatch):
    shown = []
    monkeypatch.setattr(common, "display", lambda data, metadata: shown.append((data.data, metadata)))
    common.record("test accuracy: Adam", torch.tensor(0.5), seed=3)
    assert shown == [("", {"book_record": {"name": "test accuracy: Adam", "value": 0.5, "seed": 3}})]
