"""Objects: identified leptons and jets, event filters and triggers, from NanoAOD events."""
