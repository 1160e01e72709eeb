"""Two rows side by side, image by image."""
