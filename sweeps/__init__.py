"""The studies that come along, the recipes that they share, the profiles under which every study runs: data only."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PROFILES = FOLDER / "profiles"
RECIPES = FOLDER / "recipes"
