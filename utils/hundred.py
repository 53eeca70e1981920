"""One hundred digits, the task of the part on regularization, as the lecture overfitting-validation builds it."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn

from utils.data import Images


class Draw(NamedTuple):
    """One draw: images (N, 1, 28, 28) and their labels (N,); 100 to train, 400 to validate, the rest to test."""

    x: torch.Tensor
    y: torch.Tensor
    x_val: torch.Tensor
    y_val: torch.Tensor
    x_test: torch.Tensor
    y_test: torch.Tensor

    def to(self, device: torch.device | str) -> "Draw":
        """Return the same draw on a device."""
        return Draw(*[part.to(device) for part in self])


def draw_hundred(source: Images, seed: int) -> Draw:
    """Return the draw that belongs to a seed, out of all images of `source`, training and test images together.

    The first 100 images of a random order train, the next 400 validate, and of the rest at most 5,000 test.

    Raises ValueError when `source` has too few images.
    """
    images = torch.cat([source.x, source.x_test])
    labels = torch.cat([source.y, source.y_test])
    if len(images) <= 500:
        raise ValueError(f"A draw takes more than 500 images, but there are {len(images)}.")
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    train = order[:100]
    val = order[100:500]
    test = order[500:5500]
    return Draw(images[train], labels[train], images[val], labels[val], images[test], labels[test])


def make_network() -> nn.Sequential:
    """Return the network of the task, with two hidden layers: (B, 1, 28, 28) -> scores (B, 10)."""
    return nn.Sequential(
        nn.Flatten(),  # (B, 784)
        nn.Linear(784, 256),
        nn.ReLU(),
        nn.Linear(256, 256),
        nn.ReLU(),
        nn.Linear(256, 10),
    )


def mess_up(y: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return the labels y (N,), of classes 0 to 9, with about three in ten replaced by a wrong one.

    generator: a generator of the CPU, so that a seed gives the same labels on every device.
    """
    tired = torch.rand(len(y), generator=generator) < 0.3
    shift = torch.randint(1, 10, (len(y),), generator=generator)
    other = (y + shift.to(y.device)) % 10
    return torch.where(tired.to(y.device), other, y)


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean of the results of several runs, and its standard error.

    The error is the standard deviation of the sample (with n − 1) divided by √n.

    Raises ValueError for fewer than two values.
    """
    if len(values) < 2:
        raise ValueError(f"A standard error takes two values or more, but there are {len(values)}.")
    values = torch.as_tensor(values, dtype=torch.float64)
    error = values.std() / math.sqrt(len(values))
    return values.mean().item(), error.item()
