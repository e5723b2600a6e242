"""Continues the masked pre-training of VideoMAE on the faces of a corpus, without labels (MER2024, Table 2)."""
