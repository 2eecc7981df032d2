"""Files of detections with their ground truth: metric that writes them, reading and alignment."""
