"""Data of any format into a store: found, checked, reported, cut into shards on all cores."""
