"""utils.diffusion: equal to what the lectures build, and its errors."""

import pytest
import torch
import torch.nn.functional as F
from test_models import from_lecture

from utils import data, diffusion

DDPM = "diffusion/ddpm"


@pytest.fixture(scope="module")
def built():
    return from_lecture(DDPM)


@pytest.fixture(scope="module")
def alpha_bar():
    return diffusion.cosine_schedule(1000)


def test_schedule(built, alpha_bar):
    torch.testing.assert_close(built["cosine_schedule"](1000), alpha_bar, rtol=0, atol=0)
    assert alpha_bar.shape == (1001,) and alpha_bar.dtype == torch.float64 and alpha_bar[0] == 1
    assert (alpha_bar.diff() < 0).all() and 0 < alpha_bar[-1] < 1e-6
    kept = alpha_bar[1:] / alpha_bar[:-1]
    assert (1 - kept).max() <= 0.999 + 1e-12


@pytest.mark.parametrize("shape", [(5,), (5, 2), (5, 1, 4, 4)])
def test_diffuse(built, alpha_bar, shape):
    x0 = torch.randn(shape)
    t = torch.tensor([1, 10, 400, 999, 1000])
    results = []
    for f in (built["diffuse"], diffusion.diffuse):
        torch.manual_seed(3)
        results.append(f(x0, t, alpha_bar))
    torch.testing.assert_close(results[0], results[1])
    x_t, v = results[1]
    a = beside(alpha_bar[t].float(), x0)
    clean = a.sqrt() * x_t - (1 - a).sqrt() * v
    torch.testing.assert_close(clean, x0, atol=1e-5, rtol=1e-5)


def beside(values, x):
    """Give values (B,) as many dimensions as x (B, …) has."""
    ones = [1] * (x.ndim - 1)
    return values.view(-1, *ones)


def _toy(x, t, *given):
    return 0.3 * x + beside(t, x) / 1000 + sum(given)


@pytest.mark.parametrize("rule", ["ancestral", "ddim"])
@pytest.mark.parametrize("clip", [False, True])
def test_denoiser_rules_and_sample(built, alpha_bar, rule, clip):
    results = []
    for f in (built, vars(diffusion)):
        torch.manual_seed(0)
        x = torch.randn(6, 3)
        denoise = f["denoiser"](_toy, alpha_bar)
        step = f.get(rule, getattr(diffusion, rule))  # ddpm builds the first, ddim-samplers the second
        results.append(f["sample"](denoise, x, alpha_bar, steps=7, rule=step, clip=clip))
    torch.testing.assert_close(*results)


def test_a_walk_leaves_a_trace_and_a_model_gets_what_is_given(alpha_bar):
    trace = []
    denoise = diffusion.denoiser(_toy, alpha_bar, torch.tensor(0.1))
    diffusion.sample(denoise, torch.randn(6, 3), alpha_bar, steps=7, trace=trace)
    assert [t for t, _, _ in trace] == [1000, 857, 714, 571, 429, 286, 143]
    without = diffusion.denoiser(_toy, alpha_bar)
    t, x, x0_hat = trace[3]
    torch.testing.assert_close(x0_hat, denoise(x, t))
    torch.testing.assert_close(without(x, t) - x0_hat, torch.full_like(x, 0.1 * (1 - alpha_bar[t].item()) ** 0.5))


def test_ddim_without_noise_follows_the_marginals(alpha_bar):
    a, a_next = alpha_bar[600].item(), alpha_bar[200].item()
    x0, eps = torch.randn(2, 50, dtype=torch.float64)
    x_t = a**0.5 * x0 + (1 - a) ** 0.5 * eps
    x = diffusion.ddim(x_t, x0, a, a_next)
    expected = a_next**0.5 * x0 + (1 - a_next) ** 0.5 * eps
    torch.testing.assert_close(x, expected)
    torch.testing.assert_close(diffusion.ddim(x, x0, a_next, 1.0), x0)
    torch.testing.assert_close(diffusion.ancestral(x, x0, a_next, 1.0, 5.0), x0)


def _train(function, steps, **more):
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 1)
    x = torch.randn(64, 3)
    loss = lambda: F.mse_loss(model(x[torch.randint(64, (16,))]), x[:16, :1])  # noqa: E731
    return model, *function(model, loss, steps=steps, lr=1e-2, **more)


