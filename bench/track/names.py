"""Names and values as MLflow takes them: it refuses "AP@[.5:.95]", values over 6,000 characters, and a//b."""

import hashlib
import json
import re

MAX_NAME, MAX_VALUE = 250, 6000
_ILLEGAL = re.compile(r"[^/\w.\- :]", re.ASCII)


def legal(name: str) -> str:
    """The nearest name that MLflow accepts for a metric, a parameter or a tag."""
    parts = [part for part in _ILLEGAL.sub("_", name).split("/") if part not in ("", ".", "..")]
    return "/".join(parts)[:MAX_NAME] or "_"


def legal_model(name: str) -> str:
    """The nearest name that MLflow accepts for a logged model."""
    return re.sub(r"[/:.%\"']", "_", name)[:MAX_NAME] or "_"


def short(value: object) -> str:
    text = str(value)
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"


def key_of(*parts: object) -> str:
    """A key that is the same whenever the parts are: what makes starting a run twice start it once."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]
