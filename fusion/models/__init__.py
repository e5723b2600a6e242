"""The fusion models: one file each, and this table."""

from fusion.models.attention import Attention

MODELS = {"attention": Attention}
