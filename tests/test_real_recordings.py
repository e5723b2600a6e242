"""On real recordings: the numbers that a user of `egemaps` can expect."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mertools.commands import extract, fuse, prepare_cut
from mertools.corpus import read_manifest
from mertools.emotions import MER2024
from mertools.media import read_audio, read_frames, write_clip
from mertools.metrics import confusion_matrix, waf
from mertools.predictions import read_predictions

LEAST_WAF = 0.45
"""An SVM on eGeMAPSv02 reaches 0.48 to 0.50 on these utterances."""


@pytest.fixture(scope="module")
def ravdess(media_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The options that name 312 acted utterances of twelve actors and their eGeMAPS."""
    manifest, features = media_folder / "ravdess" / "manifest.csv", tmp_path_factory.mktemp("ravdess")
    assert extract.main(["--feature", "egemaps", "--data", str(manifest), "--out", str(features)]) == 0
    return ["--feature", "egemaps", "--data", str(manifest), "--features", str(features), "--group", "speaker"]


def pooled_out_of_fold_waf(options: list[str], runs: Path) -> float:
    assert fuse.main([*options, "--runs", str(runs)]) == 0
    (run,) = runs.iterdir()
    answers = read_predictions(run / "out_of_fold.csv", MER2024)
    return float(waf(confusion_matrix(answers.truth, answers.classes, len(MER2024))))


def test_egemaps_tells_acted_emotions_apart(ravdess: list[str], tmp_path: Path) -> None:
    assert pooled_out_of_fold_waf([*ravdess, "--trials", "3", "--epochs", "50"], tmp_path) >= LEAST_WAF


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_egemaps_tells_acted_emotions_apart_over_seeds(ravdess: list[str], tmp_path: Path) -> None:
    values = [pooled_out_of_fold_waf([*ravdess, "--seed", str(seed)], tmp_path / str(seed)) for seed in range(3)]
    assert np.mean(values) >= LEAST_WAF


@pytest.mark.slow
def test_tv_clips_joined_into_one_film_are_cut_again(media_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("pysubs2")
    clips = read_manifest(media_folder / "meld" / "manifest.csv").clips
    images, sounds, cues, begin = [], [], [], 0.0
    for number, clip in enumerate(clips, start=1):
        frames, sound = read_frames(clip.video), read_audio(clip.video, 48_000).samples
        count = round(25 * (frames.times[-1] + 0.04))
        shown = np.searchsorted(frames.times, np.arange(count) / 25 + 0.02, side="right") - 1
        images += [frames.images[max(index, 0)][::2, ::2] for index in shown]
        samples = count * 48_000 // 25
        sounds.append(np.pad(sound[:samples], (0, max(samples - len(sound), 0))))
        end = begin + count / 25
        cues.append(f"{number}\n00:00:{begin:06.3f} --> 00:00:{end:06.3f}\n{clip.text}\n".replace(".", ",", 2))
        begin = end
    write_clip(tmp_path / "film.mp4", images, 25, np.concatenate(sounds), 48_000)
    (tmp_path / "film.srt").write_text("\n".join(cues), encoding="utf-8")
    faces = ["--face-model", str(media_folder / "faces" / "yunet_n_640_640.onnx")]
    arguments = [str(tmp_path / "film.mp4"), "--language", "english", "--out", str(tmp_path / "corpus"), *faces]
    assert prepare_cut.main(arguments) == 0
    kept = [clip.text for clip in read_manifest(tmp_path / "corpus" / "manifest.csv").clips]
    # Two of the others are shorter than 2 s, two show several people.
    assert kept == [clips[place].text for place in (0, 3, 6)]
