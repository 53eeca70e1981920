"""utils.hundred: the task that its lecture builds, its draws, and its errors."""

import statistics

import pytest
import torch
from test_models import from_lecture

from utils import data, hundred

LECTURE = "regularization/overfitting-validation"


@pytest.fixture(scope="module")
def source():
    return data.load("digits")


@pytest.fixture(scope="module")
def built():
    return from_lecture(LECTURE)


def test_both_definitions_are_equal(built, source):
    for one, other in zip(built["draw_hundred"](source, 3), hundred.draw_hundred(source, 3), strict=True):
        assert torch.equal(one, other)
    torch.manual_seed(0)
    made = built["make_network"]()
    torch.manual_seed(0)
    kept = hundred.make_network()
    assert str(made) == str(kept)
    for one, other in zip(made.parameters(), kept.parameters(), strict=True):
        assert torch.equal(one, other)
    y = torch.arange(10).repeat(50)
    labels = [mess_up(y, torch.Generator().manual_seed(0)) for mess_up in (built["mess_up"], hundred.mess_up)]
    assert torch.equal(*labels)
    assert LECTURE.partition("/")[2] in hundred.__doc__


def test_a_draw_parts_the_images(source):
    numbered = source._replace(x=torch.arange(600.0), x_test=torch.arange(600.0, 7000), y=torch.arange(600))
    numbered = numbered._replace(y_test=torch.arange(600, 7000))
    draw = hundred.draw_hundred(numbered, 0)
    assert [len(part) for part in draw] == [100, 100, 400, 400, 5000, 5000]
    everything = torch.cat([draw.y, draw.y_val, draw.y_test])
    assert len(everything.unique()) == len(everything)
    assert torch.equal(draw.x_test.long(), draw.y_test)
    assert not torch.equal(draw.y, hundred.draw_hundred(numbered, 1).y)
    assert draw.to("meta").x.device.type == "meta"


def test_too_few_images_are_an_error(source):
    few = source._replace(x=source.x[:500], y=source.y[:500], x_test=source.x[:0], y_test=source.y[:0])
    with pytest.raises(ValueError, match="more than 500 images, but there are 500"):
        hundred.draw_hundred(few, 0)


def test_messy_labels_are_wrong_in_three_of_ten():
    y = torch.arange(10).repeat(1000)
    messy = hundred.mess_up(y, torch.Generator().manual_seed(1))
    assert 0.28 < (messy != y).float().mean() < 0.32
    assert set(messy.tolist()) == set(range(10))


def test_mean_and_error():
    values = [0.1, 0.4, 0.2, 0.9]
    mean, error = hundred.mean_and_error(values)
    assert mean == pytest.approx(statistics.mean(values))
    assert error == pytest.approx(statistics.stdev(values) / 2)
    assert hundred.mean_and_error(torch.tensor(values)) == pytest.approx((mean, error))
    with pytest.raises(ValueError, match="two values or more, but there are 1"):
        hundred.mean_and_error([1.0])
