"""Models that one lecture builds and at least two later ones use; a test holds both definitions equal."""

import torch
import torch.nn.functional as F
from torch import nn


class LeNet(nn.Module):
    """LeNet-5 with today's parts, as the lecture cnn/lenet builds it: (B, channels, 28, 28) -> logits (B, classes).

    width scales every layer; act and pool are the classes of the activations and of the two poolings, so that
    `LeNet(act=nn.Sigmoid, pool=nn.AvgPool2d)` is closer to the network of 1998. Source: LeCun et al., Gradient-based
    learning applied to document recognition (1998).
    """

    def __init__(self, channels=1, classes=10, width=1.0, act=nn.ReLU, pool=nn.MaxPool2d):
        super().__init__()
        c1 = max(1, round(6 * width))
        c3 = max(1, round(16 * width))
        c5 = max(1, round(120 * width))
        f6 = max(1, round(84 * width))
        self.features = nn.Sequential(
            nn.Conv2d(channels, c1, 5, padding=2),  # (B, c1, 28, 28)
            act(),
            pool(2),  # (B, c1, 14, 14)
            nn.Conv2d(c1, c3, 5),  # (B, c3, 10, 10)
            act(),
            pool(2),  # (B, c3, 5, 5)
            nn.Flatten(),
        )
        self.head = nn.Sequential(
            nn.Linear(25 * c3, c5),
            act(),
            nn.Linear(c5, f6),
            act(),
            nn.Linear(f6, classes),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x))


class UNet(nn.Module):
    """The denoiser of diffusion/denoising-unet: (B, channels, H, W) and times (B,) -> (B, channels, H, W).

    widths: channels at each size, finest first, each a multiple of 4; H and W must be divisible by 2 to the power of
    their number less one. Time enters every block by a scale and a shift; one self-attention at the coarsest size.
    A condition c (B, time_dim), where one is given, is added to the time. A fresh network returns zeros. Sources:
    Ronneberger et al., U-Net (2015); Ho et al., DDPM (2020); Perez et al., FiLM (2018).
    """

    def __init__(self, channels=1, widths=(8, 16, 32), time_dim=64):
        super().__init__()
        finest = widths[0]
        coarsest = widths[-1]
        self.time_dim = time_dim
        self.time = nn.Linear(time_dim, time_dim)
        self.stem = nn.Conv2d(channels, finest, 3, padding=1)
        self.out = nn.Conv2d(finest, channels, 3, padding=1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

        # the way down: a block and a halving at each size
        self.down = nn.ModuleList()
        self.halve = nn.ModuleList()
        for width in widths[:-1]:
            self.down.append(ResidualBlock(width, width, time_dim))
        for width, next_width in zip(widths[:-1], widths[1:]):
            self.halve.append(nn.Conv2d(width, next_width, 3, stride=2, padding=1))

        # the bottom
        self.before = ResidualBlock(coarsest, coarsest, time_dim)
        self.after = ResidualBlock(coarsest, coarsest, time_dim)
        self.attention = SelfAttention(coarsest)

        # the way up, coarsest size first: fewer channels, a wider picture
        self.widen = nn.ModuleList()
        self.up = nn.ModuleList()
        for level in reversed(range(len(widths) - 1)):
            self.widen.append(nn.Conv2d(widths[level + 1], widths[level], 3, padding=1))
        for width in reversed(widths[:-1]):
            self.up.append(ResidualBlock(2 * width, width, time_dim))
        self.norm = nn.GroupNorm(4, finest)

    def forward(self, x: torch.Tensor, t: torch.Tensor, c: torch.Tensor | None = None) -> torch.Tensor:
        emb = self.time(time_embedding(t, self.time_dim))  # (B, time_dim)
        if c is not None:
            emb = emb + c
        emb = F.silu(emb)

        h = self.stem(x)  # (B, finest, H, W)
        kept = []
        for block, halve in zip(self.down, self.halve):
            h = block(h, emb)
            kept.append(h)
            h = halve(h)  # half the sides, more channels

        h = self.before(h, emb)
        h = self.attention(h)
        h = self.after(h, emb)

        for block, widen in zip(self.up, self.widen):
            h = F.interpolate(h, scale_factor=2)  # twice the sides
            h = widen(h)  # fewer channels
            h = torch.cat([h, kept.pop()], dim=1)
            h = block(h, emb)

        return self.out(F.silu(self.norm(h)))


class ResidualBlock(nn.Module):
    """A block of the U-Net of diffusion/denoising-unet: (B, c_in, H, W), times (B, time_dim) -> (B, c_out, H, W)."""

    def __init__(self, c_in: int, c_out: int, time_dim: int):
        super().__init__()
        self.norm1 = nn.GroupNorm(4, c_in)
        self.norm2 = nn.GroupNorm(4, c_out)
        self.conv1 = nn.Conv2d(c_in, c_out, 3, padding=1)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)
        self.film = nn.Linear(time_dim, 2 * c_out)
        self.skip = nn.Identity()
        if c_in != c_out:
            self.skip = nn.Conv2d(c_in, c_out, 1)

    def forward(self, x: torch.Tensor, emb: torch.Tensor) -> torch.Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        film = self.film(emb)[:, :, None, None]  # (B, 2 c_out, 1, 1)
        scale, shift = film.chunk(2, dim=1)
        h = (1 + scale) * self.norm2(h) + shift
        h = self.conv2(F.silu(h))
        return self.skip(x) + h


class SelfAttention(nn.Module):
    """Self-attention over the places of an image, of diffusion/denoising-unet: (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, channels: int, heads: int = 4):
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(4, channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)

    def split(self, rows: torch.Tensor) -> torch.Tensor:
        """Split the channels over the heads: (B, T, C) -> (B, nh, T, hs)."""
        rows = rows.unflatten(2, (self.heads, -1))  # (B, T, nh, hs)
        return rows.transpose(1, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = self.norm(x).flatten(2).transpose(1, 2)  # (B, T, C), T = H · W
        q, k, v = self.qkv(rows).chunk(3, dim=2)
        q = self.split(q)  # (B, nh, T, hs)
        k = self.split(k)
        v = self.split(v)
        answers = F.scaled_dot_product_attention(q, k, v)
        answers = answers.transpose(1, 2).flatten(2)  # (B, T, C)
        answers = self.out(answers).transpose(1, 2)  # (B, C, T)
        return x + answers.unflatten(2, x.shape[2:])


def time_embedding(t: torch.Tensor, dim: int) -> torch.Tensor:
    """Return cosines and sines of times (B,) at dim / 2 frequencies that fall from 1 by equal factors: (B, dim).

    They would reach 1 / 10,000 at the one after the last; see diffusion/denoising-unet. Raises ValueError for times
    of another shape and an odd `dim`. Source: Vaswani et al., Attention is all you need (2017), section 3.5.
    """
    if t.ndim != 1:
        raise ValueError(f"The times must be (B,), but they are {tuple(t.shape)}.")
    if dim < 2 or dim % 2:
        raise ValueError(f"dim is {dim}, but it must be even: half of it are cosines, half sines.")
    steps = torch.arange(dim // 2, device=t.device)
    frequencies = 10_000 ** (-steps / (dim // 2))
    angles = t.float()[:, None] * frequencies  # (B, dim / 2)
    return torch.cat([angles.cos(), angles.sin()], dim=1)
