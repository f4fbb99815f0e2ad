"""Events in the same layout as data: processes, generator, light detector, samples and sealed boxes."""
