"""A user's own segmentation data: label maps, or outlines that label maps are drawn from."""
