"""From raw predictions to detections: each switch, held against a slow loop over images and classes."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torchvision.ops import box_iou, nms

from detectors.parts.post import standard
from detectors.parts.rank import cls, product, quality
from detectors.parts.suppress import hard, iou_guided, none, soft
from detectors.parts.vote import score
from detectors.raw import Raw


def raw(seed: int = 0, count: int = 300, images: int = 3) -> Raw:
    generator = torch.Generator().manual_seed(seed)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    corner = uniform(count, 2) * 40
    return Raw(
        boxes=torch.cat([corner, corner + 5 + uniform(count, 2) * 40], 1),
        scores=uniform(count),
        labels=torch.randint(0, 3, (count,), generator=generator),
        image=torch.randint(0, images, (count,), generator=generator),
        source=torch.arange(count),
        level=torch.randint(0, 4, (count,), generator=generator),
        num_images=images + 1,
        quality={"iou": uniform(count), "purity": uniform(count)},
    )


def slow(found: Raw, config: standard.Config, rank: Tensor) -> list[list[tuple[float, int, list[float]]]]:
    """Hard suppression, one image and class at a time."""
    out = []
    judged = found.scores if config.threshold_on == "cls" else rank
    for image in range(found.num_images):
        members = [i for i in range(len(found)) if found.image[i] == image and judged[i] > config.score_threshold]
        if config.per_level:
            members = [
                i
                for level in range(4)
                for i in sorted((i for i in members if found.level[i] == level), key=lambda i: -rank[i])[
                    : config.per_level
                ]
            ]
        kept = []
        for label in range(3):
            own = sorted((i for i in members if found.labels[i] == label), key=lambda i: -rank[i])[: config.per_class]
            mine = torch.tensor(own, dtype=torch.int64)
            kept += mine[nms(found.boxes[mine], rank[mine], config.suppress.iou_threshold)].tolist()
        kept = sorted(kept, key=lambda i: -rank[i])[: config.max_detections]
        out.append([(float(rank[i]), int(found.labels[i]), found.boxes[i].tolist()) for i in kept])
    return out


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "config",
    [
        standard.Config(),
        standard.Config(score_threshold=0.5, suppress=hard.Config(iou_threshold=0.3)),
        standard.Config(max_detections=7),
        standard.Config(per_level=9),
        standard.Config(per_class=5),
        standard.Config(per_class=4, per_level=9, rank=product.Config()),
        standard.Config(rank=product.Config()),
        standard.Config(rank=product.Config(name="purity", cls_power=1.0, quality_power=2.0), score_threshold=0.4),
        standard.Config(rank=product.Config(), score_threshold=0.6, threshold_on="rank", per_level=12),
        standard.Config(rank=quality.Config(), score_threshold=0.3),
    ],
)
def test_equals_a_loop_over_images_and_classes(config: standard.Config, seed: int) -> None:
    found = raw(seed)
    ranks = {
        "cls": lambda: found.scores,
        "product": lambda: (
            found.scores**config.rank.cls_power * found.quality[config.rank.name] ** config.rank.quality_power
        ),
        "quality": lambda: found.quality["iou"],
    }
    expected = slow(found, config, ranks[config.rank.kind]())
    for theirs, ours in zip(expected, config.build()(found), strict=True):
        assert ours["scores"].tolist() == pytest.approx([s for s, _, _ in theirs], abs=1e-6)
        assert ours["labels"].tolist() == [label for _, label, _ in theirs]
        assert ours["boxes"].tolist() == [box for _, _, box in theirs]


@pytest.mark.parametrize(
    "suppress", [hard.Config(), soft.Config(), soft.Config(method="gaussian"), iou_guided.Config(), none.Config()]
)
@pytest.mark.parametrize("vote", [None, score.Config()])
def test_an_image_does_not_see_the_others(suppress: object, vote: object) -> None:
    found, post = raw(), standard.Config(rank=product.Config(), suppress=suppress, vote=vote).build()
    together = post(found)
    for image in range(3):
        mine = found.select(found.image == image)
        alone = post(replace(mine, image=torch.zeros_like(mine.image), num_images=1))[0]
        for name in alone:
            assert torch.allclose(alone[name], together[image][name], atol=1e-5), name


@pytest.mark.parametrize(
    "config", [standard.Config(), standard.Config(vote=score.Config(), suppress=soft.Config(), per_level=5)]
)
def test_nothing_in_nothing_out(config: standard.Config) -> None:
    detections = config.build()(raw().select(torch.zeros(0, dtype=torch.int64)))
    assert [len(one["scores"]) for one in detections] == [0, 0, 0, 0]
    assert detections[0]["boxes"].shape == (0, 4)


def test_a_detection_carries_its_class_score_and_qualities() -> None:
    found = raw()
    (first, *_) = standard.Config(rank=product.Config()).build()(found)
    assert set(first) == {"boxes", "scores", "labels", "cls", "iou", "purity"}
    assert torch.allclose(first["scores"], (first["cls"] * first["iou"]).sqrt())


def test_qualities_outside_of_the_unit_interval_are_clamped_for_ranking() -> None:
    found = raw()
    found = found.with_quality(iou=torch.where(found.scores > 0.5, 1.7, -0.3))
    scores = product.Config(cls_power=1.0, quality_power=1.0).build()(found)
    assert torch.equal(scores, torch.where(found.scores > 0.5, found.scores, 0))


@pytest.mark.parametrize("part", [product.Config(name="iou_x"), quality.Config(name="iou_x")])
def test_a_quality_that_is_not_there(part: product.Config) -> None:
    with pytest.raises(ValueError, match=r"rank.name: 'iou_x' is not among .*\(iou, purity\)"):
        standard.Config(rank=part).build()(raw())


def test_boxes_without_extent_are_dropped() -> None:
    found = raw(count=2, images=1)
    found = replace(found, boxes=torch.tensor([[1.0, 1, 1.005, 50], [1, 1, 30, 30]]), scores=torch.tensor([0.9, 0.8]))
    assert standard.Config().build()(found)[0]["scores"].tolist() == [pytest.approx(0.8)]
    assert len(standard.Config(min_size=0).build()(found)[0]["scores"]) == 2


def test_a_candidate_at_the_threshold_takes_no_part() -> None:
    found = replace(raw(count=2, images=1), scores=torch.tensor([0.5, 0.5 + 1e-6]))
    assert len(standard.Config(score_threshold=0.5, suppress=none.Config()).build()(found)[0]["scores"]) == 1


def test_iou_guided_suppression_gives_a_cluster_its_best_class_score() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [30, 30, 40, 40]])
    found = Raw(
        boxes=boxes,
        scores=torch.tensor([0.3, 0.9, 0.5]),
        labels=torch.zeros(3, dtype=torch.int64),
        image=torch.zeros(3, dtype=torch.int64),
        source=torch.arange(3),
        level=torch.zeros(3, dtype=torch.int64),
        num_images=1,
        quality={"iou": torch.tensor([0.8, 0.6, 0.4])},
    )
    config = standard.Config(rank=quality.Config(), suppress=iou_guided.Config())
    (plain,) = config.build()(found)
    assert plain["boxes"].tolist() == boxes[[0, 2]].tolist()
    assert plain["scores"].tolist() == pytest.approx([0.9, 0.5])
    (times,) = replace(config, suppress=iou_guided.Config(times="iou")).build()(found)
    assert times["scores"].tolist() == pytest.approx([0.72, 0.2])


def test_soft_suppression_lowers_scores() -> None:
    found = raw(images=1)
    hardly = standard.Config(suppress=none.Config(), max_detections=1000).build()(found)[0]
    softly = standard.Config(suppress=soft.Config(), max_detections=1000).build()(found)[0]
    assert softly["scores"].sum() < hardly["scores"].sum()
    assert softly["scores"][0] == hardly["scores"][0]


@pytest.mark.parametrize("suppress", [soft.Config(), soft.Config(method="gaussian", min_score=0.2)])
@pytest.mark.parametrize("vote", [None, score.Config()])
def test_soft_suppression_that_stops_early_changes_nothing(suppress: soft.Config, vote: score.Config | None) -> None:
    found = raw()
    few, all_of_them = (
        standard.Config(suppress=suppress, vote=vote, max_detections=most).build()(found) for most in (6, 300)
    )
    for image in range(4):
        for name, values in few[image].items():
            assert torch.equal(values, all_of_them[image][name][:6]), name


def test_voting_moves_boxes_towards_their_neighbours_and_keeps_scores() -> None:
    found, config = raw(), standard.Config(rank=product.Config())
    plain, voted = config.build()(found)[0], replace(config, vote=score.Config(sigma=0.5)).build()(found)[0]
    assert torch.equal(plain["scores"], voted["scores"])
    rank = product.Config().build()(found)
    eligible = (found.image == 0) & (found.labels == plain["labels"][0]) & (found.scores > 0.05)
    boxes, weights = found.boxes[eligible], rank[eligible]
    iou = box_iou(plain["boxes"][:1], boxes)[0]
    weights = weights * (-((1 - iou) ** 2) / 0.5).exp() * (iou > 0.01)
    assert torch.allclose(voted["boxes"][0], (weights[:, None] * boxes).sum(0) / weights.sum(), atol=1e-3)


def test_rank_by_class_is_the_class_score() -> None:
    found = raw()
    assert cls.Config().build()(found) is found.scores
