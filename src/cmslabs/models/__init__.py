"""Models that give every event a score: high means unusual."""
