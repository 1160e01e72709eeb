"""How images become a detector's input: sizes and augmentation. The defaults are those of the papers' main tables."""

from dataclasses import dataclass
from typing import Literal

from detectors.config import Count, Unit


@dataclass(frozen=True, kw_only=True)
class InputConfig:
    """`min_size` and `max_size` bound the shorter and the longer side; several of `min_size` are multi-scale training.

    mode "keep_ratio" scales by one factor, "square" to min_size x min_size, "as_is" leaves images alone.
    augment "ssd" adds SSD's colour changes, zooming out and cropping.
    difficult "ignore" trains on such objects as on crowds, "use" as on any other, "drop" leaves them out.
    """

    mode: Literal["keep_ratio", "square", "as_is"] = "keep_ratio"
    min_size: tuple[Count, ...] = (800,)
    max_size: Count = 1333
    flip: Unit = 0.5
    augment: Literal["none", "ssd"] = "none"
    difficult: Literal["ignore", "use", "drop"] = "ignore"
    masks: bool = False
    group_by_aspect: bool = True
    skip_empty: bool = True
    multiple_of: Count = 32

    def __post_init__(self) -> None:
        if not self.min_size:
            raise ValueError("min_size: names no size; give at least one, such as (800,)")
        if self.mode == "keep_ratio" and max(self.min_size) > self.max_size:
            raise ValueError(f"min_size: {max(self.min_size)} is above max_size {self.max_size}; raise max_size")

    def eval_size(self) -> int:
        """Evaluation takes the largest of several sizes."""
        return max(self.min_size)

    def target_size(self, height: int, width: int, size: int) -> tuple[int, int]:
        """The (height, width) to resize an image to."""
        if self.mode == "as_is":
            return height, width
        if self.mode == "square":
            return size, size
        scale = min(size / min(height, width), self.max_size / max(height, width))
        return max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))
