"""The studies that come along: data only."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parent
