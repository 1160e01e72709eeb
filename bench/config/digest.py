"""The identity of a step: a hash over everything that determines its result."""

import hashlib
import json
from typing import Any

from bench.config.tree import to_tree

LENGTH = 16


def digest(*parts: Any) -> str:
    """The same for equal content, whatever the order of keys; configs count as their trees."""
    text = json.dumps([to_tree(part) for part in parts], sort_keys=True, separators=(",", ":"), allow_nan=True)
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]
