"""Scale, device and seed: the three things that differ between a laptop, the tests and a GPU."""

import os
import random
from typing import TypeVar

import numpy as np
import torch
from IPython.display import HTML, display
from torch import nn

SCALES = ("smoke", "book", "full")
T = TypeVar("T")


def get_scale() -> str:
    """Return the scale in force: the variable BOOK_SCALE, else "full" with a CUDA GPU and "book" without.

    Raises ValueError for a scale that is not "smoke", "book" or "full".
    """
    scale = os.environ.get("BOOK_SCALE") or ("full" if torch.cuda.is_available() else "book")
    if scale not in SCALES:
        raise ValueError(f"BOOK_SCALE is {scale!r}, but the scales are 'smoke', 'book' and 'full'.")
    return scale


def pick(*, smoke: T, book: T, full: T) -> T:
    """Return the value for the scale in force; the one switch between a quick test and a full-size run."""
    return {"smoke": smoke, "book": book, "full": full}[get_scale()]


def is_static() -> bool:
    """Say whether the website is being built (BOOK_STATIC=1): then explorers hold all their frames."""
    return os.environ.get("BOOK_STATIC") == "1"


def get_device() -> torch.device:
    """Return the fastest device present (CUDA, then Apple's MPS, then the CPU), or the one that BOOK_DEVICE names.

    Raises ValueError when BOOK_DEVICE names a device that this machine does not have.
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    wanted = os.environ.get("BOOK_DEVICE")
    if wanted and not present.get(wanted, False):
        here = ", ".join(name for name, found in present.items() if found)
        raise ValueError(f"BOOK_DEVICE is {wanted!r}, but this machine has: {here}.")
    return torch.device(wanted or next(name for name, found in present.items() if found))


def set_seed(seed: int) -> torch.Generator:
    """Seed Python, NumPy and PyTorch; return a CPU generator with the same seed for functions that take one."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - for libraries that draw from the global state
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed)


def count_parameters(model: nn.Module) -> int:
    """Return the number of trainable scalars in a model; a tensor used in two places counts once."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def record(name: str, value: float, *, seed: int | None = None) -> None:
    """Keep a result for the page of this lecture's part, which gathers what its lectures recorded; show nothing.

    name: what was measured, and of what, such as "test accuracy: Adam". seed: the seed of the run, where there are
    several. Source of the table: the mark `results` on the part's page.

    Raises TypeError for a value that is not one number.
    """
    if isinstance(value, torch.Tensor):
        value = value.detach()
    try:
        number = float(value)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"A record is one number, but {name!r} has the value {value!r}.") from None
    entry = {"name": name, "value": number, "seed": seed}
    display(HTML(""), metadata={"book_record": entry})


def check_tensor(name: str, value) -> None:
    """Raise TypeError, with the name of the argument, for what is not a tensor."""
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"{name} must be a tensor, but it is of type {type(value).__name__}.")
