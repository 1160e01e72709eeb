"""The nearest right name for a wrong one."""

from collections.abc import Iterable
from difflib import get_close_matches

LISTED_AT_MOST = 12


def remedy(wrong: object, options: Iterable[str]) -> str:
    """`did you mean X?` where a name is near, else the names there are."""
    names = sorted(options)
    near = get_close_matches(str(wrong).lower(), names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    if not names:
        return "nothing can be set here"
    more = f" … ({len(names)} in all)" if len(names) > LISTED_AT_MOST else ""
    return f"there is {', '.join(names[:LISTED_AT_MOST])}{more}"
