"""Torchvision's Faster R-CNN and ours, with the same weights, say the same of the same images."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import resnet18
from torchvision.models.detection import fasterrcnn_resnet50_fpn

import detectors
from detectors import zoo
from detectors.weights import load_backbone_state, load_torchvision_state, load_weights

HEIGHT, WIDTH, LOWEST = 128, 192, 0.02
PER_LEVEL, PROPOSALS = 400, 200


@pytest.fixture(scope="module")
def images() -> list[Tensor]:
    torch.manual_seed(1)
    return [functional.interpolate(torch.rand(1, 3, 8, 12), size=(HEIGHT, WIDTH))[0] for _ in range(2)]


@pytest.fixture(scope="module")
def theirs(images: list[Tensor]) -> nn.Module:
    """Random weights, scaled until scores and boxes spread: order, suppression and clipping then matter."""
    torch.manual_seed(0)
    model = fasterrcnn_resnet50_fpn(
        weights=None,
        weights_backbone=None,
        num_classes=91,
        min_size=HEIGHT,
        max_size=WIDTH,
        box_score_thresh=LOWEST,
        rpn_pre_nms_top_n_test=PER_LEVEL,
        rpn_post_nms_top_n_test=PROPOSALS,
    )
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        model.backbone.train()(torch.stack(images) * 4 - 2)
        model.eval()
        spread(model.rpn.head.cls_logits, 2.0, lambda: model(images))
        spread(model.rpn.head.bbox_pred, 0.3, lambda: model(images))
        spread(model.roi_heads.box_predictor.cls_score, 2.0, lambda: model(images))
        spread(model.roi_heads.box_predictor.bbox_pred, 1.0, lambda: model(images))
    return model


def spread(layer: nn.Module, std: float, run: Callable[[], object]) -> None:
    """Scales a layer's weights so that its outputs have about this standard deviation, and its biases along."""
    seen: list[float] = []
    hook = layer.register_forward_hook(lambda module, inputs, output: seen.append(float(output.std())))
    run()
    hook.remove()
    for parameter in layer.parameters():
        parameter.mul_(std / seen[0])
    nn.init.normal_(layer.get_parameter("bias"), std=std / 10)


def ours_with(theirs: nn.Module, classes: list[int] | None = None) -> nn.Module:
    config = zoo.config("faster_rcnn_r50_fpn")
    config = replace(
        config,
        floor=LOWEST,
        post=replace(config.post, score_threshold=LOWEST),
        proposals=replace(config.proposals, per_level=(1, PER_LEVEL), count=(1, PROPOSALS)),
    )
    model = detectors.build(config, num_classes=90 if classes is None else len(classes))
    load_torchvision_state(model, theirs.state_dict(), classes)
    return model.eval()


@torch.no_grad()
def test_same_weights_give_the_same_detections(theirs: nn.Module, images: list[Tensor]) -> None:
    for expected, found in zip(theirs(images), ours_with(theirs)(images), strict=True):
        assert len(expected["scores"]) > 50
        assert len(set(expected["labels"].tolist())) > 3
        torch.testing.assert_close(found["scores"], expected["scores"], atol=1e-4, rtol=0)
        here, there = (rows(found, found["labels"] + 1), rows(expected, expected["labels"]))
        apart = (here[:, None] - there).abs().amax(-1)
        assert apart.amin(0).max() < 1e-4
        assert len(set(apart.argmin(0).tolist())) == len(there)


def rows(detections: dict[str, Tensor], labels: Tensor) -> Tensor:
    """[N, 6], to compare detections whose order may differ where scores are equal."""
    return torch.cat([detections["boxes"] / WIDTH, detections["scores"][:, None], labels[:, None].float()], 1)


@torch.no_grad()
def test_bytes_are_seen_as_the_same_image(theirs: nn.Module, images: list[Tensor]) -> None:
    image = (images[0] * 255).round().to(torch.uint8)
    (expected,), (found,) = theirs([image / 255]), ours_with(theirs)([image])
    torch.testing.assert_close(found["scores"], expected["scores"], atol=1e-4, rtol=0)


def test_some_of_the_classes_in_an_order_of_ones_own(theirs: nn.Module) -> None:
    state, ours = theirs.state_dict(), ours_with(theirs, classes=[17, 3])
    head = ours.get_submodule("stage.head")
    expected = state["roi_heads.box_predictor.cls_score.weight"][[17, 3, 0]]
    assert torch.equal(head.get_parameter("cls.weight"), expected)
    assert torch.equal(
        head.get_parameter("box.bias"),
        state["roi_heads.box_predictor.bbox_pred.bias"][[68, 69, 70, 71, 12, 13, 14, 15]],
    )


