"""ImageNet: localisation, detection classes and WordNet names."""
