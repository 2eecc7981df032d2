"""Average precision of ILSVRC's detection task."""
