"""Clips -> features: the catalog of encoders, one file per family, and one runner."""
