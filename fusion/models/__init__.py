"""The fusion models: one file each, and this table."""

from fusion.models.attention import Attention
from fusion.models.attention_release import AttentionRelease
from fusion.models.concat import Concat

MODELS = {"attention": Attention, "attention-release": AttentionRelease, "concat": Concat}
