"""loss.html: how an adapted VideoMAE learned, and from which clips, on one page that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mertools.report.figures import loss_figure
from mertools.report.rendering import write_page


def write_adaptation_page(path: Path, provenance: Mapping[str, Any], losses: str, notice: str) -> Path:
    """Write the page of a checkpoint to `path` and return it.

    `provenance` is what its adaptation.json says, `losses` the file of all steps beside the page, `notice` the corpus'.
    """
    figures = [loss_figure(provenance["loss"])]
    title = f"How {provenance['identity']['card']} learned"
    return write_page(path, "adaptation.html.j2", figures, result=provenance, title=title, losses=losses, notice=notice)
