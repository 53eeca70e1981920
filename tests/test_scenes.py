"""utils.scenes: what a scene promises, by measuring it."""

import pytest
import torch
from torchvision.ops import box_iou

from utils import scenes


@pytest.fixture(scope="module")
def drawn():
    return {"hard": scenes.draw_scenes(400), "easy": scenes.draw_scenes(400, hard=False)}


def overlaps(one):
    """The IoU of each pair of objects in each scene."""
    found = []
    for boxes, labels in zip(one.boxes, one.labels):
        there = boxes[labels >= 0]
        found += box_iou(there, there).triu(1).flatten().tolist()
    return found


def sides(one):
    boxes = one.boxes[one.labels >= 0]
    return boxes[:, 2:] - boxes[:, :2]


def test_shapes_and_kinds(drawn):
    for one in drawn.values():
        assert one.x.shape == (400, 3, 64, 64) and one.x.dtype == torch.float32
        assert one.x.min() >= 0 and one.x.max() <= 1
        assert one.boxes.shape == (400, 4, 4) and one.labels.shape == (400, 4)
        assert one.masks.shape == (400, 64, 64) and one.masks.dtype == torch.int64
        assert (one.boxes[one.labels < 0] == 0).all() and one.labels.min() == -1
        assert (one.labels >= 0).any(dim=1).all(), "a scene is empty"


def test_hard_scenes_overlap_and_have_small_objects(drawn):
    found = overlaps(drawn["hard"])
    assert 0.3 < max(found) <= 0.4
    assert sum(iou > 0.1 for iou in found) > 40
    assert sides(drawn["hard"]).max(dim=1).values.min() <= 9


def test_easy_scenes_do_not(drawn):
    assert max(overlaps(drawn["easy"])) == 0
    assert sides(drawn["easy"]).min() >= 13
    ground = drawn["easy"].masks == 0
    for image, place in zip(drawn["easy"].x, ground):
        # but for the smoothed edges of the shapes, one grey
        values, counts = image[:, place].unique(dim=1, return_counts=True)
        assert counts.max() > 0.8 * counts.sum() and values[:, counts.argmax()].unique().numel() == 1


def test_a_box_bounds_the_object_that_is_seen(drawn):
    for one in drawn.values():
        for boxes, labels, mask in zip(one.boxes, one.labels, one.masks):
            seen = torch.zeros_like(mask, dtype=torch.bool)
            for left, top, right, bottom in boxes[labels >= 0].int().tolist():
                seen[top:bottom, left:right] = True
            assert not mask[~seen].any(), "an object reaches out of its box"
        assert set(one.masks.unique().tolist()) == {0, 1, 2, 3, 4}


def test_the_same_seed_gives_the_same_scenes():
    one, other, third = (scenes.draw_scenes(3, seed=seed) for seed in (5, 5, 6))
    assert all(torch.equal(a, b) for a, b in zip(one, other))
    assert not torch.equal(one.x, third.x)
    assert scenes.draw_scenes(50, objects=1).labels[:, 1:].max() == -1


def test_strokes_change_some_pixels_and_not_the_given_images():
    x = torch.full((4, 3, 32, 32), 0.5)
    made = scenes.scribble(x, 4, torch.Generator().manual_seed(0))
    changed = (made != 0.5).any(dim=1).float().mean()
    assert 0.02 < changed < 0.4 and (x == 0.5).all()
    assert torch.equal(scenes.scribble(x, 0, torch.Generator()), x)


def test_scenes_move_to_a_device():
    assert all(part.device.type == "meta" for part in scenes.draw_scenes(1).to("meta"))
