"""A trained detector over a split, of one view or many, and what that costs."""
