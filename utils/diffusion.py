"""Diffusion models as the lecture diffusion/ddpm builds them: noise, training, sampling, and a judge of the samples.

Times run from 0 (clean data) to T (almost pure noise); `alpha_bar` (T + 1,) holds at each the share of the data's
variance that is left, `alpha_bar[0] = 1`. Networks predict the velocity v = sqrt(a) eps - sqrt(1 - a) x0.
"""

import copy
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn
from tqdm.auto import tqdm

from utils import common, data, train
from utils.models import LeNet


def cosine_schedule(T: int = 1000, s: float = 0.008) -> torch.Tensor:
    """Return alpha_bar (T + 1,), float64, of the cosine schedule, on the CPU; no step adds more than 0.999.

    Raises ValueError for T below 1. Source: Nichol and Dhariwal, Improved denoising diffusion probabilistic models
    (2021), equation 17.
    """
    if T < 1:
        raise ValueError(f"T is {T}, but it must be at least 1.")
    t = torch.arange(T + 1, dtype=torch.float64) / T
    angle = (t + s) / (1 + s) * math.pi / 2
    f = torch.cos(angle) ** 2
    beta = (1 - f[1:] / f[:-1]).clamp(max=0.999)
    return torch.cat([torch.ones(1), (1 - beta).cumprod(0)])


