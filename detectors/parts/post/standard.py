"""The usual way from raw predictions to detections: threshold, best per level, suppression, voting, best per image."""

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from detectors.config import Count, NonNegative, Unit
from detectors.ops.groups import best_within
from detectors.parts.post import Detections, Post, PostConfig
from detectors.parts.rank import RankConfig, cls
from detectors.parts.suppress import SuppressConfig, hard
from detectors.parts.vote import VoteConfig
from detectors.raw import Raw


@dataclass(frozen=True, kw_only=True)
class Config(PostConfig):
    rank: RankConfig = field(default_factory=cls.Config)
    score_threshold: Unit = 0.05
    """A candidate must score more than this to take part."""
    threshold_on: Literal["cls", "rank"] = "cls"
    """Which score that is: the class score, or the one that `rank` gives."""
    per_level: Count | None = None
    """At most this many candidates of an image's pyramid level enter suppression."""
    per_class: Count | None = None
    """At most this many candidates of an image's class enter suppression."""
    min_size: NonNegative = 0.01
    """Boxes with a side shorter than this, in pixels, are dropped."""
    suppress: SuppressConfig = field(default_factory=hard.Config)
    vote: VoteConfig | None = None
    max_detections: Count = 100

    def build(self) -> Post:
        return StandardPost(self)


class StandardPost:
    """All images and classes of a batch at once; what it says of an image does not depend on the others."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.rank = config.rank.build()
        self.suppress = config.suppress.build()
        self.vote = config.vote.build() if config.vote else None

    def __call__(self, raw: Raw) -> Detections:
        raw, scores = self._eligible(raw)
        groups = class_groups(raw)
        kept, final = self.suppress(raw, scores, groups, self.config.max_detections)
        best = best_within(raw.image[kept], final, self.config.max_detections)
        kept, final = kept[best], final[best]
        boxes = raw.boxes[kept] if self.vote is None else self.vote(raw.boxes, scores, groups, kept)
        return _per_image(raw.select(kept), boxes, final)

    def _eligible(self, raw: Raw) -> tuple[Raw, Tensor]:
        """The candidates that take part in suppression, and their ranking scores."""
        config, scores = self.config, self.rank(raw)
        judged = raw.scores if config.threshold_on == "cls" else scores
        sides = raw.boxes[:, 2:] - raw.boxes[:, :2]
        chosen = ((judged > config.score_threshold) & (sides >= config.min_size).all(1)).nonzero().squeeze(1)
        if config.per_level is not None:
            level = raw.image * (1 + raw.level.max() if len(raw) else 1) + raw.level
            chosen = chosen[best_within(level[chosen], scores[chosen], config.per_level)]
        if config.per_class is not None:
            chosen = chosen[best_within(class_groups(raw)[chosen], scores[chosen], config.per_class)]
        return raw.select(chosen), scores[chosen]


def class_groups(raw: Raw) -> Tensor:
    """One number an (image, class) pair: candidates of different numbers never suppress each other."""
    return raw.image * (1 + raw.labels.max() if len(raw) else 1) + raw.labels


def _per_image(kept: Raw, boxes: Tensor, scores: Tensor) -> Detections:
    """`kept` is sorted by image already, and by falling score within one."""
    columns = {"boxes": boxes, "scores": scores, "labels": kept.labels, "cls": kept.scores, **kept.quality}
    counts = torch.bincount(kept.image, minlength=kept.num_images).tolist()
    parts = {name: column.split(counts) for name, column in columns.items()}
    return [{name: part[image] for name, part in parts.items()} for image in range(kept.num_images)]
