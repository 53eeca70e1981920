"""The task on which the part on convolutional networks compares its networks, and what a network costs."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from utils import common, data, scenes, train

TEST = 1000  # images


class Cost(NamedTuple):
    """What one image costs a network."""

    parameters: int
    multiply_adds: int
    microseconds: float


def load_task(name: str = "scratched", *, images: int = 1500) -> data.Images:
    """Return the images of the task, their pixels moved to (x − 0.5) / 0.25, on the CPU.

    "scratched": coloured shapes of 32 × 32 pixels on textured grounds, under coloured strokes; the class is the shape.
    Another name is one of `data.load`, at 32 × 32 pixels. images: how many train; at most 1,000 test.

    Raises ValueError for another name and for no image.
    """
    if images < 1:
        raise ValueError(f"images is {images}, but it must be at least 1.")
    if name == "scratched":
        source = _scratched(images)
    else:
        source = data.load(name, size=32)
    x = (source.x[:images] - 0.5) / 0.25
    x_test = (source.x_test[:TEST] - 0.5) / 0.25
    return source._replace(x=x, y=source.y[:images], x_test=x_test, y_test=source.y_test[:TEST])


def _scratched(images: int) -> data.Images:
    x, y = _draw_scratched(images, seed=0)
    x_test, y_test = _draw_scratched(TEST, seed=1)
    return data.Images(x, y, x_test, y_test, data.SHAPES, "scratched")


def _draw_scratched(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    drawn = data.shapes(n, size=32, textured=True, seed=seed)
    x = scenes.scribble(drawn.x, 4, torch.Generator().manual_seed(100 + seed))
    return x, drawn.y


def init_weights(model: nn.Module) -> None:
    """Give each convolution and each dense layer He's first weights, and zeros as bias, in place.

    See optimization/initialization-stability. Source: He et al., Delving deep into rectifiers (2015), section 2.2.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def train_net(
    make_net: Callable[[], nn.Module],
    task: data.Images,
    *,
    lr: float,
    seed: int,
    epochs: int = 8,
    batch_size: int = 32,
) -> nn.Module:
    """Build a network, give it its first weights from a seed, and train it; return it in evaluation mode.

    It is trained on the device of the task, with Adam and cross-entropy; the rate rises to `lr` during the first third
    and falls to nearly zero (one cycle). All networks and seeds see the same sequence of batches.

    Raises ValueError for no epoch.
    """
    if epochs < 1:
        raise ValueError(f"epochs is {epochs}, but it must be at least 1.")
    common.set_seed(seed)
    model = make_net()
    init_weights(model)
    model.to(task.x.device)
    loader = data.loader(task.x, task.y, batch_size=batch_size)
    opt = torch.optim.Adam(model.parameters(), lr)
    cycle = torch.optim.lr_scheduler.OneCycleLR(opt, lr, total_steps=epochs * len(loader))
    train.fit(model, loader, F.cross_entropy, opt, epochs=epochs, scheduler=cycle, scheduler_every="batch", amp=False)
    return model.eval()


def test_accuracy(model: nn.Module, task: data.Images) -> float:
    """Return the share of the test images that a network classifies right."""
    loader = data.loader(task.x_test, task.y_test, batch_size=250, shuffle=False)
    return train.evaluate(model, loader, F.cross_entropy, train.accuracy)["metric"]


def rate_scores(
    make_net: Callable[[], nn.Module],
    task: data.Images,
    rates: Sequence[float],
    *,
    seed: int = 100,
    epochs: int = 8,
    batch_size: int = 32,
) -> dict[float, float]:
    """Return the accuracy for each rate on a fifth of the training images, which is held out from this training.

    Raises ValueError for no rate, and for fewer than 5 images to train.
    """
    if not rates:
        raise ValueError("rates must name a rate or more, but it is empty.")
    if len(task.y) < 5:
        raise ValueError(f"A fifth of the images is held out, so there must be 5 or more, but there are {len(task.y)}.")
    held_out = len(task.y) // 5
    inner = task._replace(x=task.x[held_out:], y=task.y[held_out:], x_test=task.x[:held_out], y_test=task.y[:held_out])
    scores = {}
    for lr in rates:
        model = train_net(make_net, inner, lr=lr, seed=seed, epochs=epochs, batch_size=batch_size)
        scores[lr] = test_accuracy(model, inner)
    return scores


@torch.no_grad()
def multiply_adds(model: nn.Module, x: torch.Tensor) -> int:
    """Return how many multiplications with a weight one image costs, in convolutions and dense layers.

    x: a batch (B, C, H, W) of the size in question; see cnn/lenet for the count of a layer.
    """
    total = 0

    def count(module, inputs, output):
        nonlocal total
        if isinstance(module, nn.ConvTranspose2d):
            places = inputs[0][0, 0].numel()
        elif isinstance(module, nn.Conv2d):
            places = output[0, 0].numel()
        else:
            places = output[0].numel() // module.out_features
        total += module.weight.numel() * places

    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)]
    handles = [layer.register_forward_hook(count) for layer in layers]
    was_training = model.training
    model.eval()
    try:
        model(x[:1])
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    return total


@torch.no_grad()
def measure_cost(model: nn.Module, x: torch.Tensor) -> Cost:
    """Return parameters, multiply-adds an image, and the time of an image in a batch x (B, C, H, W).

    The time is the least of five runs, in evaluation mode; it depends on the machine, and is no result to print.
    """
    was_training = model.training
    model.eval()
    times = []
    try:
        for _ in range(6):  # the first one warms up
            _wait(x.device)
            start = time.perf_counter()
            model(x)
            _wait(x.device)
            times.append(time.perf_counter() - start)
    finally:
        model.train(was_training)
    microseconds = 1e6 * min(times[1:]) / len(x)
    return Cost(common.count_parameters(model), multiply_adds(model, x), microseconds)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def record_net(name: str, cost: Cost, accuracies: Sequence[float]) -> None:
    """Keep what a network costs and its test accuracies, one a seed, for the table on the part's page.

    Raises ValueError for fewer than three accuracies, unless at smoke scale.
    """
    if len(accuracies) < 3 and common.get_scale() != "smoke":
        raise ValueError(f"The table shows a spread: three accuracies or more, but there are {len(accuracies)}.")
    common.record(f"parameters: {name}", cost.parameters)
    common.record(f"multiply-adds: {name}", cost.multiply_adds)
    common.record(f"microseconds per image: {name}", cost.microseconds)
    for seed, accuracy in enumerate(accuracies):
        common.record(f"test accuracy: {name}", accuracy, seed=seed)