def diffuse(x0: torch.Tensor, t: torch.Tensor, alpha_bar: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise x0 (B, …) to the times t (B,), given on the CPU; return x_t and the velocity v, both (B, …).

    Raises TypeError for what is no tensor of floats, and ValueError for times that are not integers (B,) in [0, T].
    Source: Ho et al., DDPM (2020), equation 4; Salimans and Ho, Progressive distillation (2022), section 4.
    """
    _check_floats("x0", x0)
    common.check_tensor("t", t)
    last = _last_time(alpha_bar)
    if t.shape != x0.shape[:1] or t.is_floating_point():
        shape = tuple(t.shape)
        raise ValueError(f"The times must be integers ({len(x0)},), one a sample, but they are {t.dtype} {shape}.")
    if ((t < 0) | (t > last)).any():
        raise ValueError(f"The times must lie in [0, {last}], but they reach from {t.min()} to {t.max()}.")
    ones = [1] * (x0.ndim - 1)
    a = alpha_bar[t].view(-1, *ones).float().to(x0.device)  # (B, 1, …)
    signal = a.sqrt()
    noise = (1 - a).sqrt()
    eps = torch.randn_like(x0)
    x_t = signal * x0 + noise * eps
    v = signal * eps - noise * x0
    return x_t, v


def train_ema(
    model: nn.Module, loss: Callable[[], torch.Tensor], *, steps: int, lr: float, decay: float = 0.998
) -> tuple[nn.Module, list[float]]:
    """Train `model` in place for `steps` updates; return the moving average of its weights and the losses (steps,).

    loss: draws a fresh batch, calls `model` and returns the loss, a scalar. AdamW with a rate that rises to `lr` over
    the first 5 % and falls to zero as a cosine. The average, a copy in evaluation mode, forgets by `decay`, faster at
    first; its buffers, such as those of batch normalization, are the last ones of `model`. Training stops early, says
    why, and returns what there is when a loss is not finite or it is interrupted.

    Raises ValueError for fewer than two steps, and for a loss that is no scalar or does not depend on the model.
    """
    if steps < 2:
        raise ValueError(f"steps is {steps}, but it must be at least 2.")
    ema = copy.deepcopy(model).eval()
    losses = []
    opt = torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.99), fused=True)
    rise = max(0.05, 1.5 / steps)  # at least one whole update
    schedule = torch.optim.lr_scheduler.OneCycleLR(opt, lr, total_steps=steps, pct_start=rise, cycle_momentum=False)
    quiet = common.is_static() or common.get_scale() == "smoke"
    try:
        for step in tqdm(range(1, steps + 1), leave=False, disable=quiet):
            value = loss()
            train.check_loss(value)
            losses.append(value.detach())
            read = step % 50 == 0 or step in (1, steps)  # seldom: reading it makes a GPU wait
            if read and not torch.isfinite(losses[-1]):
                advice = "look at the data and the loss" if step == 1 else "try a smaller rate"
                print(f"Stopped: the loss became {losses[-1].item()} before update {step}; {advice}.")
                break
            opt.zero_grad()
            value.backward()
            opt.step()
            schedule.step()
            with torch.no_grad():
                for average, p in zip(ema.parameters(), model.parameters()):
                    average.lerp_(p, 1 - min(decay, step / (step + 9)))
    except KeyboardInterrupt:
        print(f"Interrupted after {len(losses)} of {steps} updates.")
    for average, last in zip(ema.buffers(), model.buffers()):
        average.copy_(last)
    return ema, torch.stack(losses).tolist() if losses else []


def denoiser(model: nn.Module, alpha_bar: torch.Tensor, *given: torch.Tensor) -> Callable:
    """Return the function (x, t) -> x0_hat that reads the clean data off the velocity of `model(x, times, *given)`.

    It raises ValueError for a time that is not in [0, T].
    """
    last = _last_time(alpha_bar)

    def denoise(x, t):
        if not 0 <= t <= last:
            raise ValueError(f"The time is {t}, but it must lie in [0, {last}].")
        a = alpha_bar[t].item()
        times = torch.full((len(x),), t, device=x.device)
        v_hat = model(x, times, *given)
        return a**0.5 * x - (1 - a) ** 0.5 * v_hat

    return denoise


def ancestral(x, x0_hat, a: float, a_next: float, z):
    """Step from alpha_bar `a` to the larger `a_next` by the posterior of DDPM; z is fresh standard noise, or zero.

    Raises ValueError where a_next is not the larger, or one of them is not in [0, 1].
    """
    if not 0 <= a < a_next <= 1:
        raise ValueError(f"A step goes from a to a larger a_next in [0, 1], but they are {a} and {a_next}.")
    alpha = a / a_next
    beta = 1 - alpha  # the share of noise that this step removes
    weight_x0 = a_next**0.5 * beta
    weight_x = alpha**0.5 * (1 - a_next)
    mean = (weight_x0 * x0_hat + weight_x * x) / (1 - a)
    std = (beta * (1 - a_next) / (1 - a)) ** 0.5
    return mean + std * z


def ddim(x, x0_hat, a: float, a_next: float, z=0.0):
    """Step from alpha_bar `a` to the larger `a_next` without fresh noise: the estimated noise stays, at its new level.

    Raises ValueError where a is not in [0, 1), or a_next not in [0, 1]. Source: Song et al., Denoising diffusion
    implicit models (2021), equation 12 with sigma = 0; see diffusion/ddim-samplers.
    """
    if not (0 <= a < 1 and 0 <= a_next <= 1):
        raise ValueError(f"A step goes from a in [0, 1) to a_next in [0, 1], but they are {a} and {a_next}.")
    scaled_noise = x - a**0.5 * x0_hat  # sqrt(1 - a) times the estimated noise
    return a_next**0.5 * x0_hat + (1 - a_next) ** 0.5 * scaled_noise / (1 - a) ** 0.5


@torch.no_grad()
def sample(
    denoise: Callable,
    x: torch.Tensor,
    alpha_bar: torch.Tensor,
    *,
    steps: int,
    rule: Callable = ancestral,
    clip: bool = False,
    trace: list | None = None,
) -> torch.Tensor:
    """Walk from the noise x (B, …) at time T to time 0 in `steps` steps of about equal length and return the samples.

    denoise: (x, t) -> x0_hat. rule: (x, x0_hat, a, a_next, z) -> next x. clip: bring x0_hat into [-1, 1].
    trace: a list that receives (t, x, x0_hat) before each step. Noise comes from PyTorch's global generator.

    Raises ValueError for fewer than 1 or more than T steps, TypeError for what is no tensor of floats.
    """
    _check_floats("x", x)
    last = _last_time(alpha_bar)
    if not 1 <= steps <= last:
        raise ValueError(f"steps is {steps}, but it must be 1 to T = {last}: a walk visits a time once.")
    times = torch.linspace(last, 0, steps + 1).round().int().tolist()
    for t, t_next in zip(times, times[1:]):
        x0_hat = denoise(x, t)
        if clip:
            x0_hat = x0_hat.clamp(-1, 1)
        if trace is not None:
            trace.append((t, x, x0_hat))
        a = alpha_bar[t].item()
        a_next = alpha_bar[t_next].item()
        x = rule(x, x0_hat, a, a_next, torch.randn_like(x))
    return x


def train_judge(images: data.Images, device: torch.device, *, rounds: int = 4) -> Callable:
    """Train LeNet on `images` and shifted copies; return read(x) -> features (B, 84) and probabilities (B, classes).

    `read` takes images of any size in [-1, 1], (B, 1, H, W), and enlarges them to 28 × 28; `rounds` are epochs.

    Raises ValueError for images that are not grey, fewer than two classes and no round, TypeError for bytes.
    """
    _check_floats("images.x", images.x)
    _check_grey(images.x)
    if len(images.classes) < 2:
        raise ValueError(f"A judge tells classes apart, but there is {len(images.classes)}.")
    if rounds < 1:
        raise ValueError(f"rounds is {rounds}, but it must be at least 1.")
    enlarge = lambda x: F.interpolate(x, size=(28, 28), mode="bilinear", align_corners=False)  # noqa: E731
    shifts = [(0, 0), (2, 1), (-2, -1), (-1, 2), (1, -2)][: 1 if len(images.x) > 10_000 else 5]
    x = torch.cat([enlarge(images.x).roll(shift, dims=(2, 3)) for shift in shifts]).to(device)
    loader = data.loader(x, images.y.to(device).repeat(len(shifts)), batch_size=64)
    torch.manual_seed(0)
    judge = LeNet(classes=len(images.classes)).to(device)
    opt = torch.optim.AdamW(judge.parameters(), lr=2e-3)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(opt, rounds)
    train.fit(judge, loader, F.cross_entropy, opt, epochs=rounds, scheduler=cosine, progress=False)

    @torch.no_grad()
    def read(x):
        _check_floats("x", x)
        _check_grey(x)
        pixels = (x.to(device).clamp(-1, 1) + 1) / 2
        f = judge.head[:-1](judge.features(enlarge(pixels)))
        return f, judge.head[-1](f).softmax(1)

    return read


def frechet(f: torch.Tensor, g: torch.Tensor) -> float:
    """Return the squared Fréchet distance between Gaussians fitted to features (N, D) and (M, D); N and M at least 2.

    Raises ValueError for other shapes and for values that are not finite, TypeError for what is no tensor.
    Source: Dowson and Landau, The Fréchet distance between multivariate normal distributions (1982); as a measure of
    generators: Heusel et al., GANs trained by a two time-scale update rule (2017).
    """
    for name, features in (("f", f), ("g", g)):
        common.check_tensor(name, features)
        if features.ndim != 2 or len(features) < 2:
            raise ValueError(f"Features must be (N, D), N at least 2, but {name} is {tuple(features.shape)}.")
        if not features.isfinite().all():
            raise ValueError(f"Features must be finite, but {name} holds NaN or infinity.")
    if f.shape[1] != g.shape[1]:
        raise ValueError(f"The features must be equally many, but f has {f.shape[1]} and g has {g.shape[1]}.")
    f = f.detach().cpu().double()  # in this order: not every device has double precision
    g = g.detach().cpu().double()
    A = torch.atleast_2d(f.T.cov())  # (D, D)
    B = torch.atleast_2d(g.T.cov())
    eigenvalues = torch.linalg.eigvals(A @ B).real.clamp(min=0)  # real and not negative, but for rounding
    between_means = (f.mean(0) - g.mean(0)).square().sum()
    between_spreads = A.trace() + B.trace() - 2 * eigenvalues.sqrt().sum()
    return float(between_means + between_spreads)


def _check_floats(name, value):
    common.check_tensor(name, value)
    if not value.is_floating_point():
        raise TypeError(f"{name} must hold floats, scaled to the range of the model, but it holds {value.dtype}.")


def _check_grey(images):
    if images.ndim != 4 or images.shape[1] != 1:
        raise ValueError(f"The judge reads grey images (N, 1, H, W), not {tuple(images.shape)}.")


def _last_time(alpha_bar):
    """Return T."""
    common.check_tensor("alpha_bar", alpha_bar)
    if alpha_bar.ndim != 1 or len(alpha_bar) < 2:
        raise ValueError(f"alpha_bar must be (T + 1,), T at least 1, but it is {tuple(alpha_bar.shape)}.")
    return len(alpha_bar) - 1
