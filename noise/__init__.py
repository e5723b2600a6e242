"""CLEAN -> NOISY: speech noise at a ratio and blurred pictures, as in MER-NOISE (MER2024, section 2.2)."""
