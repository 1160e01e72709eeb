"""The board as one HTML file that needs nothing else: data, style and script inside, no request to anywhere."""

import base64
import hashlib
import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from bench.board.board import Board
from bench.board.forms.page_data import page_data

FILES = Path(__file__).with_name("page_files")
SCRIPTS = ("charts.js", "figures.js", "details.js", "table.js", "app.js")


def write_page(board: Board, path: Path) -> Path:
    return write_text(path, to_html(board))


def write_text(path: Path, text: str) -> Path:
    """The whole file at once, or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
    return path


def to_html(board: Board) -> str:
    return page("page.html.j2", page_data(board), SCRIPTS, board=board)


def page(template: str, data: dict[str, Any], scripts: tuple[str, ...], **more: Any) -> str:
    """A template of `page_files` with its data, the style and scripts, and a policy that forbids anything else."""
    style = _read("style.css")
    script = "\n".join(_read(name) for name in ("dom.js", "theme.js", *scripts))
    return _template(template).render(
        data=embedded(data),
        style=style,
        script=script,
        policy=f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'",
        **more,
    )


def embedded(data: dict[str, Any]) -> str:
    """JSON that no name in it can end the script element early."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for letter, code in (
        ("<", "\\u003c"),
        (">", "\\u003e"),
        ("&", "\\u0026"),
        ("\u2028", "\\u2028"),
        ("\u2029", "\\u2029"),
    ):
        text = text.replace(letter, code)
    return text


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _read(name: str) -> str:
    return (FILES / name).read_text(encoding="utf-8").strip()


@cache
def _template(name: str) -> Any:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_read(name))
