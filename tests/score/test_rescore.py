"""Rescoring stored raw predictions gives what the detector's own `post` gives, detection for detection."""

import dataclasses

import numpy as np
import pytest
import torch

from bench.errors import UserError
from bench.score.evaluate import evaluate
from bench.score.rescore import rescore, settings
from bench.score.tables.detections import Detections
from bench.score.tables.raw_file import RawHeader, RawWriter
from bench.train.distributed.ray_session import ray_session
from detectors.parts.post import standard
from detectors.parts.rank import cls, product, quality
from detectors.parts.suppress import hard, iou_guided, none, soft
from detectors.parts.vote import score
from tests.score.simulate import random_raw, random_truth

CLASSES = 3
POSTS = {
    "hard": standard.Config(),
    "none": standard.Config(suppress=none.Config(), max_detections=30),
    "product": standard.Config(rank=product.Config(), threshold_on="rank", suppress=hard.Config(iou_threshold=0.6)),
    "soft linear": standard.Config(suppress=soft.Config(method="linear")),
    "soft gaussian": standard.Config(suppress=soft.Config(method="gaussian")),
    "iou-guided": standard.Config(suppress=iou_guided.Config()),
    "voted": standard.Config(vote=score.Config(), rank=product.Config()),
    "quality": standard.Config(rank=quality.Config(), per_level=20),
}


@pytest.fixture
def stored(tmp_path):
    """Raw predictions of 10 images in memory, batch by batch, and the file that holds them in two shards."""
    batches = [random_raw(seed, images=5, classes=CLASSES) for seed in (0, 1)]
    header = RawHeader(num_classes=CLASSES, floor=0.001)
    for shard, raw in enumerate(batches):
        images = list(range(5 * shard, 5 * shard + 5))
        with RawWriter(tmp_path, header, shard, 2) as writer:
            writer.add(raw, images, list(map(str, images)))
    return batches, tmp_path


@pytest.mark.parametrize("name", POSTS)
def test_equals_the_detectors_own_post(stored, name):
    batches, path = stored
    own = Detections.from_output([output for raw in batches for output in POSTS[name].build()(raw)])
    (found,) = rescore(path, POSTS[name])
    assert len(own) > 20
    # Voting sums over a block of several groups: how many images a batch has moves a box by a rounding of float32.
    assert_equal(found.detections, own, atol=1e-4 if name == "voted" else 0)


@pytest.mark.parametrize("stretch", [1, 3, 256])
def test_does_not_depend_on_how_work_is_cut(stored, monkeypatch, stretch):
    _, path = stored
    (whole,) = rescore(path, POSTS["product"])
    monkeypatch.setattr("bench.score.rescore.STRETCH", stretch)
    (found,) = rescore(path, POSTS["product"])
    assert_equal(found.detections, whole.detections)


def test_sweep_gives_every_combination_in_order(stored):
    _, path = stored
    truth = random_truth(np.random.default_rng(0), images=10, classes=CLASSES)
    sweep = {"suppress.iou_threshold": [0.3, 0.6], "score_threshold": [0.05, 0.2]}
    found = rescore(path, POSTS["hard"], sweep, truth=truth)
    assert [list(one.changes.values()) for one in found] == [[0.3, 0.05], [0.3, 0.2], [0.6, 0.05], [0.6, 0.2]]
    for one in found:
        (alone,) = rescore(path, one.post)
        assert_equal(one.detections, alone.detections)
        assert one.scores.metrics == pytest.approx(evaluate(alone.detections, truth).metrics, nan_ok=True)
    assert len({one.scores.metrics["AP"] for one in found}) > 1


def test_kinds_can_be_swept(stored):
    _, path = stored
    found = rescore(path, {"kind": "standard"}, {"rank.kind": ["cls", "product", "quality"]})
    assert [type(one.post.rank) for one in found] == [cls.Config, product.Config, quality.Config]


def test_a_setting_goes_by_its_last_name_where_that_is_clear():
    voted = dataclasses.replace(POSTS["hard"], vote=score.Config())
    changes, posts = settings(voted, {"sigma": [0.0025, 0.01]})
    assert changes == [{"vote.sigma": 0.0025}, {"vote.sigma": 0.01}]
    assert [post.vote.sigma for post in posts] == [0.0025, 0.01]
    with pytest.raises(UserError, match=r"'sigma' may be suppress\.sigma or vote\.sigma"):
        settings(dataclasses.replace(voted, suppress=soft.Config()), {"sigma": [0.1]})


@pytest.mark.slow
def test_processes_give_the_same(stored):
    _, path = stored
    truth = random_truth(np.random.default_rng(0), images=10, classes=CLASSES)
    sweep = {"suppress.iou_threshold": [0.3, 0.6]}
    here = rescore(path, POSTS["hard"], sweep, truth=truth, workers=1)
    there = rescore(path, POSTS["hard"], sweep, truth=truth, workers=2)
    for a, b in zip(here, there, strict=True):
        assert_equal(a.detections, b.detections)
        assert a.scores.metrics == pytest.approx(b.scores.metrics, abs=0, nan_ok=True)


@pytest.mark.slow
def test_ray_tasks_give_the_same(stored):
    _, path = stored
    here = rescore(path, POSTS["hard"], {"score_threshold": [0.1, 0.3]}, workers=1)
    with ray_session(num_cpus=2, dashboard=False):
        there = rescore(path, POSTS["hard"], {"score_threshold": [0.1, 0.3]}, on_ray=True)
    for a, b in zip(here, there, strict=True):
        assert_equal(a.detections, b.detections)


def test_nothing_predicted(tmp_path):
    with RawWriter(tmp_path, RawHeader(num_classes=CLASSES)):
        pass
    truth = random_truth(np.random.default_rng(0), classes=CLASSES)
    (found,) = rescore(tmp_path, POSTS["hard"], truth=truth)
    assert len(found.detections) == 0
    assert found.scores.metrics["AP"] == 0


def test_wrong_settings_and_other_data(stored):
    _, path = stored
    with pytest.raises(UserError, match="did you mean 'score_threshold'"):
        rescore(path, POSTS["hard"], {"score_treshold": [0.1]})
    with pytest.raises(UserError, match=r"post with score_threshold=2"):
        settings(POSTS["hard"], {"score_threshold": [0.1, 2]})
    truth = random_truth(np.random.default_rng(0), images=4, classes=CLASSES)
    with pytest.raises(UserError, match="the data have 3 and 4"):
        rescore(path, POSTS["hard"], truth=truth)
    with pytest.raises(UserError, match="'centerness'"):
        rescore(path, dataclasses.replace(POSTS["hard"], rank=quality.Config(name="centerness")))


def assert_equal(a: Detections, b: Detections, atol: float = 0) -> None:
    assert np.allclose(a.xywh, b.xywh, rtol=0, atol=atol)
    for name in ("image", "scores", "labels", "cls"):
        assert np.array_equal(getattr(a, name), getattr(b, name)), name
    assert a.quality.keys() == b.quality.keys()
    for name in a.quality:
        assert np.array_equal(a.quality[name], b.quality[name])
    assert torch.is_inference_mode_enabled() is False
