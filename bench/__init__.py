"""Measurements, as ratios to the raw limit in the same run: these say how fast, the tests say whether right."""
