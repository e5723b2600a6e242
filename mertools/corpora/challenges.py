"""The releases of the MER challenges, a table each: which files of theirs say what.

MER2023 (arXiv 2304.08981), MER2024 (2404.17113), MER2025 (2504.19423), MER2026 (2604.19417). For MER2024 both the raw
release and the tree that the baseline's preprocessing makes of it are known, and may lie beside each other.
"""

from __future__ import annotations

from mertools.corpora.release import Release, Subtitles
from mertools.corpus import TRAIN
from mertools.registry import look_up

PROCESSED_SUBTITLES = (
    Subtitles("transcription-merge.csv", {"subtitle": "chinese"}, "merged"),
    Subtitles("transcription.csv", {"subtitle": "sentence"}, "asr"),
    Subtitles("transcription-old.csv", {"subtitle": "sentence"}, "asr"),
)
"""What the baseline's speech recognition wrote: merged with the checked texts, with punctuation, without it."""

CHINESE_AND_ENGLISH = Subtitles("subtitle_chieng.csv", {"subtitle": "chinese", "subtitle_english": "english"})

RELEASES = {
    "mer2023": Release(
        name="mer2023",
        videos={"train": "", "test1": "test1", "test2": "test2", "test3": "test3", "video": ""},
        labels={TRAIN: ("train-label.csv", "label-disdim.csv")},
        optional_labels={
            test: (f"{test}-label.csv", f"test-labels/{test}-label.csv") for test in ("test1", "test2", "test3")
        },
        subtitles=PROCESSED_SUBTITLES,
    ),
    "mer2024": Release(
        name="mer2024",
        videos={"video-labeled": "", "video-unlabeled-with-test2noise": "", "video": ""},
        labels={TRAIN: ("label-disdim.csv",)},
        optional_labels={"semi": ("reference-semi.csv",), "noise": ("reference-noise.csv",)},
        subtitles=(Subtitles("label-transcription.csv", {"subtitle": "chinese"}, "checked"), *PROCESSED_SUBTITLES),
        candidates=("candidate_20000.csv",),
    ),
    "mer2025": Release(
        name="mer2025",
        videos={"video": ""},
        labels={TRAIN: ("track1_train_disdim.csv",)},
        subtitles=(CHINESE_AND_ENGLISH,),
        candidates=("track_all_candidates.csv",),
        open_labels=("track2_train_ovmerd.csv", "track2_train_mercaptionplus.csv"),
    ),
    "mer2026": Release(
        name="mer2026",
        videos={"video": ""},
        labels={TRAIN: ("track1_train.csv",)},
        subtitles=(CHINESE_AND_ENGLISH,),
        candidates=("track1_track2_candidate.csv", "track_all_candidates.csv"),
        open_labels=("track2_train_human.csv", "track2_train_mercaptionplus.csv"),
    ),
}


def release(name: str) -> Release:
    """The release called `name`; raises InputError, with the nearest name, for one that is not known."""
    return look_up("release", name, RELEASES)
