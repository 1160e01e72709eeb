"""What the page's script reads: the board as compact JSON, numbers rounded to what anyone can see."""

import base64
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bench.board.board import Board, Estimate, Picture, Row
from bench.board.metrics import metric_of

ROWS_WITH_CURVES = 200
POINTS_A_CURVE = 26
PICTURE_BYTES = 1_500_000
PICTURE_SIDE = 1000
QUICK = 2
"""of WebP's ways from 0 to 6; the usual 4 takes five times as long and saves a twentieth"""
LEAST_PICTURE = 20_000
AXES = 6
SHARED = 0.6
"""of the rows have a setting that is worth an axis"""

Json = dict[str, Any]


def page_data(board: Board) -> Json:
    index = {row.id: number for number, row in enumerate(board.rows)}
    pictures = _Pictures(PICTURE_BYTES)
    return {
        "title": board.title,
        "description": board.description,
        "metric": board.metric,
        "manyStudies": board.many_studies,
        "columns": [_column(name, board.metric) for name in board.columns],
        "rows": [_row(board, number, row, pictures) for number, row in enumerate(board.rows)],
        "claims": [asdict(claim) for claim in board.claims],
        "sweeps": [_sweep(sweep.param, sweep.points, index) for sweep in board.sweeps],
        "axes": _axes(board.rows),
        "notes": list(board.notes),
    }


def _column(name: str, main: str) -> Json:
    metric = metric_of(name)
    shown = name == main or not metric.wide
    return {**asdict(metric), "shown": shown}


def _row(board: Board, number: int, row: Row, pictures: "_Pictures") -> Json:
    curves = row.curves if number < ROWS_WITH_CURVES or row.is_baseline else {}
    data = {
        "id": row.id,
        "name": row.name,
        "study": f"{row.study} {row.profile}".strip(),
        "base": row.is_baseline,
        "printed": row.only_printed,
        "about": row.about,
        "rank": row.rank,
        "last": row.last_rank,
        "status": row.status,
        "reason": row.reason,
        "seeds": len(row.runs),
        "v": [_estimate(row.values.get(name)) for name in board.columns],
        "d": {n: _estimate(e) for n, e in row.changes.items() if metric_of(n).better and metric_of(n).group != "cost"},
        "p": {name: _digits(value) for name, value in row.published.items()},
        "pd": {name: _digits(value) for name, value in row.published_changes.items()},
        "paper": dict(row.paper),
        "config": {name: list(pair) for name, pair in row.config_difference.items()},
        "made": dict(row.made_with),
        "command": row.command,
        "runs": [[run.seed, run.status, run.reason, run.run_id, run.url, _digits(run.hours)] for run in row.runs],
        "curves": _curves(curves),
        "known": bool(row.params),
        "pictures": pictures.take(row.pictures),
    }
    return {name: value for name, value in data.items() if value not in (None, "", [], {}, False)}


def _estimate(found: Estimate | None) -> Any:
    """A number, or [number, how far the interval reaches down, how far up]."""
    if found is None or found.value != found.value:
        return None
    if found.low is None or found.high is None:
        return _digits(found.value)
    return [_digits(found.value), _digits(found.value - found.low, 3), _digits(found.high - found.value, 3)]


def _digits(number: float | None, digits: int = 5) -> float | None:
    if number is None or number != number or number in (float("inf"), float("-inf")):
        return None
    short = float(f"{number:.{digits}g}")
    return int(short) if short.is_integer() else short


def _curves(curves: Mapping[str, Any]) -> Json:
    found = dict(curves)
    if "pr" in found:
        found["pr"] = {t: {name: _thin(line) for name, line in curve.items()} for t, curve in found["pr"].items()}
    return {name: _short(part) for name, part in found.items()}


def _thin(line: Sequence[float]) -> list[float]:
    step = max(1, (len(line) - 1) // (POINTS_A_CURVE - 1))
    return [*line[::step]]


def _short(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {str(name): _short(part) for name, part in tree.items()}
    if isinstance(tree, list | tuple):
        return [_short(part) for part in tree]
    return _digits(tree, 3) if isinstance(tree, int | float) else str(tree)


def _sweep(param: str, points: Sequence[tuple[float, str]], index: Mapping[str, int]) -> Json:
    return {"param": param, "points": [[number, index[row]] for number, row in points]}


def _axes(rows: Sequence[Row]) -> list[Json]:
    """Settings for parallel coordinates: they differ between rows, and rows share them.

    First those that most rows have, numbers before words, the most varied before others; of settings that divide the
    rows alike, one.
    """
    known = [row for row in rows if row.params]
    have = Counter(name for row in known for name in row.params)
    values = {name: [row.params.get(name) for row in known] for name in have if have[name] >= SHARED * len(known)}
    varied = {name: count for name, found in values.items() if (count := len(set(found) - {None})) > 1}
    order = sorted(varied, key=lambda name: (-have[name], not _numbers(values[name]), -varied[name], name))
    chosen: dict[tuple[int, ...], str] = {}
    for name in order:
        places = list(dict.fromkeys(values[name]))
        chosen.setdefault(tuple(places.index(value) for value in values[name]), name)
    return [{"name": name, "values": [row.params.get(name) for row in rows]} for name in list(chosen.values())[:AXES]]


def _numbers(texts: Sequence[str | None]) -> bool:
    try:
        return all(float(text) == float(text) for text in texts if text is not None)
    except ValueError:
        return False


class _Pictures:
    """Pictures as data addresses, made small, until the page's share is used up."""

    def __init__(self, budget: int) -> None:
        self.left = budget

    def take(self, pictures: Sequence[Picture]) -> list[Json]:
        taken = []
        for picture in pictures if self.left > LEAST_PICTURE else ():
            encoded = base64.b64encode(_small(picture)).decode()
            if 0 < len(encoded) <= self.left:
                self.left -= len(encoded)
                taken.append({"words": picture.words, "src": f"data:image/webp;base64,{encoded}"})
        return taken


def _small(picture: Picture) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    try:
        with Image.open(picture.path) as image:
            small = image if image.mode == "RGB" else image.convert("RGB")
            small.thumbnail((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.BILINEAR)
            small.save(out, "WEBP", quality=60, method=QUICK)
    except OSError:
        return b""
    return out.getvalue()
