"""`start.py OPTIONS…`: `mlflow server` with accounts, whose passwords are those of the files in /secrets.

Two accounts: `admin` for people, and `jobs`, which may do less, for what runs on Ray. Neither has a password that
anyone could guess, and no secret is in a command line or in the compose file.
"""

import os
import sys
from pathlib import Path

SECRETS = Path("/secrets")


def main() -> None:
    os.environ["MLFLOW_FLASK_SERVER_SECRET_KEY"] = (SECRETS / "signing_key").read_text()
    set_passwords()
    from mlflow.cli import cli

    cli(["server", "--app-name=basic-auth", *sys.argv[1:]])


def set_passwords() -> None:
    """Makes the accounts, or gives them the passwords of the files: new secrets need no more than a restart."""
    from mlflow.server.auth import auth_config, store

    store.init_db(auth_config.database_uri)
    for name, is_admin in (("admin", True), ("jobs", False)):
        password = (SECRETS / f"{name}_password").read_text()
        if store.has_user(name):
            store.update_user(name, password=password)
        else:
            store.create_user(name, password, is_admin=is_admin)


if __name__ == "__main__":
    main()
