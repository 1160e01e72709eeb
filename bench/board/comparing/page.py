"""The comparison of two rows as one self-contained page."""

import base64
from pathlib import Path
from typing import Any

import numpy as np

from bench.board.comparing.compare import Versus
from bench.board.comparing.drawing import draw_both
from bench.board.forms.page import page, write_text
from bench.board.metrics import metric_of
from bench.data.store import Store

DRAWN = 8
LISTED = 5000
SCRIPTS = ("charts.js", "compare.js")


def write_compare_page(found: Versus, store: Store, path: Path) -> Path:
    """`store` holds the images that both rows were judged on; the most improved and most worsened are drawn."""
    return write_text(
        path, page("compare.html.j2", compare_data(found, store), SCRIPTS, a=found.a.name, b=found.b.name)
    )


def compare_data(found: Versus, store: Store) -> dict[str, Any]:
    listed = np.flatnonzero(np.isfinite(found.change))
    listed = listed[np.argsort(-np.abs(found.change[listed]), kind="stable")][:LISTED]
    return {
        "a": found.a.name,
        "b": found.b.name,
        "title": f"{found.a.name} → {found.b.name}",
        "metric": "AP",
        "columns": [],
        "rows": [],
        "metrics": [_metric(one) for one in found.metrics],
        "images": [
            [store.annotations(int(i)).source_id, _short(found.a_images[i]), _short(found.b_images[i])] for i in listed
        ],
        "hidden": int(np.sum(np.isfinite(found.change))) - len(listed),
        "empty": int(np.sum(~np.isfinite(found.change))),
        "improved": [_picture(found, store, index) for index in found.most_improved(DRAWN)],
        "worsened": [_picture(found, store, index) for index in found.most_worsened(DRAWN)],
    }


def _metric(one: Any) -> dict[str, Any]:
    metric = metric_of(one.metric)
    difference = one.difference
    numbers = [one.a.value, one.b.value, difference.value, difference.low, difference.high]
    return {
        "label": metric.label,
        "about": metric.about,
        "numbers": [_short(n * metric.scale) for n in numbers],
        "verdict": one.verdict,
    }


def _picture(found: Versus, store: Store, index: int) -> dict[str, Any]:
    a, b = found.a_images[index], found.b_images[index]
    name = store.annotations(index).source_id
    words = f"{name}: image AP {100 * a:.1f} with {found.a.name} (left), {100 * b:.1f} with {found.b.name} (right)"
    return {
        "words": words,
        "src": f"data:image/webp;base64,{base64.b64encode(draw_both(store, index, found.a, found.b)).decode()}",
    }


def _short(number: float) -> float | None:
    return round(float(number), 4) if np.isfinite(number) else None
