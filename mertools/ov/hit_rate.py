"""Open-vocabulary labels on corpora with one label a clip: is the clip's label among the predicted ones?"""

from __future__ import annotations

from collections.abc import Mapping

from mertools.errors import InputError
from mertools.ov.groupings import Grouping
from mertools.ov.labels import OpenLabels
from mertools.ov.scoring import Scores, coverage
from mertools.set_metrics import HIT_LEVEL, overlaps_of, set_estimates


def score_hits(truth: Mapping[str, str], predicted: Mapping[str, OpenLabels], grouping: Grouping, seed: int) -> Scores:
    """Hit rate and m-score of `predicted` on the clips of `truth`, which have one label each (MER-UniBench).

    In each view of the grouping, a hit is a clip whose class is among the predicted ones; the m-score of a hit is one
    over how many classes of the corpus are predicted. Clips whose label the view does not know do not count there.

    Raises InputError where the grouping knows no label of the corpus.
    """
    candidates = sorted(set(truth.values()))
    if not any(map(grouping.knows, candidates)):
        raise InputError(f"None of the labels {', '.join(candidates)} is in the tables: there is nothing to hit.")
    classes = grouping.views("", candidates)
    labels = {clip: predicted[clip].labels if clip in predicted else () for clip in truth}
    overlaps = overlaps_of(
        [grouping.views(clip, [label]) for clip, label in truth.items()],
        [
            tuple(view & of_corpus for view, of_corpus in zip(grouping.views(clip, given), classes, strict=True))
            for clip, given in labels.items()
        ],
    )
    return Scores(
        set_estimates(overlaps, HIT_LEVEL, seed),
        coverage(grouping, labels.values()),
        failed=sum(bool(clip in predicted and predicted[clip].failed) for clip in truth),
        missing=sum(clip not in predicted for clip in truth),
    )
