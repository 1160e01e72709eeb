"""Where the record is: a server, a database, or the sqlite file beside the runs."""

from pathlib import Path
from urllib.parse import urlsplit

SQLITE = "sqlite:///"


def database_uri(root: Path) -> str:
    return f"{SQLITE}{(root / 'mlflow.db').resolve()}"


def with_driver(uri: str) -> str:
    """PostgreSQL through the driver that the extra `postgres` installs, whatever SQLAlchemy would choose."""
    scheme, _, rest = uri.partition("://")
    return f"postgresql+psycopg2://{rest}" if scheme in ("postgres", "postgresql") else uri


def is_server(uri: str) -> bool:
    return uri.startswith(("http://", "https://"))


def database_file(uri: str) -> Path | None:
    """The file that holds the whole record, if one does."""
    return Path(uri.removeprefix(SQLITE)) if uri.startswith(SQLITE) else None


def without_password(uri: str) -> str:
    parts = urlsplit(uri)
    return uri.replace(f":{parts.password}@", ":***@") if parts.password else uri
