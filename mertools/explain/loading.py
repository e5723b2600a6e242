"""A trained explainer from its checkpoint."""

from __future__ import annotations

from pathlib import Path

from mertools.explain.checkpoint import About, read_about, read_weights
from mertools.explain.configuration import Configuration
from mertools.explain.explainer import Explainer
from mertools.explain.language_models import load_language_model
from mertools.explain.training import start_weights


def new_explainer(configuration: Configuration) -> Explainer:
    """An explainer to train, with its language model loaded; raises InputError as `load_language_model` does."""
    return Explainer(configuration, load_language_model(configuration.language_model))


def load_explainer(checkpoint: Path) -> tuple[Explainer, About]:
    """The explainer of a checkpoint, and what that says of it.

    Raises InputError for a folder that is no checkpoint, and where the language model cannot be had.
    """
    about = read_about(checkpoint)
    explainer = new_explainer(about.configuration)
    if any(branch.frozen for branch in about.configuration.branches.values()):
        # What no stage trains is not in the checkpoint.
        start_weights(explainer)
    explainer.load_trainable_state(read_weights(checkpoint))
    return explainer.eval(), about