def test_names_of_older_files(theirs: nn.Module) -> None:
    state = theirs.state_dict()
    older = {re.sub(r"(blocks\.\d)\.0|(head\.conv)\.0\.0", r"\1\2", name): value for name, value in state.items()}
    assert set(older) != set(state)
    load_torchvision_state(detectors.build("faster_rcnn_r50_fpn", num_classes=90), older)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda state: state | {"nonsense": torch.zeros(1)}, "'nonsense' is no parameter"),
        (lambda state: {name: value for name, value in state.items() if "rpn" not in name}, "6 do not fit the model"),
    ],
)
def test_weights_of_another_model_are_refused(theirs: nn.Module, spoil: Callable, message: str) -> None:
    model = detectors.build("faster_rcnn_r50_fpn", num_classes=90)
    with pytest.raises(ValueError, match=message):
        load_torchvision_state(model, spoil(theirs.state_dict()))


def test_a_label_that_the_weights_lack_is_refused(theirs: nn.Module) -> None:
    with pytest.raises(ValueError, match=r"labels 1 to 90; \[91\]"):
        load_torchvision_state(detectors.build("faster_rcnn_r50_fpn", 2), theirs.state_dict(), classes=[1, 91])


def test_backbone_takes_the_weights_of_a_classifier() -> None:
    torch.manual_seed(0)
    classifier, model = resnet18(weights=None), detectors.build("faster_rcnn_r18_fpn", num_classes=2)
    load_backbone_state(model, classifier.state_dict())
    assert torch.equal(model.get_parameter("backbone.layer4.1.conv2.weight"), classifier.layer4[1].conv2.weight)
    with pytest.raises(ValueError, match="missing"):
        load_backbone_state(model, {"conv1.weight": classifier.conv1.weight})


def test_what_weights_are_of_is_seen_by_their_names(theirs: nn.Module) -> None:
    torch.manual_seed(0)
    rated = detectors.build("iou_net_r50_fpn", num_classes=90)
    rest = load_weights(rated, theirs.state_dict())
    assert rest == [name for name in rated.state_dict() if name.startswith("quality.")]
    assert torch.equal(rated.get_parameter("proposals.box.bias"), theirs.state_dict()["rpn.head.bbox_pred.bias"])
    plain = detectors.build("faster_rcnn_r50_fpn", num_classes=3)
    rest = load_weights(plain, rated.state_dict())
    assert {name.rpartition(".")[0] for name in rest} == {"stage.head.cls", "stage.head.box"}
    assert torch.equal(plain.get_parameter("neck.inner.0.weight"), rated.get_parameter("neck.inner.0.weight"))
    body = {name.removeprefix("backbone.body."): v for name, v in theirs.state_dict().items() if "body" in name}
    dense = detectors.build("retinanet_r50_fpn", num_classes=3)
    rest = load_weights(dense, body | {"fc.weight": torch.zeros(1000, 2048)})
    assert {name.partition(".")[0] for name in rest} == {"neck", "head"}
    assert torch.equal(dense.state_dict()["backbone.bn1.running_var"], body["bn1.running_var"])


def test_without_classes_the_layers_that_tell_them_apart_stay(theirs: nn.Module) -> None:
    model = detectors.build("faster_rcnn_r50_fpn", num_classes=3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    rest = load_torchvision_state(model, theirs.state_dict(), classes=[])
    assert {name.rpartition(".")[0] for name in rest} == {"stage.head.cls", "stage.head.box"}
    assert all(torch.equal(model.state_dict()[name], before[name]) for name in rest)


def test_weights_of_which_nothing_fits() -> None:
    model = detectors.build("retinanet_tiny", num_classes=2)
    with pytest.raises(ValueError, match="no parameter of the model has the name and the shape"):
        load_weights(model, {"head.cls.bias": torch.zeros(1)})
    with pytest.raises(ValueError, match=r"they have head\.cls\.bias, but no head\.loc\.bias"):
        load_weights(model, {"head.classification_head.cls_logits.bias": torch.zeros(27)})


@torch.no_grad()
def test_as_much_arithmetic_as_torchvision(theirs: nn.Module, images: list[Tensor]) -> None:
    counts = []
    for model in (ours_with(theirs), theirs):
        with FlopCounterMode(display=False) as counter:
            model(images)
        counts.append(counter.get_total_flops())
    assert counts[1] > 1e9
    assert abs(counts[0] / counts[1] - 1) < 0.005


def test_as_many_parameters_as_torchvision(theirs: nn.Module) -> None:
    ours = detectors.build("faster_rcnn_r50_fpn", num_classes=90)
    counts = [sum(parameter.numel() for parameter in model.parameters()) for model in (ours, theirs)]
    assert abs(counts[0] / counts[1] - 1) < 0.005
