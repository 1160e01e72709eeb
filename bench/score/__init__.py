"""Detections against ground truth: `evaluate` is the entry, `scores` what comes of it.

`tables` hold objects and detections as arrays, `protocols` find who found what, `measures` ask how well scores know the
fit, `resampling` makes intervals, `claims` are judged, `rescore` applies another `post`, `pictures` draw.
"""
