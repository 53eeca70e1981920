"""utils.nets: the task, the training, and what is counted."""

import pytest
import torch
from torch import nn

from utils import common, models, nets


@pytest.fixture(scope="module")
def task():
    return nets.load_task(images=60)


def small_net():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4)
    )


def test_the_task(task):
    assert task.x.shape == (60, 3, 32, 32) and task.x_test.shape == (1000, 3, 32, 32)
    assert task.x.min() >= -2 and task.x.max() <= 2
    assert task.classes == ("circle", "square", "triangle", "star") and task.name == "scratched"
    more = nets.load_task(images=80)
    # more images to train leave those that test as they are
    assert torch.equal(more.x_test, task.x_test) and torch.equal(more.y_test, task.y_test)


def test_another_data_set_is_moved_alike():
    digits = nets.load_task("digits", images=10)
    assert digits.x.shape == (10, 1, 32, 32) and digits.x.min() == -2 and len(digits.y_test) == 360


def test_first_weights_are_he_s():
    layer = nn.Conv2d(64, 64, 3)
    torch.manual_seed(0)
    nets.init_weights(layer)
    assert layer.weight.std().item() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.02)
    assert layer.bias.abs().max() == 0


def test_a_training_can_be_repeated(task):
    one, other, third = (nets.train_net(small_net, task, lr=1e-2, seed=seed, epochs=2) for seed in (3, 3, 4))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters()))
    assert not torch.equal(one[0].weight, third[0].weight)
    assert not one.training


def test_a_network_learns_and_its_accuracy_is_counted(task):
    inner = task._replace(x_test=task.x, y_test=task.y)
    trained = nets.train_net(small_net, inner, lr=3e-2, seed=0, epochs=20)
    found = nets.test_accuracy(trained, inner)
    right = trained(task.x).argmax(dim=1) == task.y
    assert found == pytest.approx(right.float().mean().item()) and found > 0.4


def test_rates_are_scored_on_images_held_out(task, monkeypatch):
    seen = []
    monkeypatch.setattr(nets, "train_net", lambda make, inner, **more: seen.append(inner) or make().eval())
    scores = nets.rate_scores(small_net, task, [1e-3, 1e-2])
    assert list(scores) == [1e-3, 1e-2]
    for inner in seen:
        assert torch.equal(inner.x, task.x[12:]) and torch.equal(inner.y_test, task.y[:12])


def test_multiply_adds_are_those_of_lenet():
    net = models.LeNet()
    x = torch.zeros(2, 1, 28, 28)
    # cnn/lenet: C1, C3, C5, F6 and the output
    by_hand = 6 * 25 * 28**2 + 16 * 150 * 10**2 + 400 * 120 + 120 * 84 + 84 * 10
    assert nets.multiply_adds(net, x) == by_hand
    turned = nn.ConvTranspose2d(3, 2, 4, stride=2, padding=1)
    assert nets.multiply_adds(turned, torch.zeros(1, 3, 8, 8)) == 3 * 2 * 16 * 64
    per_place = nn.Linear(3, 5)
    assert nets.multiply_adds(per_place, torch.zeros(2, 7, 3)) == 3 * 5 * 7


def test_cost(task):
    net = small_net().train()
    cost = nets.measure_cost(net, task.x[:8])
    assert cost.parameters == common.count_parameters(net)
    assert cost.multiply_adds == 27 * 4 * 256 + 16
    assert 0 < cost.microseconds < 1e6
    assert net.training


def test_a_network_is_recorded(monkeypatch):
    kept = []
    monkeypatch.setattr(common, "record", lambda name, value, seed=None: kept.append((name, value, seed)))
    nets.record_net("LeNet", nets.Cost(10, 20, 1.5), [0.5, 0.6, 0.7])
    assert kept[:3] == [
        ("parameters: LeNet", 10, None),
        ("multiply-adds: LeNet", 20, None),
        ("microseconds per image: LeNet", 1.5, None),
    ]
    assert kept[3:] == [("test accuracy: LeNet", value, seed) for seed, value in enumerate([0.5, 0.6, 0.7])]
