"""What features and detections say: plain functions on arrays, and what feeds them."""
