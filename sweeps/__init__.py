"""The studies that come along, and the profiles under which every study runs: data only."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PROFILES = FOLDER / "profiles"
