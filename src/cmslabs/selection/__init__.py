"""Selection: from NanoAOD events to cutflows, histograms with systematic variations, and tables for learning."""
