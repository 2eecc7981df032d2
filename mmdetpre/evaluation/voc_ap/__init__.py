"""PASCAL VOC's average precision: metric, scores, sweep over IoU and picture."""
