"""What never leaves this machine with a job: secrets, known by name or by content, data, caches, environments."""

import os
import re
from fnmatch import fnmatch
from pathlib import Path

FOLDERS = {"__pycache__", "node_modules", "venv", "env", "runs", "mlruns", "mlartifacts"}
DATA = {
    *(".arrow", ".ckpt", ".csv", ".db", ".gz", ".jpeg", ".jpg", ".mp4", ".npy", ".npz", ".onnx", ".parquet", ".pickle"),
    *(
        ".pkl",
        ".png",
        ".pt",
        ".pth",
        ".pyc",
        ".safetensors",
        ".sqlite",
        ".tar",
        ".tgz",
        ".tif",
        ".tiff",
        ".zip",
        ".zst",
    ),
}
SECRETS = (
    *("*.key", "*.pem", "*.p12", "*.pfx", "*.jks", "*.token", "*auth_token*", "token", "tokens", "token.*", "tokens.*"),
    *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "credentials*", "secret.*", "secrets.*", "*.env"),
    *("*kubeconfig*", "*password*"),
)
NAMES_OF_SECRETS = re.compile(r"(TOKEN|PASSWORD|PASSWD|SECRET|KEY|CREDENTIALS)$")
SHORTEST_SECRET = 8
PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY")


def folder_stays(folder: Path) -> bool:
    """Hidden ones (.git, .venv and the caches are), environments of Python, and what runs leave behind."""
    return folder.name.startswith(".") or folder.name in FOLDERS or (folder / "pyvenv.cfg").exists()


def file_stays(file: Path, root: Path) -> str:
    """Why a file stays here, or "" when it may go. Code is judged by its content alone: see `secret_in`."""
    name = file.name.lower()
    if not file.resolve().is_relative_to(root.resolve()):
        return "a link that leads out of the project"
    if name.startswith("."):
        return "hidden"
    if file.suffix.lower() in DATA:
        return "data"
    if file.suffix != ".py" and any(fnmatch(name, pattern) for pattern in SECRETS):
        return "named like a secret"
    return ""


def secret_in(content: bytes) -> str:
    """What secret stands in there: a private key, or the value of a variable of this environment that names one."""
    if PRIVATE_KEY.search(content):
        return "a private key"
    return next((name for name, value in _secrets_here().items() if value in content), "")


def _secrets_here() -> dict[str, bytes]:
    return {
        name: value.strip().encode()
        for name, value in os.environ.items()
        if NAMES_OF_SECRETS.search(name.upper()) and len(value.strip()) >= SHORTEST_SECRET
    }
