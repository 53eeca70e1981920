"""The helpers on a device that is not the processor: a pretend one, with the rules of Apple's MPS or of CUDA."""

import matplotlib.pyplot as plt
import pytest
import torch
import torch.nn.functional as F
from pretend import Device
from torch import nn

from utils import common, data, diffusion, models, plot, train


@pytest.fixture
def mps():
    with Device("mps") as device:
        yield device


@pytest.fixture
def cuda():
    with Device("cuda") as device:
        yield device


def problem(device):
    torch.manual_seed(0)
    x = torch.randn(20, 2).to(device)
    y = (x[:, 0] > 0).long()
    model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2)).to(device)
    return model, x, y


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: x + torch.ones(3),
        lambda x: x.double(),
        lambda x: x.to(torch.float64),
        lambda x: torch.ones(3, dtype=torch.float64, device=x.device),
        lambda x: torch.ones(3)[x.long()],
        lambda x: x.numpy(),
        lambda x: (
            torch.rand(3, generator=torch.Generator(), device=x.device)
            + x.clone().uniform_(generator=torch.Generator())
        ),
    ],
)
def test_the_pretend_device_keeps_its_rules(mps, wrong):
    x = torch.zeros(3, device=mps)
    with pytest.raises((RuntimeError, TypeError)):
        wrong(x)


def test_the_pretend_device_is_left_by_a_copy(mps):
    model = nn.Linear(3, 1).to(mps)
    x = torch.ones(2, 3).to(mps)
    out = model(x).sum()
    out.backward()
    assert x.device == model.weight.device == model.weight.grad.device == out.device == mps
    assert x.cpu().device.type == "cpu" and x.cpu().double().numpy().sum() == 6
    assert (x[0] + torch.tensor(1.0)).device == x[torch.tensor([0])].device == x.long()[torch.tensor([0])].device == mps
    assert F.one_hot(x.long(), 3).device == mps


@pytest.mark.parametrize("where", ["cpu", "mps"])
def test_fit_takes_its_batches_from_anywhere(mps, where):
    model, x, y = problem(mps)
    held = data.loader(x.to(where), y.to(where), batch_size=8)
    opt = torch.optim.AdamW(model.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 2)
    history = train.fit(
        model,
        held,
        F.cross_entropy,
        opt,
        epochs=2,
        scheduler=scheduler,
        val_loader=held,
        metric=train.accuracy,
        clip=1.0,
    )
    assert all(len(values) == 2 for values in history.values())


def test_a_number_is_recorded(mps, monkeypatch):
    monkeypatch.setattr(common, "display", lambda *shown, **more: None)
    common.record("accuracy", torch.tensor(0.5, device=mps))


def test_training_the_judge_and_the_distance(mps):
    images = data.digits(8)
    few = images._replace(x=images.x[:80], y=images.y[:80])
    read = diffusion.train_judge(few, mps, rounds=1)
    f, p = read(2 * images.x_test.to(mps) - 1)
    assert f.device == p.device == mps
    assert diffusion.frechet(f, f + 1) == pytest.approx(84, rel=1e-3)
    assert read(2 * images.x_test - 1)[0].device == mps


def test_diffusion_is_trained_and_sampled(mps):
    alpha_bar = diffusion.cosine_schedule(20)
    net = models.UNet(widths=(4, 8)).to(mps)
    x0 = torch.randn(4, 1, 8, 8).to(mps)

    def loss():
        t = torch.randint(1, 21, (4,))
        x_t, v = diffusion.diffuse(x0, t, alpha_bar)
        return F.mse_loss(net(x_t, t.to(mps)), v)

    ema, losses = diffusion.train_ema(net, loss, steps=3, lr=1e-3)
    denoise = diffusion.denoiser(ema, alpha_bar)
    for rule in (diffusion.ancestral, diffusion.ddim):
        x = diffusion.sample(denoise, torch.randn_like(x0), alpha_bar, steps=3, rule=rule, clip=True)
        assert x.device == mps
    assert len(losses) == 3


def test_the_classifier_of_an_image(mps):
    assert models.LeNet().to(mps)(torch.zeros(2, 1, 28, 28, device=mps)).device == mps


def test_figures(mps):
    model, x, y = problem(mps)
    _, ax = plt.subplots()
    values = torch.rand(4, 8, 8, device=mps)
    plot.boundary(model, x, y, ax)  # the model's device
    plot.boundary(model, x.cpu(), y.cpu(), ax)
    plot.boundary(lambda points: model(points), x, y, ax)  # that of the points
    plot.curves({"losses": [loss for loss in values[0, 0]]}, ax)
    plot.image_grid(values, ax)
    plot.heatmap(values[0], ax)
    plot.contour(lambda a, b: a * b, ax, xlim=(0, 1), ylim=(0, 1), paths={"walk": [x[0], x[1]]})
    plot.layer_histograms({"layer": values}, ax)
    plot.diagram(
        {"x": (0, 0, "x"), "output": (1, 0, "y")},
        [["x", "output"]],
        model=models.LeNet().to(mps),
        inputs=torch.zeros(2, 1, 28, 28),
    )
    plt.close()


def test_a_loader_of_two_devices_says_so(mps):
    with pytest.raises(ValueError, match="on one device, but they are on mps, cpu"):
        data.loader(torch.zeros(4, device=mps), torch.zeros(4), batch_size=2)


class Volumes(nn.Module):
    """A model with a 5-D weight, and one with a view after a convolution."""

    def __init__(self):
        super().__init__()
        self.conv3 = nn.Conv3d(1, 2, 3, padding=1)
        self.conv2 = nn.Conv2d(2, 3, 3, padding=1)
        self.out = nn.Linear(3 * 16, 2)

    def forward(self, x):
        h = self.conv3(x[:, :, None])[:, :, 0]
        return self.out(self.conv2(h).view(len(x), -1))


@pytest.mark.filterwarnings("ignore:.*CUDA is not available")
def test_mixed_precision_leaves_the_layout_alone(cuda):
    model = Volumes().to(cuda)
    batch = (torch.randn(4, 1, 4, 4), torch.tensor([0, 1, 0, 1]))
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    history = train.fit(model, [batch], F.cross_entropy, opt, epochs=1)
    assert len(history["loss"]) == 1


@pytest.mark.parametrize("has_bf16", [True, False])
@pytest.mark.filterwarnings("ignore:.*CUDA is not available")
def test_bfloat16_where_the_hardware_has_it(monkeypatch, has_bf16):
    def supported(including_emulation=True):
        return has_bf16 or including_emulation  # a T4 emulates it, slowly

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    cast = train._Precision(torch.device("cuda"), None)
    assert cast.dtype == (torch.bfloat16 if has_bf16 else torch.float16)
