"""From particles to numbers: clustered jets, their substructure, the dijet observables."""
