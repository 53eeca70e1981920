"""A statement of the lectures, the helpers and the tests does one thing; each kind that does not is seen."""

import density
import pytest
from conftest import ROOT

NOT_REWRITTEN: set[str] = set()  # modules that are denser than the limit; this list only shrinks
FOLDERS = ("utils", "tests", "book/_ext", "book/_ext/finish", "benchmarks")
MODULES = sorted(str(path.relative_to(ROOT)) for folder in FOLDERS for path in (ROOT / folder).glob("*.py"))

SMELLS = {
    "statements packed into a tuple": "a, b = f(x), g(y)",
    "a bare tuple of calls": "layers = nn.Linear(2, 3), nn.ReLU()",
    "a merge of dictionaries": "settings = base | {'lr': 0.1}",
    "an expression unpacked into a call": "walk(*zip(rows, columns))",
    "a comprehension in a comprehension": "table = [[f(i, j) for i in rows] for j in columns]",
    "an assignment inside an expression": "print(total := 3)",
    "several statements in a line": "if x: y = 1",
    "operations in one statement": "y = f(g(a) + b * c, h(d)[i + 1]) / e",
}
IDIOMS = """\\
out, (h, c) = lstm(x)
x, y = x.to(device), y.to(device)
lr, epochs = 0.1, 10
mask |= padding
both = left | right
loss = loss_fn(model(x), y)
shape = (1, *x.shape)
print(*values)
pairs = [(name, f(x)) for name, f in rules.items()]
net = nn.Sequential(
    nn.Conv2d(1, 6, 5, padding=2),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(6 * 14 * 14, 120),
    nn.ReLU(),
    nn.Linear(120, 84),
    nn.ReLU(),
    nn.Linear(84, 10),
)
for number, (x, y) in enumerate(zip(images, labels)):
    total += (model(x).argmax(dim=1) == y).sum()
"""


@pytest.mark.parametrize("smell", SMELLS)
def test_each_smell_is_seen(smell):
    assert [smell in what for _, what in density.places(SMELLS[smell])] == [True]
    assert 9 < density.density(SMELLS[smell] + "\n" + "x = 1\n" * 9) <= 10


def test_the_idioms_of_models_pass():
    assert density.places(IDIOMS) == []
    assert density.density(IDIOMS) == 0


def test_where_a_line_is_broken_makes_no_difference():
    packed = "best = min(candidates, key=lambda c: c.loss + c.penalty * len(c.rows[0].values[1:])) + f(x)"
    broken = packed.replace("candidates, ", "\n    candidates, ").replace("len(", "len(\n    ")
    assert density.density(packed) == density.density(broken) == 100


@pytest.mark.parametrize("name", MODULES)
def test_a_statement_does_one_thing(name):
    source = (ROOT / name).read_text(encoding="utf-8")
    dense = density.density(source) > density.LIMIT
    message = "\n".join(f"{name}:{line}: {what}" for line, what in density.places(source))
    if name in NOT_REWRITTEN:
        assert dense, f"{name} keeps the limit: take it off the list NOT_REWRITTEN"
    else:
        assert not dense, f"{name}: {density.density(source):.1f} dense places in 100 statements\n{message}"


def test_the_list_names_modules_that_exist():
    assert set(MODULES) >= NOT_REWRITTEN
