"""Ground truth from a data store and from COCO JSON say the same; pairs do not depend on how they are cut."""

import json

import numpy as np
import pytest

from bench.data.converting.prepare import prepare
from bench.data.formats import coco as coco_format
from bench.errors import UserError
from bench.score.evaluate import evaluate, load_truth
from bench.score.protocols.protocol import protocol_named
from bench.score.tables import pairs
from bench.score.tables.detections import Detections
from bench.score.tables.ground_truth import GroundTruth
from tests.score.simulate import random_detections, random_truth


@pytest.fixture(scope="module")
def both(shared_data, tmp_path_factory):
    """The same small split of COCO, from its annotation file and from a store."""
    folder = shared_data / "coco_mini"
    source = coco_format.Config(root=str(folder))
    out = tmp_path_factory.mktemp("coco") / "store"
    prepare(source, out, split="val", workers=1)
    return load_truth(folder / "annotations" / "instances_val2017.json"), load_truth(out)


def test_a_store_says_what_its_source_says(both):
    source, store = both
    assert sorted(store.image_ids.tolist()) == source.image_ids.tolist()
    assert (store.class_names, store.class_ids) == (source.class_names, source.class_ids)
    place = np.argsort(store.image_ids)[source.image]
    ordered = np.argsort(store.image_rank[store.image], kind="stable")
    by_image = np.argsort(source.image, kind="stable")
    assert (store.image[ordered] == place[by_image]).all()
    assert (store.labels[ordered] == source.labels[by_image]).all()
    assert (store.iscrowd[ordered] == source.iscrowd[by_image]).all()
    assert np.allclose(store.xywh[ordered], source.xywh[by_image], atol=1e-3)
    assert np.allclose(store.area[ordered], source.area[by_image])


def test_scores_are_the_same_with_either(both):
    source, store = both
    found = random_detections(np.random.default_rng(0), source, near=800, far=200, ties=False)
    moved = np.argsort(store.image_ids)
    same = Detections(store.num_images, moved[found.image], found.xywh, found.scores, found.labels)
    for name in ("AP", "AP75", "APs", "AR100"):
        a, b = evaluate(found, source).metrics[name], evaluate(same, store).metrics[name]
        assert a == pytest.approx(b, abs=1e-6), name


def test_masks_survive_the_store(both):
    perfect = [
        Detections(
            truth.num_images, truth.image[kept], truth.xywh[kept], np.ones(len(kept)), truth.labels[kept],
            masks=tuple(truth.masks[i] for i in kept),
        )
        for truth in both
        for kept in [np.flatnonzero(~truth.iscrowd)]
    ]  # fmt: skip
    for truth, found in zip(both, perfect, strict=True):
        assert evaluate(found, truth, "coco-mask").metrics["AP"] == pytest.approx(1)


def test_pairs_do_not_depend_on_how_they_are_cut(monkeypatch):
    truth = random_truth(np.random.default_rng(0))
    found = random_detections(np.random.default_rng(1), truth)
    whole = pairs.overlapping(truth, found, min_iou=0.1, same_class=False)
    assert len(whole) > 50
    for size in (1, 7, 100):
        monkeypatch.setattr(pairs, "CHUNK", size)
        cut = pairs.overlapping(truth, found, min_iou=0.1, same_class=False)
        for name in ("detection", "truth", "iou"):
            assert np.array_equal(getattr(cut, name), getattr(whole, name))


def test_iou_is_the_engines_to_the_bit():
    from pycocotools import mask

    truth = random_truth(np.random.default_rng(2))
    found = random_detections(np.random.default_rng(3), truth)
    d, g = (index.ravel() for index in np.meshgrid(range(len(found)), range(len(truth)), indexing="ij"))
    ours = pairs.paired_iou(truth, found, d, g).reshape(len(found), len(truth))
    assert np.array_equal(ours, mask.iou(found.xywh, truth.xywh, truth.iscrowd.astype(int).tolist()))


def test_fewer_classes():
    truth = random_truth(np.random.default_rng(0), classes=4)
    few = truth.only_classes([3, 1])
    assert few.class_names == ("class 3", "class 1")
    assert len(few) == (truth.labels == 3).sum() + (truth.labels == 1).sum()
    assert (few.xywh[few.labels == 0] == truth.xywh[truth.labels == 3]).all()


def test_unknown_protocol_and_missing_classes(tmp_path):
    with pytest.raises(UserError, match="choose one of coco, coco-mask"):
        protocol_named("kitti")
    truth = random_truth(np.random.default_rng(0))
    with pytest.raises(UserError, match="judges person, rider"):
        evaluate(random_detections(np.random.default_rng(0), truth), truth, "cityscapes")
    with pytest.raises(UserError, match="objects without masks"):
        evaluate(random_detections(np.random.default_rng(0), truth), truth, "coco-mask")
    with pytest.raises(UserError, match="no such data"):
        load_truth(tmp_path / "absent.json")
    (tmp_path / "odd.json").write_text("[")
    with pytest.raises(UserError, match=r"odd\.json: not JSON"):
        load_truth(tmp_path / "odd.json")


def test_images_without_size_or_objects_are_fine(tmp_path):
    content = {"images": [{"id": 7}, {"id": 3}], "annotations": [], "categories": [{"id": 5, "name": "cat"}]}
    truth = GroundTruth.from_coco(json.loads(json.dumps(content)))
    assert truth.image_ids.tolist() == [3, 7]
    assert evaluate(Detections.from_boxes(2, [1], [[0, 0, 1, 1]], [1], [0]), truth).metrics["AP"] == -1
