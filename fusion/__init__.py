"""Features -> emotion: models, training, cross-validation, search and ranking (MER2024 §3.1, §3.3)."""
