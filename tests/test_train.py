"""utils.train: fit against a loop written by hand, and what happens when something goes wrong."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from utils import data, train


def problem(seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(70, 5, generator=generator)
    y = (x[:, 0] > 0).long()
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Dropout(0.1), nn.Linear(8, 2))
    return model, x, y


def test_fit_is_the_loop_one_would_write():
    model, x, y = problem()
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    history = train.fit(model, data.loader(x, y, batch_size=16), F.cross_entropy, opt, epochs=3, metric=train.accuracy)

    twin, x, y = problem()
    opt = torch.optim.SGD(twin.parameters(), lr=0.1)
    losses, right = [], []
    loader = data.loader(x, y, batch_size=16)
    for _ in range(3):
        total = hits = 0
        for xb, yb in loader:
            logits = twin(xb)
            loss = F.cross_entropy(logits, yb)
            opt.zero_grad()
            loss.backward()
            opt.step()
            total += loss.item() * len(yb)
            hits += (logits.argmax(1) == yb).sum().item()
        losses.append(total / 70)
        right.append(hits / 70)
    for p, q in zip(model.parameters(), twin.parameters()):
        torch.testing.assert_close(p, q, rtol=0, atol=0)
    assert history["loss"] == pytest.approx(losses)
    assert history["metric"] == pytest.approx(right)
    assert history["epoch"] == [1, 2, 3] and len(history["seconds"]) == 3


def test_fit_learns_validates_and_schedules():
    model, x, y = problem()
    opt = torch.optim.Adam(model.parameters(), lr=0.05)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(opt, 0.5)
    loader = data.loader(x, y, batch_size=32)
    held = data.loader(x, y, batch_size=70, shuffle=False)
    history = train.fit(
        model, loader, F.cross_entropy, opt, epochs=4, scheduler=scheduler, val_loader=held, metric=train.accuracy
    )
    assert history["lr"] == pytest.approx([0.05, 0.025, 0.0125, 0.00625])
    assert history["val_loss"][-1] < history["val_loss"][0]
    assert set(history) == {"epoch", "lr", "seconds", "loss", "metric", "val_loss", "val_metric"}


def test_a_scheduler_can_step_after_each_batch():
    model, x, y = problem()
    opt = torch.optim.SGD(model.parameters(), lr=1.0)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(opt, 0.5)
    loader = data.loader(x, y, batch_size=35)  # two batches an epoch
    history = train.fit(model, loader, F.cross_entropy, opt, epochs=2, scheduler=scheduler, scheduler_every="batch")
    assert history["lr"] == [1.0, 0.25]


def test_clipping_bounds_the_step():
    model, x, y = problem()
    before = torch.cat([p.detach().flatten().clone() for p in model.parameters()])
    opt = torch.optim.SGD(model.parameters(), lr=1.0)
    train.fit(model, data.loader(x, y, batch_size=70), F.cross_entropy, opt, epochs=1, clip=0.01)
    step = torch.cat([p.detach().flatten() for p in model.parameters()]) - before
    assert 0 < step.norm() <= 0.0101


def test_several_inputs_reach_the_model():
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(0.0))

        def forward(self, a, b):
            return self.scale * (a + b)

    model, a, b = Sum(), torch.ones(8, 1), torch.ones(8, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    train.fit(model, data.loader(a, b, 6 * torch.ones(8, 1), batch_size=8), F.mse_loss, opt, epochs=50)
    assert model.scale.item() == pytest.approx(3.0, abs=1e-3)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_and_says_where(capsys, bad):
    model, x, y = problem()
    calls = []

    def loss_fn(logits, y):
        calls.append(1)
        return F.cross_entropy(logits, y) * (bad if len(calls) == 8 else 1.0)  # 5 batches an epoch: epoch 2, batch 3

    opt = torch.optim.SGD(model.parameters(), lr=0.125)
    history = train.fit(model, data.loader(x, y, batch_size=16), loss_fn, opt, epochs=5)
    said = capsys.readouterr().out
    assert f"became {bad} in epoch 2, batch 3, at learning rate 0.125" in said
    assert history["epoch"] == [1] and len(history["loss"]) == 1
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_an_interrupt_returns_the_history_so_far(capsys):
    model, x, y = problem()
    calls = []

    def loss_fn(logits, y):
        calls.append(1)
        if len(calls) == 12:
            raise KeyboardInterrupt
        return F.cross_entropy(logits, y)

    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    history = train.fit(model, data.loader(x, y, batch_size=16), loss_fn, opt, epochs=5)
    assert "Interrupted in epoch 3" in capsys.readouterr().out
    assert history["epoch"] == [1, 2]


def test_an_interrupt_before_the_first_epoch_is_over(capsys):
    model, x, y = problem()

    def loss_fn(logits, y):
        raise KeyboardInterrupt

    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    loader = data.loader(x, y, batch_size=16)
    history = train.fit(model, loader, loss_fn, opt, epochs=5, val_loader=loader, metric=train.accuracy)
    assert capsys.readouterr().out == "Interrupted in epoch 1: the history is empty.\n"
    assert set(history) == {"epoch", "lr", "seconds", "loss", "metric", "val_loss", "val_metric"}
    assert not any(history.values())


def test_batch_normalization_refuses_a_last_batch_of_one():
    model, x, y = problem()
    model = nn.Sequential(nn.Linear(5, 2), nn.BatchNorm1d(2))
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match=r"refuses a batch of one sample .* drop_last=True"):
        train.fit(model, data.loader(x[:65], y[:65], batch_size=16), F.cross_entropy, opt, epochs=1)
    train.fit(model, data.loader(x[:65], y[:65], batch_size=16, drop_last=True), F.cross_entropy, opt, epochs=1)


def test_a_metric_may_be_a_plain_number():
    model, x, y = problem()
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    loader = data.loader(x, y, batch_size=16)
    history = train.fit(model, loader, F.cross_entropy, opt, epochs=1, val_loader=loader, metric=lambda a, y: 0.5)
    assert history["metric"] == history["val_metric"] == [0.5]


def test_an_error_while_evaluating_leaves_the_mode():
    model, x, y = problem()
    model.train()
    with pytest.raises(RuntimeError):
        train.evaluate(model, [(x[:, :3], y)], F.cross_entropy)
    assert model.training


def test_an_error_of_the_model_is_not_swallowed():
    model, x, y = problem()
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(RuntimeError, match="shapes"):
        train.fit(model, data.loader(x[:, :3], y, batch_size=16), F.cross_entropy, opt, epochs=1)


def test_bad_input_gets_one_sentence():
    model, x, y = problem()
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    loader = data.loader(x, y, batch_size=16)
    with pytest.raises(ValueError, match='"epoch" or "batch"'):
        train.fit(model, loader, F.cross_entropy, opt, epochs=1, scheduler_every="step")
    with pytest.raises(ValueError, match="holds no batch"):
        train.fit(model, data.loader(x, y, batch_size=99, drop_last=True), F.cross_entropy, opt, epochs=1)
    with pytest.raises(ValueError, match="needs a CUDA device"):
        train.fit(model, loader, F.cross_entropy, opt, epochs=1, amp=True)


def test_evaluate_weighs_samples_and_keeps_the_mode():
    model, x, y = problem()
    model.train()
    whole = train.evaluate(model, data.loader(x, y, batch_size=70, shuffle=False), F.cross_entropy, train.accuracy)
    parts = train.evaluate(model, data.loader(x, y, batch_size=32, shuffle=False), F.cross_entropy, train.accuracy)
    assert parts == pytest.approx(whole)
    assert model.training
    model.eval()
    with torch.no_grad():
        assert whole["loss"] == pytest.approx(F.cross_entropy(model(x), y).item())


def test_the_progress_bar_leaves_nothing(capsys):
    model, x, y = problem()
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    train.fit(model, data.loader(x, y, batch_size=16), F.cross_entropy, opt, epochs=1)
    shown = capsys.readouterr()
    assert shown.out == shown.err == ""
