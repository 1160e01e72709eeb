"""Speed and memory beside named peers."""
