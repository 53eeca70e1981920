"""Image and toy data sets as tensors, and the loader that makes batches of them."""

import functools
from typing import NamedTuple

import sklearn.datasets
import torch
import torch.nn.functional as F
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, SequentialSampler, TensorDataset


class Images(NamedTuple):
    """An image data set: pixels in [0, 1], classes as integers, and where they came from."""

    x: torch.Tensor  # (N, C, H, W), float32
    y: torch.Tensor  # (N,), int64
    x_test: torch.Tensor  # (M, C, H, W), float32
    y_test: torch.Tensor  # (M,), int64
    classes: tuple[str, ...]  # the name of each class
    name: str  # the data set that was in fact loaded


def load(name: str, *, size: int = 28) -> Images:
    """Return the images `name`: "digits", "shapes", "mnist", "fashion_mnist" or "cifar10", at size × size pixels.

    The first two are embedded. The others are downloaded once and verified; where that fails, one sentence says why,
    and the embedded stand-in (digits, or shapes for CIFAR-10) is returned instead: look at `.name`.
    """
    if name == "digits":
        return digits(size)
    raise NotImplementedError


def digits(size: int = 8) -> Images:
    """Return scikit-learn's 1,797 handwritten digits (8 × 8), 1,437 to train and 360 to test, resampled to `size`.

    The split is stratified by nothing but fixed: every fifth image of a fixed shuffle is a test image.
    """
    images, labels = _raw_digits()
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    x = images if size == 8 else F.interpolate(images, size=(size, size), mode="bilinear", align_corners=False)
    test, train = order[:360], order[360:]
    return Images(x[train], labels[train], x[test], labels[test], tuple("0123456789"), "digits")


@functools.cache
def _raw_digits():
    raw = sklearn.datasets.load_digits()
    return torch.tensor(raw.images / 16, dtype=torch.float32)[:, None], torch.tensor(raw.target, dtype=torch.int64)


def loader(
    *tensors: torch.Tensor, batch_size: int, shuffle: bool = True, drop_last: bool = False, seed: int = 0
) -> DataLoader:
    """Return a DataLoader over tensors (N, …) of equal length that picks whole batches by index.

    A standard `torch.utils.data.DataLoader`, several times faster than one that gathers sample by sample: its sampler
    yields lists of indices, and `batch_size=None` passes each list to the data set at once. The order of each pass
    follows from `seed` and differs from pass to pass.
    """
    if len({len(t) for t in tensors}) != 1:
        raise ValueError(f"The tensors must have equal, non-zero number: lengths are {[len(t) for t in tensors]}.")
    data = TensorDataset(*tensors)
    generator = torch.Generator().manual_seed(seed)
    order = RandomSampler(data, generator=generator) if shuffle else SequentialSampler(data)
    return DataLoader(data, sampler=BatchSampler(order, batch_size, drop_last), batch_size=None, generator=generator)
