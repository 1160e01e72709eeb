"""From records to a board: rows, their seeds put together, ranks, curves."""
