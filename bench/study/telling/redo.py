"""What a row is, in words, and how to make it again: a command, and a study file that holds it whole."""

import json
import shlex
from collections.abc import Iterator
from typing import Any

import yaml

from bench.study.definition.find import all_studies
from bench.study.definition.profiles import FULL
from bench.study.definition.spec import Row, Study

SHOWN_DIFFERENCES = 12


def words(study: Study, row: Row) -> str:
    """What the study file says of a row, how it differs from the baseline, and the command for it, in Markdown."""
    base = next((other for other in study.rows if other.name == study.baseline), row)
    changed = [f"`{name}` {_short(there)} → {_short(here)}" for name, (there, here) in difference(row, base).items()]
    more = [f"and {len(changed) - SHOWN_DIFFERENCES} more"] if len(changed) > SHOWN_DIFFERENCES else []
    against = ", ".join(changed[:SHOWN_DIFFERENCES] + more)
    lines = [row.about, f"Against {base.name}: {against}" if against else "", f"`{command(study, row)}`"]
    return "\n\n".join(line for line in lines if line)


def command(study: Study, row: Row) -> str:
    """The command line that trains or finds this row again."""
    comes_along = all_studies().get(study.name) == study.file
    words = ["locbench", "run", study.name if comes_along else str(study.file)]
    if study.profile != FULL:
        words += ["--profile", study.profile]
    words += ["--rows", row.trial_of or row.name, "--seeds", str(len(study.seeds))]
    for setting in study.overrides:
        words += ["--set", f"{'.'.join(setting.path)}={json.dumps(setting.value)}"]
    return shlex.join(words)


def as_study_file(study: Study, row: Row) -> str:
    """A study of this row alone, every setting spelled out: it outlives changes of the study and of defaults."""
    tree = row.tree
    content = {
        "title": f"{row.name} of {study.name} ({study.profile})",
        "variant": row.variant,
        "seeds": len(study.seeds),
        "protocol": study.protocol,
        "rows": {row.name: {"about": row.about} if row.about else {}},
        **tree,
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)


def difference(row: Row, baseline: Row) -> dict[str, tuple[Any, Any]]:
    """Settings that are not the baseline's: (there, here), None where a setting does not exist."""
    here, there = dict(flat(row.tree)), dict(flat(baseline.tree))
    names = dict.fromkeys([*there, *here])
    return {name: (there.get(name), here.get(name)) for name in names if there.get(name) != here.get(name)}


def flat(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of a tree by dotted path."""
    if isinstance(tree, dict) and tree:
        for key, value in tree.items():
            yield from flat(value, f"{path}.{key}" if path else key)
    else:
        yield path, tree


def _short(value: Any) -> str:
    return "–" if value is None else str(value)
