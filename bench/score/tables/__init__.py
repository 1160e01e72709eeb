"""Objects, detections and raw predictions as arrays over all images, and on disk."""
