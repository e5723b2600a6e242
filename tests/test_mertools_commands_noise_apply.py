"""Noisy clips as files: what extraction finds in them, what a killed run keeps, what stands in their manifest."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from noise_corpus import buzz, make_corpus, make_musan

from mertools.clip import Clip
from mertools.commands import noise_apply, noise_draw
from mertools.corpus import read_manifest, write_manifest
from mertools.errors import InputError
from mertools.media import Sound, read_audio, read_frames, write_clip
from mertools.prepare import recogniser
from mertools.prepare.noisy_clips import JOURNAL, frame_rate, steady
from noise.corruption import load_noise
from noise.recipe import read_recipe


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A corpus with MUSAN and a recipe beside its manifest."""
    make_corpus(tmp_path / "corpus")
    make_musan(tmp_path / "corpus" / "musan")
    redraw(tmp_path / "corpus", "0")
    return tmp_path / "corpus"


def redraw(corpus: Path, seed: str) -> None:
    words = ["--data", str(corpus / "manifest.csv"), "--speech", str(corpus / "musan"), "--workers", "0"]
    assert noise_draw.main([*words, "--seed", seed, "--out", str(corpus / "recipe.jsonl"), "--overwrite"]) == 0


def arguments(corpus: Path, *more: str) -> list[str]:
    words = ["--data", str(corpus / "manifest.csv"), "--noise", str(corpus / "recipe.jsonl")]
    return [*words, "--speech", str(corpus / "musan"), "--out", str(corpus.parent / "noisy"), *more]


def apply(corpus: Path, *more: str) -> dict[str, Clip]:
    assert noise_apply.main(arguments(corpus, "--workers", "0", *more)) == 0
    return {clip.name: clip for clip in read_manifest(corpus.parent / "noisy" / "manifest.csv").clips}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "clips").iterdir())}


