"""Models that one lecture builds and at least two later ones use; a test holds both definitions equal."""

import torch
from torch import nn


class LeNet(nn.Module):
    """LeNet-5 with today's parts, as the lecture cnn/lenet builds it: (B, channels, 28, 28) -> logits (B, classes).

    width scales every layer; act and pool are the classes of the activations and of the two poolings, so that
    `LeNet(act=nn.Sigmoid, pool=nn.AvgPool2d)` is closer to the network of 1998. Source: LeCun et al., Gradient-based
    learning applied to document recognition (1998).
    """

    def __init__(self, channels=1, classes=10, width=1.0, act=nn.ReLU, pool=nn.MaxPool2d):
        super().__init__()
        c1, c2, f1, f2 = (max(1, round(width * n)) for n in (6, 16, 120, 84))
        self.features = nn.Sequential(
            nn.Conv2d(channels, c1, 5, padding=2), act(), pool(2),  # (B, c1, 14, 14)
            nn.Conv2d(c1, c2, 5), act(), pool(2),  # (B, c2, 5, 5)
            nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Sequential(nn.Linear(c2 * 25, f1), act(), nn.Linear(f1, f2), act(), nn.Linear(f2, classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x))