def test_training_is_that_of_the_lecture(built):
    ours = _train(built["train_ema"], 40)
    theirs = _train(diffusion.train_ema, 40)
    for a, b in zip(ours[:2], theirs[:2]):
        torch.testing.assert_close(a.state_dict(), b.state_dict())
    torch.testing.assert_close(torch.tensor(ours[2]), torch.tensor(theirs[2]))
    model, ema, losses = theirs
    assert len(losses) == 40 and not ema.training and not torch.equal(model.weight, ema.weight)


@pytest.mark.parametrize("steps", [2, 3, 20, 21])
def test_training_of_few_steps(steps):
    assert len(_train(diffusion.train_ema, steps)[2]) == steps


def test_the_average_has_the_statistics_of_the_model():
    model = torch.nn.BatchNorm1d(3)
    x = torch.randn(64, 3) + 5
    ema, _ = diffusion.train_ema(model, lambda: (model(x) - x).square().mean(), steps=30, lr=1e-2)
    torch.testing.assert_close(ema.running_mean, model.running_mean)
    assert ema.running_mean.min() > 4 and ema.num_batches_tracked == 30


def test_training_stops_with_a_sentence(capsys):
    model = torch.nn.Linear(2, 1)
    count = []

    def loss():
        count.append(1)
        factor = float("nan") if len(count) > 60 else 1
        return factor * model(torch.ones(1, 2)).sum()

    ema, losses = diffusion.train_ema(model, loss, steps=500, lr=1e-3)
    assert len(losses) == 100 and "Stopped: the loss became nan before update 100" in capsys.readouterr().out
    with pytest.raises(ValueError, match="steps is 1, but it must be at least 2"):
        diffusion.train_ema(model, loss, steps=1, lr=1e-3)

    def interrupted():
        count.append(1)
        if len(count) > 120:
            raise KeyboardInterrupt
        return model(torch.ones(1, 2)).sum()

    model = torch.nn.Linear(2, 1)
    diffusion.train_ema(model, interrupted, steps=500, lr=1e-3)
    assert "Interrupted after 20 of 500 updates." in capsys.readouterr().out


def test_an_interrupt_before_the_first_update(capsys):
    model = torch.nn.Linear(2, 1)

    def interrupted():
        raise KeyboardInterrupt

    ema, losses = diffusion.train_ema(model, interrupted, steps=5, lr=1e-3)
    assert losses == [] and torch.equal(ema.weight, model.weight)
    assert "Interrupted after 0 of 5 updates." in capsys.readouterr().out


@pytest.mark.parametrize("first", [1, 7])
def test_a_loss_that_is_nan_in_a_short_training_is_said(capsys, first):
    count = []

    def loss():
        count.append(1)
        return model(torch.ones(1, 2)).sum() * (float("nan") if len(count) >= first else 1)

    model = torch.nn.Linear(2, 1)
    diffusion.train_ema(model, loss, steps=9, lr=1e-3)
    assert f"Stopped: the loss became nan before update {1 if first == 1 else 9};" in capsys.readouterr().out


def test_frechet_distance_of_known_gaussians():
    torch.manual_seed(0)
    f = torch.randn(500, 3, dtype=torch.float64) @ torch.randn(3, 3).double() + 1
    assert abs(diffusion.frechet(f, f)) < 1e-9
    assert diffusion.frechet(f, f + torch.tensor([3.0, 0, 4.0])) == pytest.approx(25)
    expected = f.mean(0).square().sum() + f.T.cov().trace()  # the covariances are C and 4 C
    assert diffusion.frechet(f, 2 * f) == pytest.approx(float(expected))


def test_judge_reads_images_of_every_size():
    images = data.digits(8)
    read = diffusion.train_judge(images, torch.device("cpu"), rounds=2)
    f, p = read(2 * images.x_test - 1)
    assert f.shape == (360, 84) and p.shape == (360, 10)
    torch.testing.assert_close(p.sum(1), torch.ones(360))
    assert (p.argmax(1) == images.y_test).float().mean() > 0.9
    assert read(torch.zeros(3, 1, 16, 16))[1].shape == (3, 10)
