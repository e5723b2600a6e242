"""Corpora that others released: where their files lie, and how they become a manifest."""
