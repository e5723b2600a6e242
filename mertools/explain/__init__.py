"""Trainable explainers: AffectGPT and MicroEmo, a frozen language model that reads media through Q-Formers."""
