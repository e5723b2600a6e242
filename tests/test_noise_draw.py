"""What is drawn depends on seed, name and recordings, and says what it could not use."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from noise_corpus import buzz, make_corpus, make_musan
from tiny_audio import write_wav

from mertools.clip import Clip
from mertools.commands import noise_draw
from mertools.corpus import read_manifest
from mertools.errors import InputError
from mertools.media import SAMPLE_RATE
from mertools.prepare.noise_drawing import draw_all
from noise.audio import SILENCE, rms
from noise.draw import draw
from noise.recipe import UNTOUCHED, read_recipe
from noise.recordings import Recordings, babble, musan, read_noise, read_voice


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def clips(corpus: Path) -> list[Clip]:
    return list(read_manifest(corpus).clips)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_musan(tmp_path_factory.mktemp("musan"))


@pytest.fixture(scope="module")
def recordings(folder: Path) -> Recordings:
    return musan(folder / "speech", "speech")


def test_any_order_alone_or_in_parallel(clips: list[Clip], recordings: Recordings) -> None:
    together = draw_all(clips, recordings, 0, False, workers=2)
    assert draw_all(clips[::-1], recordings, 0, False, workers=0) == together
    for clip in clips:
        assert draw(clip, recordings, 0) == together[clip.name]
    assert draw_all(clips, recordings, 1, False, workers=0) != together


def test_ratios_and_factors_are_the_challenges(tmp_path: Path, recordings: Recordings) -> None:
    path = write_wav(tmp_path / "clip.wav", buzz(0.1, 120))
    drawn = [draw(Clip(f"clip {i}", audio=path), recordings, 0).noise for i in range(120)]
    assert {noise.snr_db for noise in drawn} == {5, 6, 7, 8, 9, 10}
    ratios = [draw(Clip(f"clip {i}", audio=path), recordings, 0, continuous=True).noise.snr_db for i in range(20)]
    assert all(5 <= ratio <= 10 for ratio in ratios) and len(set(ratios)) == 20


def test_blur_factors(clips: list[Clip], recordings: Recordings) -> None:
    factors = Counter(draw(Clip(f"{i}", video=clips[2].video), recordings, 0).noise.blur for i in range(90))
    assert set(factors) == {1, 2, 4} and min(factors.values()) >= 15


def test_each_voice_is_long_enough_and_sounds(clips: list[Clip], recordings: Recordings) -> None:
    """Short recordings are continued with further ones, silent and unreadable ones passed over and told."""
    remarks, lengths = [], set()
    for number in range(60):
        drawn = draw(Clip(f"{number}", audio=clips[3].audio), recordings, 0)
        (voice,) = drawn.noise.voices
        count = SAMPLE_RATE // 2
        samples = read_voice(recordings.folder, voice, count, SAMPLE_RATE)
        assert len(samples) == count and rms(samples) >= SILENCE
        lengths.add(len(voice))
        remarks += drawn.remarks
        assert not any("broken" in piece.file for piece in voice)
    assert 1 in lengths and max(lengths) > 1
    assert any("silent.wav is silent" in remark for remark in remarks)
    assert any("broken.wav cannot be opened" in remark for remark in remarks)


def test_a_clip_gets_what_it_has_media_for(clips: list[Clip], recordings: Recordings) -> None:
    drawn = {clip.name: draw(clip, recordings, 0) for clip in clips}
    assert drawn["both"].noise.blur and drawn["both"].noise.voices
    assert drawn["mute"].noise.snr_db is None and drawn["mute"].noise.voices == ()
    assert "blur only: mute.mp4 has no audio stream" in drawn["mute"].remarks
    assert drawn["heard"].noise.blur is None and "noise only: no video" in drawn["heard"].remarks


def test_babble_is_of_others(corpus: Path, clips: list[Clip]) -> None:
    recordings = babble(clips[:2] + clips[3:], corpus.parent)
    assert recordings == babble([clips[3], *clips[:2]], corpus.parent)
    assert recordings.voices == 1
    by_speaker = {recording.file: recording.talker for recording in recordings.files}
    for clip in (*clips[:2], clips[3]):
        for seed in range(5):
            noise = draw(clip, recordings, seed).noise
            assert {by_speaker[p.file] for v in noise.voices for p in v} == {"anna", "bert"} - {clip.speaker}
    with pytest.raises(InputError, match="two speakers"):
        babble(clips[:1], corpus.parent)


def test_voices_of_a_babble_are_several_people_equally_loud(tmp_path: Path) -> None:
    loudness = dict(zip("abcde", (0.1, 0.02, 0.3, 0.05, 0.1), strict=True))
    paths = {n: write_wav(tmp_path / f"{n}.wav", buzz(0.5, 90 + ord(n), loud)) for n, loud in loudness.items()}
    people = [Clip(name, audio=path, speaker=name) for name, path in paths.items()]
    recordings = babble(people, tmp_path)
    noise = draw(people[0], recordings, 0).noise
    assert len(noise.voices) == 3 and "a.wav" not in {piece.file for voice in noise.voices for piece in voice}
    assert len({piece.file for voice in noise.voices for piece in voice}) >= 3
    mixed = read_noise(tmp_path, noise.voices, 8000, SAMPLE_RATE)
    each = [read_voice(tmp_path, voice, 8000, SAMPLE_RATE) for voice in noise.voices]
    np.testing.assert_allclose(mixed, sum(one / rms(one) for one in each), rtol=1e-6, atol=1e-6)


def test_a_long_clip_does_not_use_up_the_others(tmp_path: Path) -> None:
    """Three voices of three people for a clip that is ten times as long as what any of them says."""
    people = [Clip(n, audio=write_wav(tmp_path / f"{n}.wav", buzz(0.1, 90 + ord(n))), speaker=n) for n in "bcd"]
    long = Clip("a", audio=write_wav(tmp_path / "a.wav", buzz(1, 150)), speaker="a")
    recordings = babble([long, *people], tmp_path)
    for seed in range(20):
        voices = draw(long, recordings, seed).noise.voices
        assert len(voices) == 3 and all(len(voice) >= 10 for voice in voices)
        assert "a.wav" not in {piece.file for voice in voices for piece in voice}


def test_which_folder_is_musans_speech(folder: Path, tmp_path: Path) -> None:
    assert musan(folder, "speech") == musan(folder / "speech", "speech")
    assert [recording.file for recording in musan(folder, "music").files] == ["song.wav"]
    with pytest.raises(InputError, match="holds MUSAN's music, wanted its subset 'speech'"):
        musan(folder / "music", "speech")
    (tmp_path / "musan" / "noise").mkdir(parents=True)
    with pytest.raises(InputError, match="wanted its subset 'speech'"):
        musan(tmp_path / "musan", "speech")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no recordings"):
        musan(tmp_path / "empty", "speech")
    with pytest.raises(InputError, match="no folder"):
        musan(tmp_path / "absent", "speech")


def test_a_folder_of_silence_ends_the_run(clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("noise.draw.TRIES", 20)
    write_wav(tmp_path / "silent.wav", np.zeros(SAMPLE_RATE))
    with pytest.raises(InputError, match="is silent from"):
        draw_all(clips, musan(tmp_path, "speech"), 0, False, workers=0)


def test_the_command(corpus: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data", str(corpus), "--workers", "0"]
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    assert noise_draw.main([*words, "--speech", str(folder / "speech"), "--out", str(first)]) == 0
    told = capsys.readouterr()
    assert "noise only: no video" in told.out and "blur only: mute.mp4 has no audio stream" in told.out
    assert read_recipe(first).fingerprint in told.out and told.err.count("warning") == 0
    assert noise_draw.main([*words, "--speech", str(folder), "--out", str(second)]) == 0
    assert first.read_bytes() == second.read_bytes()
    with pytest.raises(InputError, match="--overwrite"):
        noise_draw.main([*words, "--speech", str(folder), "--out", str(second)])
    music = ["--speech", str(folder), "--noise-kind", "music", "--overwrite", "--blur-way", "resize"]
    assert noise_draw.main([*words, *music, "--out", str(second)]) == 0
    assert "warning: music and noise may convey emotion" in capsys.readouterr().err
    assert (read_recipe(second).kind, read_recipe(second).blur_way) == ("music", "resize")
    with pytest.raises(InputError, match="part of MUSAN"):
        noise_draw.main([*words, "--speech", "corpus", "--noise-kind", "music", "--out", str(tmp_path / "third.jsonl")])
    assert noise_draw.main([*words, "--speech", "corpus", "--out", str(tmp_path / "third.jsonl")]) == 0
    assert read_recipe(tmp_path / "third.jsonl").kind == "corpus"


def test_other_splits_stay_clean(
    corpus: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--data", str(corpus), "--workers", "0", "--speech", str(folder)]
    assert noise_draw.main([*words, "--out", str(tmp_path / "all.jsonl")]) == 0
    assert noise_draw.main([*words, "--split", "semi", "--out", str(tmp_path / "semi.jsonl")]) == 0
    assert "3 clips, 2 with noise" in (told := capsys.readouterr().out) and "1 of other splits left as they are" in told
    every, semi = (read_recipe(tmp_path / f"{name}.jsonl").clips for name in ("all", "semi"))
    assert semi == {**every, "both": UNTOUCHED}
    with pytest.raises(InputError, match=r"Unknown split 'smei'\. Did you mean 'semi'"):
        noise_draw.main([*words, "--split", "smei", "--out", str(tmp_path / "none.jsonl")])
