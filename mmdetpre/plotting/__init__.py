"""What all pictures share: palette, boxes and plain figures."""
