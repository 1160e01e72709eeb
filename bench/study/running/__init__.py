"""The steps that are missing, done on Ray."""
