"""Raw predictions: what the network said before `post`, one flat entry a (box, class) pair over a batch of images."""

from dataclasses import dataclass, field, fields, replace

from torch import Tensor


@dataclass(frozen=True)
class Raw:
    """M candidates. Boxes are xyxy in the pixels of the image that was given; nothing is sorted or suppressed."""

    boxes: Tensor
    """[M, 4] float"""
    scores: Tensor
    """[M] class probability, the answer to "what is it?" """
    labels: Tensor
    """[M] int64 in 0..K-1"""
    image: Tensor
    """[M] int64: index of the image in the batch"""
    source: Tensor
    """[M] int64: the anchor or proposal, counted within its image, that the candidate came from"""
    level: Tensor
    """[M] int64: pyramid level of the source"""
    num_images: int
    quality: dict[str, Tensor] = field(default_factory=dict)
    """name -> [M]: answers to "how well does it fit?", such as `iou`, `centerness`, `purity`, `integrity`; in [0, 1]"""

    def __len__(self) -> int:
        return len(self.scores)

    def select(self, index: Tensor) -> "Raw":
        """The candidates that a mask or an index picks, in its order."""
        picked = {f.name: getattr(self, f.name)[index] for f in fields(self) if f.name not in ("num_images", "quality")}
        return Raw(**picked, num_images=self.num_images, quality={name: q[index] for name, q in self.quality.items()})

    def with_quality(self, **quality: Tensor) -> "Raw":
        """The same candidates with more qualities, [M] each."""
        return replace(self, quality={**self.quality, **quality})
