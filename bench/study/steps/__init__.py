"""Steps: what they are, what they do, what they leave, where that is kept."""
