"""The order of visits: each clip once a round, and the same however a step is divided."""

from __future__ import annotations

from collections import Counter

from feature_extractors.catalog import CATALOG
from feature_extractors.encoder import Settings
from feature_extractors.face_source import FaceSource
from mertools.clip import Clip
from mertools.prepare.adaptation.visits import Places, Visits

CLIPS = [Clip(f"clip {number}") for number in range(7)]


def visits(seed: int = 0) -> Visits:
    recipe = CATALOG["videomae-base-mer2023"].recipe("mer2024")
    return Visits(CLIPS, FaceSource(Settings("dlib")), recipe, 196, 8, seed)


def test_each_clip_comes_once_a_visit() -> None:
    places = [visits().at(place) for place in range(21)]
    assert Counter((visit, clip.name) for visit, clip in places) == Counter(
        (visit, clip.name) for visit in range(3) for clip in CLIPS
    )
    orders = [[clip.name for _, clip in places[begin : begin + 7]] for begin in (0, 7, 14)]
    assert len({tuple(order) for order in orders}) == 3
    assert orders[0] != [visits(1).at(place)[1].name for place in range(7)]


def test_a_step_shows_the_same_however_it_is_divided() -> None:
    whole = list(Places(first=2, last=5, parts=1, size=12, process=0, processes=1))
    assert [len(batch) for batch in whole] == [12, 12, 12] and whole[0][0] == 24
    for parts, size, processes in ((2, 6, 1), (1, 4, 3), (3, 2, 2)):
        shares = [list(Places(2, 5, parts, size, process, processes)) for process in range(processes)]
        assert all(len(share) == 3 * parts for share in shares)
        for step, wanted in enumerate(whole):
            own = [place for share in shares for batch in share[step * parts : (step + 1) * parts] for place in batch]
            assert sorted(own) == wanted
