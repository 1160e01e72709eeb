"""One file a format: how some of its images become rows. Light to import, because every conversion process does."""
