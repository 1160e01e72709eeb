"""Data sets of any format into one Arrow store, and a store into batches.

store = bench.data.converting.prepare.prepare("path/to/coco", "stores/coco/val", split="val")
for images, targets, rows in bench.data.batches.loader.train_loader(store, InputConfig(), batch_size=16, seed=0): ...
"""
