"""Peers do the same work: equal weights give equal detections, plain loops follow their definitions."""

import pytest
import torch

from bench.perf import peers, plain
from bench.perf.harness import Disagreement
from bench.perf.scenes import candidates, raw
from bench.perf.suites import train
from bench.perf.suites.infer import same_detections

CPU = torch.device("cpu")


@pytest.mark.slow
@pytest.mark.parametrize("make", [peers.faster_rcnn, peers.retinanet, peers.fcos])
def test_torchvision_and_ours_detect_the_same_and_train(make, monkeypatch: pytest.MonkeyPatch):
    small = list(torch.nn.functional.interpolate(torch.stack(peers.images(CPU, 1)), size=(96, 128)))
    monkeypatch.setattr(peers, "images", lambda device, count: small)
    pair = make(CPU)
    pair.ours.eval(), pair.theirs.eval()
    with torch.no_grad():
        theirs = pair.theirs(small)
        assert len(theirs[0]["scores"]) > 5
        assert same_detections(pair.ours(small), theirs).startswith(("99%", "100%"))
    objects = peers.targets(CPU, 1, small[0].shape)
    before = pair.ours.neck.outer[0].weight.detach().clone()
    train.training_step(pair.ours.train(), small, objects)()
    assert not torch.equal(before, pair.ours.neck.outer[0].weight)


def test_other_detections_are_no_agreement():
    found = {"boxes": torch.rand(3, 4), "scores": torch.rand(3), "labels": torch.tensor([0, 1, 2])}
    shifted = found | {"labels": found["labels"] + 1}
    assert same_detections([found], [shifted]) == "100% of 3 detections"
    with pytest.raises(Disagreement, match=r"only 0\.0%"):
        same_detections([found], [shifted | {"scores": found["scores"] + 0.1}])
    nothing = {name: value[:0] for name, value in found.items()}
    with pytest.raises(Disagreement, match="nothing to compare"):
        same_detections([found], [nothing])
    with pytest.raises(Disagreement, match=r"only 0\.0%"):
        same_detections([nothing], [shifted])


def test_plain_soft_nms_by_hand():
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 5], [50, 50, 60, 60]])
    keep, scores = plain.soft_nms(boxes, torch.tensor([0.9, 0.8, 0.5]), sigma=0.5, min_score=0.1)
    assert keep.tolist() == [0, 2, 1]
    torch.testing.assert_close(scores, torch.tensor([0.9, 0.5, 0.8 * float(torch.exp(torch.tensor(-0.5)))]))


def test_plain_iou_guided_nms_by_hand():
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 60, 60]])
    keep, scores = plain.iou_guided_nms(boxes, torch.tensor([0.2, 0.9, 0.5]), torch.tensor([0.8, 0.7, 0.9]), 0.5)
    assert keep.tolist() == [2, 0]
    torch.testing.assert_close(scores, torch.tensor([0.5, 0.9]))


def test_scenes_are_repeatable_and_lie_in_the_image():
    one, again = candidates(50, 1, CPU), candidates(50, 1, CPU)
    assert torch.equal(one.boxes, again.boxes)
    assert (one.boxes[:, 2:] >= one.boxes[:, :2]).all()
    assert one.boxes.max() <= 1333
    batch = raw(3, 20, 5, CPU)
    assert (len(batch), batch.num_images, int(batch.image[-1])) == (60, 3, 2)
    assert torch.equal(batch.boxes[20:40], candidates(20, 1, CPU).boxes)
