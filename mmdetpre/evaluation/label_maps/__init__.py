"""What the metrics of label maps share."""
