"""Error analysis of detections: matching, error types, report and picture."""