def test_files_hold_what_extraction_would_read(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noisy = apply(corpus)
    told = capsys.readouterr().out
    clean = {clip.name: clip for clip in read_manifest(corpus / "manifest.csv").clips}
    assert list(noisy) == list(clean) and "4 noisy clips" in told
    assert "no video: none named" in told and "no sound: mute.mp4 has no audio stream" in told
    noise = load_noise(corpus / "recipe.jsonl", corpus / "musan", corpus)
    for name, clip in noisy.items():
        assert (clip.split, clip.speaker, clip.text) == (clean[name].split, clean[name].speaker, clean[name].text)
        corruption = noise.of(clean[name])
        if clean[name].video:
            with corruption.applied():
                expected = read_frames(clean[name].video)
            found = read_frames(clip.video)
            np.testing.assert_allclose(found.times, expected.times, atol=1e-3)
            assert np.abs(np.stack(found.images).astype(float) - np.stack(expected.images)).mean() < 6
        if name != "mute":
            with corruption.applied():
                expected = read_audio(clean[name].sound).samples
            found = read_audio(clip.sound).samples
            length = min(len(found), len(expected))
            assert abs(len(found) - len(expected)) <= 2048
            assert np.corrcoef(found[:length], expected[:length])[0, 1] > 0.98
    assert noisy["heard"].video is None and noisy["heard"].audio.suffix == ".flac"
    with av.open(str(noisy["both"].video)) as container:
        assert [stream.codec_context.name for stream in container.streams] == ["h264", "aac"]
    assert read_recipe(corpus.parent / "noisy" / "recipe.jsonl") == noise.recipe


def test_only_what_has_changed_is_written_again(corpus: Path) -> None:
    folder = corpus.parent / "noisy"
    apply(corpus)
    times = {path.name: path.stat().st_mtime_ns for path in (folder / "clips").iterdir()}
    shutil.copy(corpus / "long one.mp4", corpus / "both.mp4")
    (folder / "clips" / "heard.flac").unlink()
    apply(corpus)
    changed = {p.name for p in (folder / "clips").iterdir() if p.stat().st_mtime_ns != times[p.name]}
    assert changed == {"both.mp4", "heard.flac"}
    redraw(corpus, "1")
    before = contents(folder)
    apply(corpus)
    assert contents(folder)["heard.flac"] != before["heard.flac"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_killed_at_random_moments(corpus: Path, tmp_path: Path) -> None:
    """What is there after kills and one run to the end equals what a run that was let alone writes."""
    clips = list(read_manifest(corpus / "manifest.csv").clips)
    more = [replace(clips[1], name=f"more {number}") for number in range(12)]
    write_manifest(corpus / "manifest.csv", [*clips, *more])
    redraw(corpus, "0")
    apply(corpus)
    whole = contents(tmp_path / "noisy")
    shutil.rmtree(tmp_path / "noisy")
    generator, command = random.Random(0), [sys.executable, "-m", "mertools", "noise", "apply"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    for _ in range(3):
        process = subprocess.Popen([*command, *arguments(corpus, "--workers", "2")], env=environment)
        deadline = time.monotonic() + 30
        while not (tmp_path / "noisy" / "clips").is_dir() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(generator.uniform(0, 2))
        process.kill()
        process.wait()
    apply(corpus)
    assert contents(tmp_path / "noisy") == whole
    journal = (tmp_path / "noisy" / JOURNAL).read_text(encoding="utf-8")
    assert len([line for line in journal.splitlines() if line.endswith("}")]) >= len(whole)


def test_a_bad_clip_costs_itself(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A broken clip is named in the manifest, so that later stages say that it is lacking; it is tried again."""
    good = (corpus / "both.mp4").read_bytes()
    (corpus / "both.mp4").write_bytes(b"not media")
    noisy = apply(corpus)
    assert "both\tfailed\tno sound: both.mp4 cannot be opened" in capsys.readouterr().out
    assert not noisy["both"].video.exists() and noisy["long one"].video.exists()
    (corpus / "both.mp4").write_bytes(good)
    assert apply(corpus)["both"].video.exists()


def test_a_lost_recording_is_told_and_tried_again(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lost = corpus / "musan" / "speech" / read_recipe(corpus / "recipe.jsonl").clips["both"].voices[0][0].file
    lost.rename(lost.with_suffix(".away"))
    with pytest.raises(Exception, match="no audio stream"):
        read_audio(apply(corpus)["both"].video)
    assert f"the noise librivox/{lost.name} cannot be read" in capsys.readouterr().out
    lost.with_suffix(".away").rename(lost)
    assert len(read_audio(apply(corpus)["both"].video).samples)


class Echo:
    """A recogniser that hears how loud it is."""

    name = "echo"

    def load(self, device: str) -> None:
        pass

    def transcribe(self, sounds: Sequence[Sound]) -> list[recogniser.Recognised]:
        return [recogniser.Recognised(f"{sound.duration_seconds:.1f} seconds") for sound in sounds]


def test_texts_heard_in_the_noise_replace_the_clean_ones(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recogniser, "recogniser", lambda *_: Echo())
    noisy = apply(corpus, "--text", "asr", "--language", "english")
    assert noisy["heard"].subtitle_english == "0.5 seconds" and noisy["heard"].subtitle_source == "asr"
    assert noisy["both"].subtitle_english.endswith("seconds") and noisy["both"].subtitle == ""
    assert noisy["mute"].text == ""


def test_refusals(corpus: Path) -> None:
    with pytest.raises(InputError, match="holds the clean corpus itself"):
        apply(corpus, "--out", str(corpus))
    clips = list(read_manifest(corpus / "manifest.csv").clips)
    write_manifest(corpus / "manifest.csv", [*clips, replace(clips[0], name="new")])
    with pytest.raises(InputError, match="lacks 1 of 5"):
        apply(corpus)


def test_crops_alone_are_left_out(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(corpus / "crops.npy", np.zeros((3, 8, 8, 3), np.uint8))
    clips = [*read_manifest(corpus / "manifest.csv").clips, Clip("crops", faces=corpus / "crops.npy", split="semi")]
    write_manifest(corpus / "manifest.csv", clips)
    redraw(corpus, "0")
    assert "crops" not in apply(corpus)
    assert "1 clips with nothing but ready face crops, of clean video, were left out" in capsys.readouterr().out


def test_frames_at_a_steady_rate() -> None:
    def given(times: np.ndarray) -> list[int]:
        return list(steady(zip(times, range(len(times)), strict=True), frame_rate(times)))

    for rate in (23.976, 25, 29.97, 60):
        assert given(np.arange(200) / rate) == list(range(200))
        assert given(np.round(np.arange(200) / rate, 3)) == list(range(200))
    assert given(np.array([0.1, 0.2, 0.3])) == [0, 0, 1, 2]
    assert given(np.array([0, 0.05, 0.2, 0.6])) == [1, 2, 2, 3]
    assert given(np.array([0.0])) == [0] and frame_rate(np.array([0.0])) == 25


def test_sound_and_picture_stay_together(tmp_path: Path) -> None:
    """A clip at 30 frames a second is as long as it was, in sound and in picture."""
    write_clip(tmp_path / "clip.mp4", [np.full((48, 64, 3), i, np.uint8) for i in range(45)], 30, buzz(1.5, 120))
    write_manifest(tmp_path / "manifest.csv", [Clip("clip", video=tmp_path / "clip.mp4", split="semi")])
    shutil.copytree(make_musan(tmp_path / "m"), tmp_path / "musan")
    redraw(tmp_path, "0")
    assert noise_apply.main([*arguments(tmp_path), "--out", str(tmp_path / "noisy"), "--workers", "0"]) == 0
    frames = read_frames(tmp_path / "noisy" / "clips" / "clip.mp4")
    np.testing.assert_allclose(frames.times, np.arange(45) / 30, atol=1e-3)
    assert read_audio(tmp_path / "noisy" / "clips" / "clip.mp4").duration_seconds == pytest.approx(1.5, abs=0.07)
