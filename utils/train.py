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
EMPTY = "holds no batch: with drop_last, the batch size must not exceed the data."


def accuracy(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the share of rows of `logits` (B, K) whose largest entry is at the class `y` (B,).

    A row with NaN has no largest entry. Raises ValueError for other shapes, for one class and for no rows.
    """
    common.check_tensor("logits", logits)
    common.check_tensor("y", y)
    shapes = f"{tuple(logits.shape)} and {tuple(y.shape)}"
    if logits.ndim != 2 or y.shape != logits.shape[:1]:
        raise ValueError(f"Logits and classes must be (B, K) and (B,), but they are {shapes}.")
    if logits.shape[1] < 2 or len(y) == 0:
        raise ValueError(f"Logits (B, K) must have a row and two classes or more, but the shapes are {shapes}.")
    largest, place = logits.max(dim=1)
    right = (place == y) & ~largest.isnan()
    return right.float().mean()


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
    amp: mixed precision; by default on a CUDA device and nowhere else.
    progress: a bar that disappears at the end; by default in live use only.

    Training stops early, says why, and returns the history so far when the loss becomes NaN or infinite and when
    it is interrupted. Raises ValueError for an empty loader, a wrong `scheduler_every`, a loss that is no scalar or
    does not depend on the model, and a batch of one sample where the model needs more, as batch normalization does;
    TypeError for a loader without a length and a batch of other things than tensors, or of bytes.
    """
    if scheduler_every not in ("epoch", "batch"):
        raise ValueError(f'scheduler_every is {scheduler_every!r}, but it must be "epoch" or "batch".')
    if epochs < 0:
        raise ValueError(f"epochs is {epochs}, but it must be at least 0.")
    _check_loader("loader", loader)
    if val_loader is not None:
        _check_loader("val_loader", val_loader)
    if progress is None:
        progress = not common.is_static() and common.get_scale() != "smoke"
    cast = _Precision(_device(model), amp)
    measures = ["loss"] if metric is None else ["loss", "metric"]
    names = ["epoch", *measures, "lr", "seconds"]
    if val_loader is not None:
        names += [f"val_{name}" for name in measures]
    history = {name: [] for name in names}
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
                history[name].append(value)
    except FloatingPointError as stop:
        print(stop)
    except KeyboardInterrupt:
        done = len(history["epoch"])
        held = f"holds the {done} epochs before it" if done else "is empty"
        print(f"Interrupted in epoch {done + 1}: the history {held}.")
    finally:
        bar.close()
    return history


@torch.no_grad()
def evaluate(model: nn.Module, loader: Iterable, loss_fn: Callable, metric: Metric | None = None) -> dict[str, float]:
    """Return {"loss": …} and, with a metric, {"metric": …}: means over all samples, in evaluation mode.

    The model is left in the mode in which it came. Raises ValueError for a loader without a batch and a loss that is
    no scalar, TypeError for a batch of other things than tensors, or of bytes.
    """
    was_training = model.training
    device = _device(model)
    totals, count = {}, 0
    model.eval()
    try:
        for batch in loader:
            xs, y = _moved(batch, device)
            logits = model(*xs)
            loss = loss_fn(logits, y)
            check_loss(loss)
            n = len(y)
            totals["loss"] = totals.get("loss", 0.0) + loss * n
            if metric is not None:
                totals["metric"] = totals.get("metric", 0.0) + metric(logits, y) * n
            count += n
    finally:
        model.train(was_training)
    if count == 0:
        raise ValueError(f"The loader {EMPTY}")
    return {name: float(total) / count for name, total in totals.items()}


def check_loss(loss) -> None:
    """Raise ValueError for a loss that is not one number or, in training, has no gradient to give."""
    if not isinstance(loss, torch.Tensor) or loss.ndim > 0:
        what = f"a tensor {tuple(loss.shape)}" if isinstance(loss, torch.Tensor) else f"a {type(loss).__name__}"
        raise ValueError(f"The loss must be a scalar tensor, such as a mean over the batch, but it is {what}.")
    if torch.is_grad_enabled() and not loss.requires_grad:
        raise ValueError("The loss has no gradient: it does not depend on a parameter that is trained.")


def _check_loader(name, loader):
    try:
        empty = len(loader) == 0
    except TypeError:
        raise TypeError(
            f"The {name} must have a length and begin anew each epoch, as a DataLoader or a list of batches does, "
            f"but it is of type {type(loader).__name__}."
        ) from None
    if empty:
        raise ValueError(f"The {name} {EMPTY}")


def _moved(batch, device):
    """Return the inputs of a batch, a list, and its target, on the device."""
    if not isinstance(batch, tuple | list) or len(batch) < 2:
        raise TypeError(f"A batch must be (x, y) or (x1, x2, …, y), but it is one {type(batch).__name__}.")
    for part in batch:
        common.check_tensor("Each part of a batch", part)
    *xs, y = (part.to(device, non_blocking=True) for part in batch)
    if any(x.dtype == torch.uint8 for x in xs):
        raise TypeError("The inputs are bytes (torch.uint8), but a model computes with floats: x.float() / 255.")
    return xs, y


def _outputs(model, xs, y):
    try:
        return model(*xs)
    except ValueError as error:
        if len(y) > 1:
            raise
        cure = "another batch size or drop_last=True keeps a last batch of one sample out"
        raise ValueError(f"The model refuses a batch of one sample ({error}): {cure}.") from error


def _train_epoch(model, loader, loss_fn, opt, epoch, scheduler, metric, clip, cast, bar):
    """One pass over the loader; returns the means. Raises FloatingPointError at the first loss that is not finite."""
    model.train()
    device = _device(model)
    every = 1 if device.type == "cpu" else 20  # reading a loss makes a GPU wait, so look at blocks of them
    losses, metrics, sizes = [], [], []
    for batch in loader:
        xs, y = _moved(batch, device)
        with cast.autocast():
            logits = _outputs(model, xs, y)
            loss = loss_fn(logits, y)
        check_loss(loss)
        losses.append(loss.detach())
        sizes.append(len(y))
        if metric is not None:
            metrics.append(torch.as_tensor(metric(logits.detach(), y)))
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
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


class _Precision:
    """What mixed precision changes in a training step; on a CPU, nothing."""

    def __init__(self, device, amp):
        on = device.type == "cuda" and amp is not False
        if amp and not on:
            raise ValueError(f"amp=True needs a CUDA device, but the model is on {device.type}.")
        self.device, self.on = device, on
        bf16 = on and torch.cuda.is_bf16_supported(including_emulation=False)  # older GPUs emulate it, slowly
        self.dtype = torch.bfloat16 if bf16 else torch.float16
        self.scaler = torch.amp.GradScaler(device.type, enabled=on and not bf16)

    def autocast(self):
        return torch.autocast(self.device.type, self.dtype) if self.on else contextlib.nullcontext()

    def backward(self, loss):
        self.scaler.scale(loss).backward()
