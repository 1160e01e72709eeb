"""The numbers a leaderboard knows by name: how each is called, scaled, rounded, and which way is better."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """One column. `better`: 1 if more is better, -1 if less is, 0 if neither. `wide` ones are shown only on request."""

    name: str
    label: str
    about: str
    group: str = "other"
    better: int = 0
    scale: float = 1.0
    digits: int = 3
    wide: bool = True


def _points(name: str, about: str, *, wide: bool = True, group: str = "accuracy") -> Metric:
    return Metric(name, name, f"{about}, in points of 100", group, 1, 100.0, 1, wide)


def _cost(name: str, label: str, about: str, digits: int = 1, *, wide: bool = True, better: int = -1) -> Metric:
    return Metric(name, label, about, "cost", better, 1.0, digits, wide)


KNOWN = {
    metric.name: metric
    for metric in (
        _points("AP", "Average precision over IoU .50 to .95", wide=False),
        *(
            _points(f"AP{t}", f"Average precision at IoU .{t}", wide=t in (60, 70, 80))
            for t in (50, 60, 70, 75, 80, 90)
        ),
        _points("APs", "AP of small objects"),
        _points("APm", "AP of medium objects"),
        _points("APl", "AP of large objects"),
        _points("AR1", "Average recall with 1 detection an image"),
        _points("AR10", "Average recall with 10 detections an image"),
        _points("AR100", "Average recall with 100 detections an image"),
        _points("ARs", "AR of small objects"),
        _points("ARm", "AR of medium objects"),
        _points("ARl", "AR of large objects"),
        *(_points(f"recall{t}", f"Recall at IoU .{t}") for t in (50, 60, 70, 75, 80, 90)),
        Metric(
            "pearson_iou_score", "ρ(IoU, score)", "Pearson correlation of score and true IoU", "quality", 1, wide=False
        ),
        Metric("spearman_iou_score", "ρₛ(IoU, score)", "Rank correlation of score and true IoU", "quality", 1),
        Metric("iou_pred_error", "IoU error", "Mean absolute error of the predicted IoU", "quality", -1),
        _cost("ms_per_image", "ms", "Median milliseconds an image, batch 1", wide=False),
        _cost("ms_p95", "ms p95", "95th percentile of milliseconds an image"),
        _cost("gflops", "GFLOPs", "Billions of multiply-adds an image"),
        _cost("params_m", "Mparams", "Millions of parameters"),
        _cost("memory_gb", "GB", "Peak memory of the device", 2),
        _cost("gpu_hours", "GPU h", "GPU-hours of training", 2),
        _cost("wall_hours", "hours", "Hours of training by the clock", 2),
        _cost("energy_wh", "Wh", "Energy of the GPUs in training"),
        _cost("host_memory_gb", "host GB", "Most memory that a training took of its machine", 2),
    )
}
GROUPS = ("accuracy", "quality", "cost", "other")
_POINTS = re.compile(r"A[PR](\d+|[sml])?\d*$")
_NOT_SHOWN = re.compile(r"/|\.(low|high)$")


def metric_of(name: str) -> Metric:
    if name in KNOWN:
        return KNOWN[name]
    return _points(name, name) if _POINTS.match(name) else Metric(name, name, name)


def is_column(name: str) -> bool:
    """Training curves, machine load and the ends of intervals are no columns."""
    return not _NOT_SHOWN.search(name)


def in_order(names: set[str]) -> list[str]:
    """Known metrics in their order, then the others by name."""
    known = [name for name in KNOWN if name in names]
    return known + sorted(names - set(known), key=lambda name: (GROUPS.index(metric_of(name).group), name))
