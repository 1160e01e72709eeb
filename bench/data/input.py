"""How images become a detector's input: sizes and augmentation. The defaults are those of the papers' main tables."""

from dataclasses import dataclass, replace
from typing import Literal

from detectors.config import Count, Unit

TEST_FIELDS = ("test_sizes", "test_flip")
"""Fields that evaluation alone reads."""


@dataclass(frozen=True, kw_only=True)
class InputConfig:
    """`min_size` and `max_size` bound the shorter and the longer side; several of `min_size` are multi-scale training.

    mode "keep_ratio" scales by one factor, "square" to min_size x min_size, "as_is" leaves all sizes alone.
    augment "ssd" adds SSD's colour changes, zooming out and cropping.
    difficult "ignore" trains on such objects as on crowds, "use" as on any other, "drop" leaves them out.
    test_sizes evaluates at each of these in place of the largest of `min_size`, and test_flip also mirrored: what is
    found in all views of an image competes in one `post`. The longer side's bound grows and shrinks with the size.
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
    test_sizes: tuple[Count, ...] = ()
    test_flip: bool = False

    def __post_init__(self) -> None:
        if not self.min_size:
            raise ValueError("min_size: names no size; give at least one, such as (800,)")
        if self.mode == "keep_ratio" and max(self.min_size) > self.max_size:
            raise ValueError(f"min_size: {max(self.min_size)} is above max_size {self.max_size}; raise max_size")

    def eval_size(self) -> int:
        """Evaluation takes the largest of several sizes."""
        return max(self.min_size)

    def views(self) -> "tuple[View, ...]":
        """The ways in which evaluation looks at each image: at least one."""
        sizes = (self.mode != "as_is" and self.test_sizes) or (self.eval_size(),)
        inputs = [
            replace(self, min_size=(size,), max_size=self._bound(size), test_sizes=(), test_flip=False)
            for size in sizes
        ]
        sides = (False, True) if self.test_flip else (False,)
        return tuple(View(input, mirrored) for input in inputs for mirrored in sides)

    def _bound(self, size: int) -> int:
        return round(self.max_size * size / self.eval_size())

    def target_size(self, height: int, width: int, size: int) -> tuple[int, int]:
        """The (height, width) to resize an image to."""
        if self.mode == "as_is":
            return height, width
        if self.mode == "square":
            return size, size
        scale = min(size / min(height, width), self.max_size / max(height, width))
        return max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))

    def largest(self, height: int, width: int) -> tuple[int, int]:
        """A (height, width) that no image of at most these sides exceeds after resizing."""
        if self.mode == "as_is":
            return height, width
        side = max(self.min_size) if self.mode == "square" else self.max_size
        return side, side


@dataclass(frozen=True)
class View:
    """One size, and maybe mirrored."""

    input: InputConfig
    mirrored: bool = False
