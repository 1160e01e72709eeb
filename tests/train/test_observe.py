"""Watching a training: the counts equal slow loops, pictures' data equal the assigner's word, and nothing changes."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

import detectors
from bench.data.converting.prepare import prepare as prepare_data
from bench.data.formats.coco import Config as Coco
from bench.data.store import Store
from bench.study.steps.album import SEEN, SNAPSHOTS, TRAINING, Album, draw_album, pulls
from bench.study.steps.watch import CURVE
from bench.train.checkpoint import read_state
from bench.train.distributed.place import Place
from bench.train.job import Job, prepare, train
from bench.train.loop import Hooks, Training, fit
from bench.train.watching.gains import PER_OBJECT, GivenBoxes
from bench.train.watching.observe import BINS, EDGES, Observation, Observer
from bench.train.watching.snapshot import Camera, choose
from detectors.ops import aligned_iou, pairwise_iou
from detectors.parts.assign import Assignment
from detectors.parts.loss import smooth_l1
from detectors.targets import pad_targets
from tests.data.layouts import simple_coco

CPU = Place(torch.device("cpu"))


def slow(training: Training, batch: Any) -> tuple[int, int, list[list[float]], list[list[int]]]:
    """Positives, objects, and for each pair of codes and bin the sum of |gradient| and how many, one by one."""
    model = training.model
    images, targets, _ = batch
    kept: list[Any] = []
    handle = model.training_losses.register_forward_pre_hook(lambda module, inputs: kept.append(inputs))
    losses = model(images, targets)
    handle.remove()
    output, anchors, padded = kept[0]
    assignment: Assignment = model.training_losses.assign(output, anchors, padded)
    (gradient,) = torch.autograd.grad(losses["loc"], output.loc)
    positives = assignment.positive.nonzero().tolist()
    sums, counts = [[0.0] * BINS for _ in range(2)], [[0] * BINS for _ in range(2)]
    for image, anchor in positives:
        reference, slot = anchors.boxes[anchor], int(assignment.matched[image, anchor])
        wanted = model.training_losses.coder.encode(reference, padded.boxes[image, slot])
        for code in range(4):
            error = abs(float(output.loc[image, anchor, code].detach()) - float(wanted[code]))
            place = sum(error >= edge for edge in EDGES)
            sums[code // 2][place] += abs(float(gradient[image, anchor, code])) * len(positives)
            counts[code // 2][place] += 1
    return len(positives), sum(len(target["labels"]) for target in targets), sums, counts


@pytest.mark.parametrize("compact", [True, False])
@pytest.mark.parametrize("variant", ["paa_tiny", "retinanet_tiny_iou_balanced", "ssd_tiny", "fcos_tiny"])
def test_counts_equal_loops_over_positives(make_job, variant: str, compact: bool) -> None:
    job = make_job(variant)
    ours, theirs = prepare(job, CPU), prepare(job, CPU)
    observer = Observer(ours, every=2)
    ours.model.training_losses.compact = compact
    for step, batch in zip((1, 2, 3), ours.batches, strict=False):
        theirs.model.load_state_dict(ours.model.state_dict())
        ours.step(batch, 0.0)
        if step != 2:
            assert observer.flush() == []
            continue
        (seen,) = observer.flush()
        positives, objects, sums, counts = slow(theirs, batch)
        assert (seen.iteration, seen.positives, seen.objects) == (2, positives, objects)
        assert seen.positives_per_object == pytest.approx(positives / objects)
        assert [list(line) for line in seen.count] == counts
        for mine, other in zip(seen.pull, sums, strict=True):
            assert list(mine) == pytest.approx(other, rel=1e-3, abs=1e-6)
        assert sum(map(sum, counts)) == 4 * positives > 0


def test_the_gradient_of_smooth_l1_is_its_slope(make_job) -> None:
    """What the picture shows of the plain loss is the curve that the paper draws: d / knee, and then 1."""
    job = make_job("retinanet_tiny")
    job = replace(job, detector=replace(job.detector, loc_loss=smooth_l1.Config(beta=1 / 9)))
    training = prepare(job, CPU)
    observer = Observer(training, every=1)
    for _, batch in zip(range(4), training.batches, strict=False):
        training.step(batch, 0.0)
    for one in observer.flush():
        for pull, count in zip(one.pull, one.count, strict=True):
            for place in range(1, BINS - 1):
                low, high = EDGES[place - 1], EDGES[place]
                if count[place]:
                    mean = pull[place] / count[place]
                    assert min(1, low * 9) - 1e-4 <= mean <= min(1, high * 9) + 1e-4


def state_of(job: Job) -> dict[str, Tensor]:
    return read_state(job.weights)["model"]


@pytest.mark.parametrize("variant", ["paa_tiny", "faster_rcnn_tiny"])
def test_a_watched_training_is_the_same_to_the_bit(make_job, tmp_path: Path, variant: str) -> None:
    plain, watched = make_job(variant), make_job(variant, out="watched", log_every=1)
    train(plain, place=CPU)
    album = Album(tmp_path, watched)
    train(watched, place=CPU, hooks=Hooks(begin=album.begin, step=album.step))
    ours, theirs = state_of(plain), state_of(watched)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert (tmp_path / SEEN).exists() == (variant == "paa_tiny")
    draw_album(tmp_path, Path(watched.store))
    drawn = {path.stem for path in (tmp_path / TRAINING).iterdir()}
    of_anchors = {"positives_per_object", "gradient_by_error", "assignment"}
    assert drawn == (of_anchors if variant == "paa_tiny" else {"regression_gains"})


def test_an_album_goes_on_after_a_kill(make_job, stores: dict[str, Store], tmp_path: Path) -> None:
    job = make_job("paa_tiny", log_every=2, checkpoint_every=4, iterations=10)
    album = Album(tmp_path, job)

    class Killed(Exception):
        pass

    def kill(record: Any) -> None:
        album.step(record)
        if record.iteration == 7:
            (tmp_path / SEEN).open("a").write('{"iteration": 8, "posit')
            raise Killed

    with pytest.raises(Killed):
        train(job, place=CPU, hooks=Hooks(begin=album.begin, step=kill))
    again = Album(tmp_path, job)
    train(job, place=CPU, hooks=Hooks(begin=again.begin, step=again.step))
    draw_album(tmp_path, Path(job.store), "mine")
    table = (tmp_path / TRAINING / "positives_per_object.csv").read_text().splitlines()
    assert [line.split(",")[1] for line in table[1:]] == ["2", "4", "6", "8", "10"]
    shots = {json.loads(line)["iteration"] for line in (tmp_path / SNAPSHOTS).read_text().splitlines()}
    assert shots == {1, 3, 10}
    assert set(pulls(tmp_path, "mine")) == {"mine, first fifth", "mine, last fifth"}
    curve = [json.loads(line) for line in (tmp_path / CURVE).read_text().splitlines()]
    assert {"positives_per_object", "iteration", "time"} == set(curve[0])
    for name in ("positives_per_object", "gradient_by_error", "assignment"):
        assert next((tmp_path / TRAINING).glob(f"{name}.[pj][np]g")).stat().st_size > 5000


@pytest.mark.parametrize("side", [64, 96])
def test_a_snapshot_says_what_the_assigner_says(make_job, stores: dict[str, Store], side: int) -> None:
    """In source pixels, whatever the size of the input."""
    store = stores["train"]
    job = make_job("retinanet_tiny")
    job = replace(job, input=replace(job.input, mode="square", min_size=(side,)))
    training = prepare(job, CPU)
    fit(training)
    model, camera = training.model.train(), Camera(store, job.input)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    chance = torch.get_rng_state()
    shot = camera.take(model, 6)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), chance)
    found = store.annotations(shot.row)
    assert torch.allclose(torch.tensor(shot.objects), torch.from_numpy(found.boxes), atol=1e-4)
    anchors = torch.tensor([[one[f"anchor_{edge}"] for edge in ("x1", "y1", "x2", "y2")] for one in shot.positives])
    boxes = torch.tensor([[one[f"box_{edge}"] for edge in ("x1", "y1", "x2", "y2")] for one in shot.positives])
    slots = torch.tensor([int(one["object"]) for one in shot.positives])
    objects = torch.from_numpy(found.boxes)[slots]
    for which, those in (("anchor", anchors), ("box", boxes)):
        said = torch.tensor([one[f"{which}_iou"] for one in shot.positives])
        assert torch.allclose(said, aligned_iou(those, objects), atol=1e-3)
    # Max-IoU: each positive overlaps its object by half, or is the best that some object has.
    iou = pairwise_iou(torch.from_numpy(found.boxes), anchors)
    best = (iou >= iou.amax(1, keepdim=True) - 1e-4).any(0)
    assert all(one["anchor_iou"] >= 0.5 - 1e-4 or best[i] for i, one in enumerate(shot.positives))
    assert len(slots.unique()) > 1


def test_the_same_boxes_are_given_and_their_gains_are_those_of_the_head(make_job, stores: dict[str, Store]) -> None:
    job = make_job("faster_rcnn_tiny")
    training = prepare(job, CPU)
    given = GivenBoxes(stores["train"], job.input)
    before = {name: value.clone() for name, value in training.model.state_dict().items()}
    chance = torch.get_rng_state()
    first = given.to(training.model.train(), 0)
    assert training.model.training
    assert all(torch.equal(value, before[name]) for name, value in training.model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), chance)
    fit(training)
    last = GivenBoxes(stores["train"], job.input).to(training.model, 6)
    assert first.before == last.before
    assert len(first.before) % PER_OBJECT == 0
    assert min(first.before) >= 0.5 - 1e-4
    assert np.mean(first.before) == pytest.approx(0.75, abs=0.03), "uniform in IoU"
    assert first.after != last.after
    assert all(0 <= iou <= 1 for iou in last.after)


def test_a_head_that_regresses_nothing_gains_nothing(make_job, stores: dict[str, Store]) -> None:
    job = make_job("faster_rcnn_tiny")
    model = prepare(job, CPU).model
    for parameter in model.stage.head.box.parameters():
        parameter.data.zero_()
    gains = GivenBoxes(stores["train"], job.input).to(model, 0)
    assert gains.after == pytest.approx(gains.before, abs=1e-4)


def test_no_boxes_are_given_to_anchors(make_job, stores: dict[str, Store]) -> None:
    job = make_job("retinanet_tiny")
    assert GivenBoxes(stores["train"], job.input).to(prepare(job, CPU).model, 0) is None


@pytest.mark.parametrize("crowd", [0, 1])
def test_data_without_objects_give_no_boxes(make_job, tmp_path: Path, crowd: int) -> None:
    """None at all, or a crowd, which nobody need find."""
    root = simple_coco(tmp_path / "coco", 2, iscrowd=crowd)
    file = next(root.rglob("instances_*.json"))
    tree = json.loads(file.read_text())
    file.write_text(json.dumps(tree if crowd else tree | {"annotations": []}))
    store = prepare_data(Coco(root=str(root)), tmp_path / "store", split="val")
    job = make_job("faster_rcnn_tiny")
    assert GivenBoxes(store, job.input).to(prepare(job, CPU).model, 0) is None


def test_an_image_with_a_few_objects_is_chosen(stores: dict[str, Store]) -> None:
    counts = [len(stores["train"].annotations(row)) for row in range(len(stores["train"]))]
    assert 2 <= counts[choose(stores["train"])] <= 6


def test_no_object_no_division() -> None:
    nothing = tuple((0.0,) * BINS for _ in range(2))
    assert Observation(1, 0, 0, nothing, nothing).positives_per_object == 0


def test_nothing_waits_for_a_device_before_someone_looks() -> None:
    """Tensors that pretend to be on a GPU hold no values: whatever would have to wait for one fails."""
    with FakeTensorMode(), torch.device("cuda"):
        model = detectors.build("paa_tiny", 3)
        observer = Observer(SimpleNamespace(model=model, iteration=0), every=1)
        targets = [{"boxes": torch.empty(n, 4), "labels": torch.empty(n, dtype=torch.int64)} for n in range(4)]
        outputs: list[Any] = []
        model.training_losses.register_forward_pre_hook(lambda module, inputs: outputs.append(inputs[0]))
        model.losses(model.as_batch(torch.empty(4, 3, 64, 64)), pad_targets(targets))
        (hook,) = outputs[0].loc._backward_hooks.values()
        hook(torch.empty_like(outputs[0].loc))
    ((step, seen),) = observer._pending
    assert step == 1
    assert seen.device.type == "cuda"
