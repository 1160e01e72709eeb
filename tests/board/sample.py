"""A study that looks like a real one, as records: rows, seeds, intervals, papers, failures, curves."""

from typing import Any

import numpy as np

from bench.board.board import Board
from bench.board.making.build import build
from bench.board.making.group import Extras
from bench.track.record import RunRecord, StudyRecord

ROWS = {
    # row: (AP, change of the network, ms, published)
    "faster_rcnn": (0.412, {}, 41.0, 0.364),
    "+ iou prediction": (0.421, {"head.quality.kind": "iou"}, 43.0, 0.370),
    "+ iou-guided nms": (0.429, {"post.suppress.kind": "iou_guided"}, 44.0, 0.376),
    "+ refinement": (0.436, {"post.refine.steps": "5"}, 63.0, 0.381),
    "iou-balanced η=0.5": (0.414, {"loss.eta": "0.5"}, 41.0, 0.371),
    "iou-balanced η=1.0": (0.419, {"loss.eta": "1.0"}, 41.0, 0.374),
    "iou-balanced η=1.5": (0.423, {"loss.eta": "1.5"}, 41.0, 0.378),
    "iou-balanced η=2.0": (0.416, {"loss.eta": "2.0"}, 41.0, 0.375),
    "retinanet": (0.395, {"kind": "retinanet"}, 38.0, None),
    "paa": (0.441, {"kind": "paa", "assigner.kind": "paa"}, 39.0, 0.404),
}
SEEDS = (0, 1, 2)
IOUS = [round(0.5 + 0.05 * step, 2) for step in range(10)]


def curves(ap: float, seed: int, offset: int) -> dict[str, Any]:
    recall = np.linspace(0, 1, 101)
    images = np.random.default_rng(0).normal(size=200)
    own = np.random.default_rng(100 * offset + seed).normal(size=200)
    return {
        "ap_over_iou": {"iou": IOUS, "ap": [ap * (1.6 - 2.2 * (t - 0.5) ** 1.3) for t in IOUS]},
        "pr": {
            t: {"recall": recall.tolist(), "precision": np.clip(1.05 - recall ** (3 * ap / f), 0, 1).tolist()}
            for t, f in (("0.50", 0.5), ("0.75", 0.75), ("0.90", 1.3))
        },
        "reliability": {
            "score": {
                "predicted": [0.05 + 0.1 * i for i in range(10)],
                "actual": [(0.05 + 0.1 * i) ** 1.4 for i in range(10)],
                "count": [900 - 80 * i for i in range(10)],
            }
        },
        "errors": {"Cls": 0.031, "Loc": 0.062 - ap / 20, "Both": 0.011, "Dupe": 0.004, "Bkg": 0.021, "Miss": 0.085},
        "per_class": {"person": {"AP": ap + 0.05}, "car": {"AP": ap}, "dog": {"AP": ap - 0.07}},
        "resamples": {"key": "coco-0", "AP": (ap + 0.012 * images + 0.002 * own).tolist()},
    }


def run(row: str, seed: int, index: int, ap: float, params: dict[str, str], ms: float) -> RunRecord:
    own = ap + np.random.default_rng(10 * index + seed).normal(0, 0.0015)
    metrics = {f"AP{t}": own * (1.55 - 2.1 * (t / 100 - 0.5)) for t in (50, 60, 70, 75, 80, 90)}
    metrics |= {
        "AP": own,
        "AP.low": own - 0.011,
        "AP.high": own + 0.012,
        "APs": own * 0.6,
        "APm": own,
        "APl": own * 1.3,
    }
    metrics |= {"AR100": own * 1.3, "pearson_iou_score": own * 1.4, "iou_pred_error": 0.5 - own}
    metrics |= {
        "ms_per_image": ms + seed / 10,
        "ms_p95": ms * 1.2,
        "gflops": ms * 3,
        "params_m": 41.8,
        "gpu_hours": ms / 10,
    }
    metrics |= {"train/loss": 0.4, "system/cpu_utilization_percentage": 91.0}
    return RunRecord(
        study="iou_net",
        row=row,
        seed=seed,
        profile="mini",
        status="done",
        metrics=metrics,
        params={"kind": "faster_rcnn", "loss.eta": "0.0", "train.lr": "0.02"} | params,
        tags={"about": "Ours", "git_revision": "0123abc", "hardware": "2 x EPYC", "data_fingerprint": "f0" * 8},
        started=0.0,
        ended=3600.0,
        run_id=f"{index:04d}{seed:04d}",
    )


def records() -> list[RunRecord]:
    found = [run(row, s, i, ap, params, ms) for i, (row, (ap, params, ms, _)) in enumerate(ROWS.items()) for s in SEEDS]
    lost = {"study": "iou_net", "profile": "mini", "params": {"kind": "ssd"}}
    found.append(
        RunRecord(row="ssd512", seed=0, status="failed", reason="loss is nan at iteration 120", run_id="x0", **lost)
    )
    found.append(RunRecord(row="htc", seed=0, status="running", run_id="x1", metrics={"train/loss": 2.0}, **lost))
    found.append(
        RunRecord(row="theirs", study="iou_net", source="other", status="done", metrics={"AP": 0.99}, run_id="x2")
    )
    for row, (_, _, _, published) in ROWS.items():
        if published is not None:
            tags = {"paper": "IoU-Net", "table": "Table 3", "schedule": "1x", "footnote": "minival"}
            metrics = {"AP": published, "AP50": published * 1.5}
            found.append(
                RunRecord(study="iou_net", row=row, source="published", status="done", metrics=metrics, tags=tags)
            )
    tags = {"paper": "IoU-Net", "table": "Table 3", "footnote": "not trained here", "only_printed": "yes"}
    metrics = {"AP": 0.421, "AP50": 0.601}
    found.append(RunRecord(study="iou_net", row="snip", source="published", status="done", metrics=metrics, tags=tags))
    return found


def study() -> StudyRecord:
    claims = (
        {
            "text": "AP[+ refinement] > AP[+ iou-guided nms] > AP[faster_rcnn]",
            "verdict": "holds",
            "detail": "+0.7 [+0.1, +1.3]",
        },
        {"text": "AP90[paa] > AP90[+ refinement]", "verdict": "undecided", "detail": "+0.2 [−0.9, +1.2]"},
        {"text": "AP[retinanet] > AP[faster_rcnn]", "verdict": "fails", "detail": "−1.7 [−2.6, −0.8]"},
    )
    params = {"baseline": "faster_rcnn", "metric": "AP"}
    about = "Does knowing how well a box fits make a detector better?"
    return StudyRecord(study="iou_net", profile="mini", description=about, params=params, claims=claims)


def extras() -> dict[str, Extras]:
    return {
        f"{index:04d}{seed:04d}": Extras(curves(ap, seed, index))
        for index, (ap, _, _, _) in enumerate(ROWS.values())
        for seed in SEEDS
    }


def board() -> Board:
    return build(records(), [study()], extras())
