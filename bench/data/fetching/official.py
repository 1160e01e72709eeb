"""The official archives of COCO and VOC, with the hashes that their mirrors and torchvision list."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Archive:
    """A file to fetch. `hash` is "<algorithm>:<hex digest>"; a mirror's address may stand in for `base`."""

    base: str
    path: str
    hash: str

    def url(self, mirror: str | None) -> str:
        return f"{(mirror or self.base).rstrip('/')}/{self.path}"


_COCO, _VOC = "http://images.cocodataset.org", "http://host.robots.ox.ac.uk/pascal/VOC"

ARCHIVES: dict[str, tuple[Archive, ...]] = {
    "coco": (
        Archive(
            _COCO,
            "annotations/annotations_trainval2017.zip",
            "sha1:8551ee4bb5860311e79dace7e79cb91e432e78b3",
        ),
        Archive(_COCO, "zips/val2017.zip", "sha1:4950dc9d00dbe1c933ee0170f5797584351d2a41"),
        Archive(_COCO, "zips/train2017.zip", "sha1:10ad623668ab00c62c096f0ed636d6aff41faca5"),
    ),
    "voc": (
        Archive(_VOC, "voc2007/VOCtrainval_06-Nov-2007.tar", "md5:c52e279531787c972589f7e41ab4ae64"),
        Archive(_VOC, "voc2007/VOCtest_06-Nov-2007.tar", "md5:b6e924de25625d8de591ea690078ad9f"),
        Archive(_VOC, "voc2012/VOCtrainval_11-May-2012.tar", "md5:6cd6e144f989b92b3379bac3b3de84fd"),
    ),
}
