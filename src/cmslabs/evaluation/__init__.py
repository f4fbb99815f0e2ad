"""Is it real? From scores, labels and masses to p-values that can be defended."""
