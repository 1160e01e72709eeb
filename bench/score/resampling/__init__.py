"""Intervals: metrics of images drawn again, and the difference of two rows."""
