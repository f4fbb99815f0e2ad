"""Is the tail real?  One file per study; each takes ``train(X, seed) -> scorer``, or scores that exist already."""
