"""IoU in trimaps around boundaries: counts, metric, scores and picture."""
