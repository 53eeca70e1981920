"""The training loop and the loader against what one would write without them, and the cost of imports."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from utils import data, train  # noqa: E402 - the path is set above
from utils.models import LeNet  # noqa: E402


def compare(first, second, runs=9):
    """Run two functions in turn; return their median seconds and the median of the ratios pair by pair."""
    times = []
    for i in range(runs + 1):
        pair = []
        for function in (first, second) if i % 2 else (second, first):
            start = time.perf_counter()
            function()
            pair.append(time.perf_counter() - start)
        times.append(pair if i % 2 else pair[::-1])
    times = times[1:]  # the first pair warms up
    ratio = statistics.median(a / b for a, b in times)
    return statistics.median(a for a, _ in times), statistics.median(b for _, b in times), ratio


def with_fit(x, y, epochs=2):
    torch.manual_seed(0)
    model = LeNet()
    opt = torch.optim.Adam(model.parameters(), lr=2e-3)
    train.fit(model, data.loader(x, y, batch_size=64), F.cross_entropy, opt, epochs=epochs, progress=False)


def by_hand(x, y, epochs=2):
    torch.manual_seed(0)
    model = LeNet()
    opt = torch.optim.Adam(model.parameters(), lr=2e-3)
    loader, history = data.loader(x, y, batch_size=64), []
    for _ in range(epochs):
        total = 0.0
        for xb, yb in loader:
            loss = F.cross_entropy(model(xb), yb)
            opt.zero_grad()
            loss.backward()
            opt.step()
            total += loss.item() * len(yb)
        history.append(total / len(x))


class PerImage(Dataset):
    """What the usual tutorial does: an image object and a chain of transforms for each sample."""

    def __init__(self, x, y):
        from torchvision.transforms import v2

        self.images = [v2.functional.to_pil_image(image) for image in x]
        self.y = y.tolist()
        self.change = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.change(self.images[i]), self.y[i]


def drain(loader, passes=5):
    for _ in range(passes):
        for _ in loader:
            pass


def import_seconds(statement):
    code = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT) for _ in range(4)]
    return statistics.median(float(run.stdout) for run in runs[1:])


def tables():
    torch.set_num_threads(1)
    digits = data.digits(28)
    x, y = digits.x, digits.y
    ours, other, ratio = compare(lambda: with_fit(x, y), lambda: by_hand(x, y))
    yield (
        "fit against the loop written by hand (LeNet on digits)",
        ["fit, s", "by hand, s", "ratio"],
        [[ours, other, ratio]],
    )

    loader = data.loader(x, y, batch_size=64)
    rows = []
    rivals = {"DataLoader(TensorDataset)": TensorDataset(x, y), "per-image transforms": PerImage(x, y)}
    for name, dataset in rivals.items():
        rival = DataLoader(dataset, batch_size=64, shuffle=True)
        passes = 5 if name.startswith("Data") else 1
        ours, other, _ = compare(lambda p=passes: drain(loader, p), lambda r=rival, p=passes: drain(r, p), runs=5)
        rows.append([name, other / passes, ours / passes, other / ours])
    yield "data.loader, one pass over 1,437 images of 28 × 28", ["rival", "rival, s", "loader, s", "times faster"], rows

    statements = [
        "import torch",
        "import torchvision",
        *(f"import utils.{m}" for m in ("common", "data", "train", "plot", "widgets")),
    ]
    yield "Imports, each in a new process", ["statement", "s"], [[s, import_seconds(s)] for s in statements]
