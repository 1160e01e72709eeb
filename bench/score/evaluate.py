"""Detections against ground truth by a protocol: the entry to scoring."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import UserError
from bench.score.measures import quality
from bench.score.protocols import coco
from bench.score.protocols.engines import Engine, accumulate
from bench.score.protocols.protocol import Protocol, labels_of, protocol_named
from bench.score.protocols.voc import evaluate_voc
from bench.score.scores import Scores
from bench.score.tables.detections import Detections
from bench.score.tables.detections_file import read_detections
from bench.score.tables.ground_truth import GroundTruth

if TYPE_CHECKING:
    from bench.data.store import Store


def evaluate(
    detections: Detections,
    truth: GroundTruth | Store,
    protocol: Protocol | str = "coco",
    *,
    engine: Engine | None = None,
) -> Scores:
    """All numbers of the protocol, and of how well scores and predicted quality know the IoU."""
    truth = truth if isinstance(truth, GroundTruth) else GroundTruth.from_store(truth)
    rules = protocol_named(protocol) if isinstance(protocol, str) else protocol
    detections = replace(detections, num_images=truth.num_images).checked(truth.num_classes)
    truth, detections = _judged(rules, truth, detections)
    correlations = quality.summarize(truth, detections)
    if rules.rules == "voc":
        metrics, per_class = evaluate_voc(truth, detections, rules)
        return Scores(metrics | correlations, per_class, rules.name, "locbench", rules, truth, detections)
    result = accumulate(truth, detections, rules.masks, engine)
    return Scores(
        coco.summarize(result) | correlations,
        coco.per_class(result, truth.class_names),
        rules.name,
        result.engine,
        rules,
        truth,
        detections,
        result,
    )


def evaluate_file(path: Path, data: Path, protocol: str = "coco", *, engine: Engine | None = None) -> Scores:
    """A file of detections (Parquet or COCO results JSON) against a data store or a COCO annotation file."""
    truth = load_truth(data)
    return evaluate(read_detections(path, truth), truth, protocol, engine=engine)


def load_truth(data: Path) -> GroundTruth:
    """From the folder of a data store, or from a COCO annotation file."""
    if data.is_dir():
        from bench.data.store import Store

        return GroundTruth.from_store(Store.open(data))
    try:
        content: Any = json.loads(data.read_bytes())
    except FileNotFoundError:
        raise UserError("no such data", where=str(data), remedy="give a data store or COCO annotations") from None
    except ValueError as error:
        raise UserError(f"not JSON ({error})", where=str(data), remedy="give COCO annotations") from None
    return GroundTruth.from_coco(content, where=str(data))


def _judged(rules: Protocol, truth: GroundTruth, detections: Detections) -> tuple[GroundTruth, Detections]:
    """Without the classes that the protocol does not judge."""
    labels = labels_of(rules, truth)
    if labels == list(range(truth.num_classes)):
        return truth, detections
    new = np.full(truth.num_classes, -1)
    new[labels] = np.arange(len(labels))
    kept = detections.select(new[detections.labels] >= 0)
    return truth.only_classes(labels), replace(kept, labels=new[kept.labels])
