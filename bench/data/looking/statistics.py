"""What the boxes of a store are like: classes, sizes, aspect ratios, crowding. Reads columns, never an image."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.data.store import Store
from bench.data.store.schema import list_values

# COCO's limits between small, medium and large objects, as areas.
SMALL, LARGE = 32**2, 96**2


@dataclass(frozen=True)
class Statistics:
    """Of boxes that are no crowd, except for `crowd` itself."""

    per_class: NDArray[np.int64]
    area: NDArray[np.float64]
    aspect: NDArray[np.float64]
    """width / height"""
    per_image: NDArray[np.int64]
    crowd: int
    difficult: int

    def sizes(self) -> dict[str, int]:
        small, large = int((self.area < SMALL).sum()), int((self.area >= LARGE).sum())
        return {"small": small, "medium": len(self.area) - small - large, "large": large}


def statistics(store: Store) -> Statistics:
    columns = list(_columns(store))
    labels, area, boxes, crowd, difficult = (
        np.concatenate(parts) for parts in zip(*(column[:-1] for column in columns), strict=True)
    )
    single = crowd == 0
    sides = (boxes[:, 2:] - boxes[:, :2])[single].astype(np.float64)
    return Statistics(
        per_class=np.bincount(labels[single], minlength=store.num_classes),
        area=area[single],
        aspect=sides[:, 0] / sides[:, 1],
        per_image=np.concatenate([column[-1] for column in columns]),
        crowd=int(crowd.sum()),
        difficult=int(difficult.sum()),
    )


def _columns(store: Store) -> Iterator[list[NDArray[np.float64]]]:
    for number in range(len(store.manifest.shards)):
        for batch in store.shard(number).record_batches():
            values = [list_values(batch, name) for name in ("labels", "area", "boxes", "iscrowd", "difficult")]
            yield [*values, np.diff(batch.column("labels").offsets.to_numpy())]
