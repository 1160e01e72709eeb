"""What a run tells: to the tracker, and to whoever started it."""
