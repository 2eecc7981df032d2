"""Tables of proposals, and their writer."""
