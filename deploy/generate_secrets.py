"""`generate_secrets.py FOLDER`: makes the deployment's secrets where one is missing; random, never shown.

One folder a service below FOLDER, so that each sees its own only. All are made anew together: to change them, remove
the volumes that end in `-secrets` and start again. Every service takes over what lies there at its own start.
"""

import os
import secrets
import sys
from pathlib import Path

JOBS_ACCOUNT = "jobs"


def main() -> None:
    folder = Path(sys.argv[1])
    contents = fresh()
    if all((folder / name).is_file() for name in contents):
        print("the secrets are there")
        return
    for name in contents:
        (folder / name).unlink(missing_ok=True)
    for name, text in contents.items():
        write(folder / name, text)
    print(f"made {len(contents)} secrets")


def fresh() -> dict[str, str]:
    """File below the folder -> content."""
    jobs_password, database_password = secrets.token_hex(24), secrets.token_hex(24)
    credentials = f"[mlflow]\nmlflow_tracking_username = {JOBS_ACCOUNT}\nmlflow_tracking_password = {jobs_password}\n"
    return {
        "ray/ray_token": secrets.token_hex(32),
        "ray/mlflow_credentials": credentials,
        "mlflow/admin_password": secrets.token_hex(24),
        "mlflow/jobs_password": jobs_password,
        "mlflow/signing_key": secrets.token_hex(32),
        "mlflow/pgpass": f"*:*:*:mlflow:{database_password}\n",
        "postgres/password": database_password,
    }


def write(path: Path, text: str) -> None:
    """A file that its owner alone may read, whole or not there."""
    beside = path.with_name(f".{path.name}")
    beside.unlink(missing_ok=True)
    file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with os.fdopen(file, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(file)
    beside.replace(path)


if __name__ == "__main__":
    main()
