"""The token of a cluster, where Ray itself looks for it: it travels in a header of each request and nowhere else."""

import os
from pathlib import Path

from bench.errors import UserError

REMEDY = "set RAY_AUTH_TOKEN, or RAY_AUTH_TOKEN_PATH to a file of it; on the head `ray get-auth-token` shows it"
HOME = Path("~/.ray/auth_token")


def find_token() -> str:
    """The token of this environment, or "" where there is none or RAY_AUTH_MODE says that none is wanted."""
    if os.environ.get("RAY_AUTH_MODE", "").lower() == "disabled":
        return ""
    given = os.environ.get("RAY_AUTH_TOKEN", "").strip()
    if given:
        return given
    path = os.environ.get("RAY_AUTH_TOKEN_PATH", "")
    if path:
        return _read(Path(path))
    home = HOME.expanduser()
    return _read(home) if home.is_file() else ""


def headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the token cannot be read ({error})", where=str(file), remedy=REMEDY) from error
