"""Who found what, and COCO's and VOC's numbers of it."""
