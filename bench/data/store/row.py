"""One image of a data set with all that is known about it: what a store holds, row by row."""

import hashlib
import struct
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

FLAGS = ("iscrowd", "difficult", "truncated", "occluded")


@dataclass(frozen=True, kw_only=True)
class Annotations:
    """The objects of one image. Boxes are x1, y1, x2, y2 in pixels, continuous and half-open; labels are 0..K-1.

    `width` and `height` are those of the image as people see it, after its EXIF `orientation` (1 = as stored).
    `masks` are the counts of COCO's compressed RLE, one an object (b"" where the source has none), or None.
    """

    index: int = -1
    source_id: str
    image_id: int
    width: int
    height: int
    orientation: int = 1
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    area: NDArray[np.float64]
    iscrowd: NDArray[np.bool_]
    difficult: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    occluded: NDArray[np.bool_]
    masks: list[bytes] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def rle(self, i: int) -> dict[str, object]:
        """The mask of object i in the form that `pycocotools.mask` takes."""
        if self.masks is None or not self.masks[i]:
            raise ValueError(f"object {i} of {self.source_id} has no mask")
        return {"size": [self.height, self.width], "counts": self.masks[i]}


@dataclass(frozen=True, kw_only=True)
class Row(Annotations):
    """An image, encoded as its source has it, with its objects."""

    image: bytes = field(repr=False)

    def digest(self) -> bytes:
        """A hash of all that the row says, its place in the store left out."""
        found = hashlib.sha256(self.image)
        text = self.source_id.encode()
        found.update(
            struct.pack("<qqqqqq", self.image_id, self.width, self.height, self.orientation, len(self), len(text))
        )
        found.update(text)
        for values, dtype in ((self.boxes, "<f4"), (self.labels, "<i8"), (self.area, "<f8")):
            found.update(np.ascontiguousarray(values, dtype).tobytes())
        for flag in FLAGS:
            found.update(np.ascontiguousarray(getattr(self, flag), "u1").tobytes())
        for mask in self.masks or ():
            found.update(struct.pack("<q", len(mask)) + mask)
        return found.digest()

    def annotations(self) -> Annotations:
        return Annotations(**{f.name: getattr(self, f.name) for f in fields(Annotations)})
