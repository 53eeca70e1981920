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
        c1, c2, f1, f2 = (max(1, round(width * n)) for n in (6, 16, 120, 84))
        self.features = nn.Sequential(
            nn.Conv2d(channels, c1, 5, padding=2), act(), pool(2),  # (B, c1, 14, 14)
            nn.Conv2d(c1, c2, 5), act(), pool(2),  # (B, c2, 5, 5)
            nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Sequential(nn.Linear(c2 * 25, f1), act(), nn.Linear(f1, f2), act(), nn.Linear(f2, classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x))


class UNet(nn.Module):
    """The denoiser that the lecture diffusion/ddpm builds: (B, channels, H, W), times (B,) -> (B, channels, H, W).

    widths: channels at each size, finest first, each a multiple of 4; H and W must be divisible by 2 to the power of
    their number less one. Time enters every block by a scale and a shift; one self-attention at the coarsest size.
    A condition c (B, time_dim), where one is given, is added to the time. A fresh network returns zeros. Sources:
    Ronneberger et al., U-Net (2015); Ho et al., DDPM (2020); Perez et al., FiLM (2018).
    """

    def __init__(self, channels=1, widths=(8, 16, 32), time_dim=64):
        super().__init__()
        first, last, pairs = widths[0], widths[-1], list(zip(widths, widths[1:]))
        self.time_dim, self.time = time_dim, nn.Linear(time_dim, time_dim)
        self.stem, self.out = _conv(channels, first), _zero(_conv(first, channels))
        self.down = nn.ModuleList(ResidualBlock(w, w, time_dim) for w, _ in pairs)
        self.halve = nn.ModuleList(_conv(w, c, stride=2) for w, c in pairs)
        self.before, self.after = (ResidualBlock(last, last, time_dim) for _ in "12")
        self.attention = SelfAttention(last)
        back = pairs[::-1]
        self.widen = nn.ModuleList(_conv(c, w) for w, c in back)
        self.up = nn.ModuleList(ResidualBlock(2 * w, w, time_dim) for w, _ in back)
        self.norm = nn.GroupNorm(4, first)

    def forward(self, x: torch.Tensor, t: torch.Tensor, c: torch.Tensor | None = None) -> torch.Tensor:
        emb = self.time(time_embedding(t, self.time_dim))  # (B, time_dim)
        emb = F.silu(emb if c is None else emb + c)
        h, across = self.stem(x), []
        for block, halve in zip(self.down, self.halve):
            across.append(block(h, emb))
            h = halve(across[-1])  # (B, wider, H/2, W/2)
        h = self.after(self.attention(self.before(h, emb)), emb)
        for widen, block in zip(self.widen, self.up):
            h = widen(F.interpolate(h, scale_factor=2))  # nearest neighbour, then mend
            h = block(torch.cat([h, across.pop()], dim=1), emb)
        return self.out(F.silu(self.norm(h)))


class ResidualBlock(nn.Module):
    """A block of the U-Net of diffusion/ddpm: (B, c_in, H, W), embedded times (B, time_dim) -> (B, c_out, H, W)."""

    def __init__(self, c_in: int, c_out: int, time_dim: int):
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(4, c_in), nn.GroupNorm(4, c_out)
        self.conv1, self.conv2 = _conv(c_in, c_out), _zero(_conv(c_out, c_out))
        self.film = nn.Linear(time_dim, 2 * c_out)
        self.skip = nn.Conv2d(c_in, c_out, 1) if c_in != c_out else nn.Identity()

    def forward(self, x: torch.Tensor, emb: torch.Tensor) -> torch.Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.film(emb)[:, :, None, None].chunk(2, dim=1)
        h = self.norm2(h) * (1 + scale) + shift
        return self.skip(x) + self.conv2(F.silu(h))


class SelfAttention(nn.Module):
    """Self-attention over the places of an image, as diffusion/ddpm builds it: (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, channels: int, heads: int = 4):
        super().__init__()
        self.heads, self.norm = heads, nn.GroupNorm(4, channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.norm(x).flatten(2).transpose(1, 2)  # (B, H·W, C)
        q, k, v = self.qkv(h).chunk(3, dim=2)
        q, k, v = (m.unflatten(2, (self.heads, -1)).transpose(1, 2) for m in (q, k, v))  # (B, nh, T, hs)
        h = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)  # (B, T, C)
        return x + self.out(h).transpose(1, 2).view_as(x)


def time_embedding(t: torch.Tensor, dim: int) -> torch.Tensor:
    """Return cosines and sines of times (B,) at dim / 2 frequencies from 1 to 1 / 10,000: (B, dim); see diffusion/ddpm.

    Source: Vaswani et al., Attention is all you need (2017), section 3.5.
    """
    steps = torch.arange(dim // 2, device=t.device)
    angle = t.float()[:, None] * 10_000 ** (-steps / (dim // 2))
    return torch.cat([angle.cos(), angle.sin()], dim=1)


def _conv(c_in, c_out, stride=1):
    return nn.Conv2d(c_in, c_out, 3, stride, padding=1)


def _zero(layer):
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
