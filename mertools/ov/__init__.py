"""CLIP -> ANY NUMBER OF LABELS: clues, descriptions, labels, the join with the classifier, scores (MER2024 §2.3)."""
