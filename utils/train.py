"""A training loop for lectures whose subject is not the loop."""

import contextlib
import math
import time
from collections.abc import Callable, Iterable

import torch
from torch import nn
from tqdm.auto import tqdm

from utils import common

Metric = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def accuracy(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the share of rows of `logits` (B, K) whose largest entry is at the class `y` (B,)."""
    return (logits.argmax(dim=1) == y).float().mean()


def fit(
    model: nn.Module,
    loader: Iterable,
    loss_fn: Callable,
    opt: torch.optim.Optimizer,
    *,
    epochs: int,
    scheduler=None,
    scheduler_every: str = "epoch",
    val_loader: Iterable | None = None,
    metric: Metric | None = None,
    clip: float | None = None,
    amp: bool | None = None,
    progress: bool | None = None,
) -> dict[str, list[float]]:
    """Train `model` on `loader` and return its history, a dict of lists with one entry an epoch.

    A batch is (x, y) or (x1, x2, …, y); the loss is `loss_fn(model(x), y)`, a mean over the batch. History holds
    `epoch`, `loss`, `lr` and `seconds`, and, where asked for, `metric`, `val_loss`, `val_metric`. The training
    figures are means over the epoch's batches, taken while the weights move and in training mode.

    scheduler_every: "epoch" or "batch", when `scheduler.step()` is called.
    clip: the largest norm of the gradient (torch.nn.utils.clip_grad_norm_).
    amp: mixed precision and channels-last; by default on a CUDA device and nowhere else.
    progress: a bar that disappears at the end; by default in live use only.

    Training stops early, says why, and returns the history so far when the loss becomes NaN or infinite and when
    it is interrupted. Raises ValueError for an empty loader or a wrong `scheduler_every`.
    """
    if scheduler_every not in ("epoch", "batch"):
        raise ValueError(f'scheduler_every is {scheduler_every!r}, but it must be "epoch" or "batch".')
    if len(loader) == 0:
        raise ValueError("The loader holds no batch: with drop_last, the batch size must not exceed the data.")
    if progress is None:
        progress = not common.is_static() and common.get_scale() != "smoke"
    cast = _precision(model, amp)
    history = {"epoch": [], "loss": [], "lr": [], "seconds": []}
    bar = tqdm(total=epochs * len(loader), leave=False, disable=not progress)
    try:
        for epoch in range(1, epochs + 1):
            start = time.perf_counter()
            row = {"epoch": epoch, "lr": opt.param_groups[0]["lr"]}
            per_batch = scheduler if scheduler_every == "batch" else None
            row.update(_train_epoch(model, loader, loss_fn, opt, epoch, per_batch, metric, clip, cast, bar))
            if scheduler is not None and per_batch is None:
                scheduler.step()
            if val_loader is not None:
                for name, value in evaluate(model, val_loader, loss_fn, metric).items():
                    row[f"val_{name}"] = value
            row["seconds"] = time.perf_counter() - start
            for name, value in row.items():
                history.setdefault(name, []).append(value)
    except FloatingPointError as stop:
        print(stop)
    except KeyboardInterrupt:
        print(f"Interrupted in epoch {epoch}: the history holds the {len(history['loss'])} epochs before it.")
    finally:
        bar.close()
    return history


@torch.no_grad()
def evaluate(model: nn.Module, loader: Iterable, loss_fn: Callable, metric: Metric | None = None) -> dict[str, float]:
    """Return {"loss": …} and, with a metric, {"metric": …}: means over all samples, in evaluation mode.

    The model is left in the mode in which it came.
    """
    was_training = model.training
    device = _device(model)
    model.eval()
    totals, count = {}, 0
    for batch in loader:
        *xs, y = (t.to(device, non_blocking=True) for t in batch)
        logits = model(*xs)
        n = len(y)
        totals["loss"] = totals.get("loss", 0.0) + loss_fn(logits, y) * n
        if metric is not None:
            totals["metric"] = totals.get("metric", 0.0) + metric(logits, y) * n
        count += n
    model.train(was_training)
    return {name: float(total) / count for name, total in totals.items()}


def _train_epoch(model, loader, loss_fn, opt, epoch, scheduler, metric, clip, cast, bar):
    """One pass over the loader; returns the means. Raises FloatingPointError at the first loss that is not finite."""
    model.train()
    device = _device(model)
    every = 1 if device.type == "cpu" else 20  # reading a loss makes a GPU wait, so look at blocks of them
    losses, metrics, sizes = [], [], []
    for batch in loader:
        *xs, y = (t.to(device, non_blocking=True) for t in batch)
        xs = [cast.layout(x) for x in xs]
        with cast.autocast():
            logits = model(*xs)
            loss = loss_fn(logits, y)
        losses.append(loss.detach())
        sizes.append(len(y))
        if metric is not None:
            metrics.append(metric(logits.detach(), y))
        seen = len(losses)
        if seen % every == 0 or seen == len(loader):
            _check(losses, every, epoch, opt)
        opt.zero_grad()
        cast.backward(loss)
        if clip is not None:
            cast.scaler.unscale_(opt)
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        cast.scaler.step(opt)
        cast.scaler.update()
        if scheduler is not None:
            scheduler.step()
        bar.update()
    means = {"loss": _weighted_mean(losses, sizes)}
    if metric is not None:
        means["metric"] = _weighted_mean(metrics, sizes)
    return means


def _weighted_mean(values, sizes):
    weights = torch.tensor(sizes, dtype=torch.float64)
    values = torch.stack(values).cpu().double()  # in this order: not every device has double precision
    return float(values @ weights / weights.sum())


def _check(losses, every, epoch, opt):
    recent = [float(loss) for loss in losses[-every:]]
    for i, value in enumerate(recent):
        if not math.isfinite(value):
            batch = len(losses) - len(recent) + i + 1
            raise FloatingPointError(
                f"Stopped: the loss became {value} in epoch {epoch}, batch {batch}, at learning rate "
                f"{opt.param_groups[0]['lr']:g}. A smaller learning rate or gradient clipping is the usual cure."
            )


def _device(model):
    return next(model.parameters()).device


class _Precision:
    """What mixed precision changes in a training step; on a CPU, nothing."""

    def __init__(self, device, on):
        self.device, self.on = device, on
        bf16 = on and torch.cuda.is_bf16_supported()
        self.dtype = torch.bfloat16 if bf16 else torch.float16
        self.scaler = torch.amp.GradScaler(device.type, enabled=on and not bf16)

    def autocast(self):
        return torch.autocast(self.device.type, self.dtype) if self.on else contextlib.nullcontext()

    def layout(self, x):
        return x.contiguous(memory_format=torch.channels_last) if self.on and x.ndim == 4 else x

    def backward(self, loss):
        self.scaler.scale(loss).backward()


def _precision(model, amp):
    device = _device(model)
    on = device.type == "cuda" and amp is not False
    if amp and not on:
        raise ValueError(f"amp=True needs a CUDA device, but the model is on {device.type}.")
    if on:
        model.to(memory_format=torch.channels_last)
    return _Precision(device, on)
