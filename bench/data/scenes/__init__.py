"""Synthetic scenes whose objects have ambiguous extents, drawn with integers alone: the same bytes on every machine."""
