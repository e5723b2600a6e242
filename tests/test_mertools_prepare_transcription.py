"""Recognisers and the pass over a corpus: what is filled in, what is left alone, and what a killed run keeps."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch
from test_feature_extractors_opensmile import RATE, voice, write_wav
from tiny_whisper import save_tiny_whisper

from mertools.clip import Clip
from mertools.commands import data_transcribe
from mertools.corpus import read_manifest, write_manifest
from mertools.errors import InputError
from mertools.libraries import transformers
from mertools.media import Sound
from mertools.prepare.recogniser import Recognised, Recogniser, recogniser
from mertools.prepare.transcription import Heard, filled, lacking, transcribe, without_texts
from mertools.prepare.whisper_recogniser import _Chosen


class Scripted:
    """A recogniser that tells how long each sound is; sounds of one second are too much for it."""

    name = "scripted 1"

    def __init__(self) -> None:
        self.heard: list[int] = []

    def load(self, device: str) -> None:
        assert device == "cpu"

    def transcribe(self, sounds: Sequence[Sound]) -> list[Recognised]:
        if any(len(sound.samples) == RATE for sound in sounds):
            raise MemoryError("too\nlong")
        self.heard += [len(sound.samples) for sound in sounds]
        lengths = [len(sound.samples) for sound in sounds]
        return [Recognised(f" {size}\n\0samples ", size / RATE) if size > 1000 else Recognised("") for size in lengths]


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    for name, seconds in (("short", 0.2), ("other", 0.3), ("fatal", 1.0), ("click", 0.05)):
        write_wav(tmp_path / f"{name}.wav", voice(seconds))
    write_wav(tmp_path / "silent.wav", np.zeros(RATE))
    (tmp_path / "broken.wav").write_bytes(b"not media")
    names = ("short", "other", "fatal", "click", "silent", "broken")
    return [Clip(name, audio=tmp_path / f"{name}.wav", split="semi") for name in names]


def listen(clips: Sequence[Clip], recogniser: Recogniser, journal: Path, batch_size: int = 2) -> dict[str, Heard]:
    return transcribe(clips, recogniser, journal, device="cpu", workers=0, batch_size=batch_size)


def test_each_clip_gets_its_text_or_its_reason(clips: list[Clip], tmp_path: Path) -> None:
    told = []
    heard = transcribe(
        clips,
        Scripted(),
        tmp_path / "journal",
        device="cpu",
        workers=2,
        batch_size=4,
        progress=lambda *counts: told.append(counts),
    )
    assert {name: one.text for name, one in heard.items() if one.text} == {
        "short": "3200 samples",
        "other": "4800 samples",
    }
    assert (heard["short"].confidence, heard["other"].confidence) == (0.2, 0.3)
    assert heard["click"] == Heard()
    assert heard["fatal"].reason == "MemoryError: too long"
    assert heard["silent"].reason == "the sound is silent"
    assert heard["broken"].reason.startswith("broken.wav cannot be opened as media")
    assert told == [(0, 6, 0), (4, 6, 2), (6, 6, 4)]


def test_a_killed_run_hears_only_what_it_had_not(clips: list[Clip], tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    listen(clips[:2], Scripted(), journal)
    journal.write_bytes(journal.read_bytes()[:-20])
    second = Scripted()
    heard = listen(clips, second, journal)
    assert second.heard == [4800, 800]
    assert heard["short"] == Heard("3200 samples", confidence=0.2)
    assert heard["other"] == Heard("4800 samples", confidence=0.3)
    # Another recogniser, or another sound under the same name, is heard anew.
    third = Scripted()
    third.name = "scripted 2"
    listen(clips[:1], third, journal)
    write_wav(clips[0].audio, voice(0.4))
    fourth = Scripted()
    assert listen(clips[:2], fourth, journal)["short"].text == "6400 samples"
    assert (third.heard, fourth.heard) == ([3200], [6400])


def test_a_journal_of_before_there_was_a_confidence_is_read(clips: list[Clip], tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    entry = {"name": "short", "media_key": clips[0].media_key("audio"), "recogniser": "scripted 1", "text": "Good"}
    journal.write_text(json.dumps(entry), encoding="utf-8")
    assert listen(clips[:1], Scripted(), journal) == {"short": Heard("Good")}


def test_texts_that_are_there_are_kept() -> None:
    clips = [
        Clip("checked", subtitle="好", subtitle_source="checked"),
        Clip("english", subtitle_english="Good"),
        Clip("blank", subtitle=" "),
        Clip("unheard"),
    ]
    assert [clip.name for clip in lacking(clips)] == ["blank", "unheard"]
    heard = {
        "checked": Heard("坏"),
        "english": Heard("坏"),
        "blank": Heard("我没事。", confidence=0.98765),
        "unheard": Heard(reason="no audio"),
    }
    checked, english, blank, unheard = filled(clips, heard, "chinese")
    assert (checked, english, unheard) == (clips[0], clips[1], clips[3])
    assert (blank.subtitle, blank.subtitle_source) == ("我没事。", "asr")
    assert blank.columns == {"subtitle_confidence": "0.988"}
    assert filled(clips, heard, "english")[2].subtitle_english == "我没事。"
    unsure = filled(without_texts([blank]), {"blank": Heard("你好。")}, "chinese")
    assert (unsure[0].subtitle, unsure[0].columns) == ("你好。", {"subtitle_confidence": ""})
    assert without_texts(unsure) == [Clip("blank")]


def test_the_command(clips: list[Clip], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checked = Clip(
        "checked", audio=clips[0].audio, subtitle="好", subtitle_source="checked", split="train", label="sad"
    )
    manifest, out = tmp_path / "manifest.csv", tmp_path / "work" / "transcribed.csv"
    write_manifest(manifest, [checked, clips[0], clips[4]])
    whisper = save_tiny_whisper(tmp_path / "whisper")
    words = ["--data", str(manifest), "--out", str(out), "--recogniser", "whisper", "--model", f"path:{whisper}"]
    assert data_transcribe.main([*words, "--workers", "0", "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert "silent\tthe sound is silent\n" in printed
    assert "Subtitles: 1 kept, 1 written in " in printed and ", 1 still lacking\n" in printed
    assert f"Next: mertools data validate --data {out} --media-root {tmp_path}\n" in printed
    kept, written, silent = read_manifest(out, tmp_path).clips
    assert replace(kept, columns={}) == checked and silent.subtitle == ""
    assert written.subtitle and written.subtitle_source == "asr"
    assert 0 < float(written.columns["subtitle_confidence"]) < 1
    assert kept.columns == silent.columns == {"subtitle_confidence": ""}
    assert [path.name for path in out.parent.iterdir()] == [out.name], "the journal has done its work"
    with pytest.raises(InputError, match=r"is there already\. Give another --out, or replace it with --overwrite"):
        data_transcribe.main(words)
    # Nothing to hear: no model is wanted.
    write_manifest(manifest, [checked])
    assert data_transcribe.main(["--data", str(manifest), "--out", str(out), "--overwrite"]) == 0


# ---- Whisper


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_whisper(tmp_path_factory.mktemp("whisper"))


def sound(seconds: float, pitch_hz: float = 120.0) -> Sound:
    return Sound(voice(seconds, pitch_hz).astype(np.float32), RATE)


def test_whisper_is_what_transformers_computes(tiny: Path) -> None:
    sounds = [sound(2.0), sound(3.1, 300.0)]
    library = transformers()
    model = library.WhisperForConditionalGeneration.from_pretrained(tiny)
    processor = library.WhisperProcessor.from_pretrained(tiny)
    wanted = []
    for one in sounds:
        inputs = processor.feature_extractor(one.samples, sampling_rate=RATE, return_tensors="pt")
        told = model.generate(
            inputs.input_features,
            language="zh",
            task="transcribe",
            do_sample=False,
            return_dict_in_generate=True,
            output_scores=True,
        )
        text = processor.tokenizer.decode(told.sequences[0], skip_special_tokens=True).strip()
        scores = model.compute_transition_scores(told.sequences, told.scores, normalize_logits=True)[0]
        tokens = told.sequences[0, -len(scores) :]
        is_text = [token not in processor.tokenizer.all_special_ids for token in tokens.tolist()]
        wanted.append((text, pytest.approx(scores[is_text].mean().exp().item(), abs=1e-5)))
    whisper = recogniser("whisper", "chinese", f"path:{tiny}")
    whisper.load("cpu")
    assert [(one.text, one.confidence) for one in whisper.transcribe(sounds)] == wanted
    assert [(one.text, one.confidence) for one in whisper.transcribe(sounds[1:])] == wanted[1:]
    assert all(text for text, _ in wanted)
    assert whisper.name.startswith(f"whisper path:{tiny} ") and whisper.name.endswith(" chinese")


def test_whisper_hears_long_sound_window_by_window(tiny: Path) -> None:
    whisper = recogniser("whisper", "english", f"path:{tiny}")
    whisper.load("cpu")
    long = sound(33.0)
    halves = [Sound(long.samples[: 30 * RATE], RATE), Sound(long.samples[30 * RATE :], RATE)]
    (whole,) = whisper.transcribe([long])
    first, second = whisper.transcribe(halves)
    assert whole.text == f"{first.text} {second.text}"
    assert min(first.confidence, second.confidence) <= whole.confidence <= max(first.confidence, second.confidence)


def test_confidence_weighs_tokens_and_leaves_out_what_is_no_text(tiny: Path) -> None:
    whisper = recogniser("whisper", "english", f"path:{tiny}")
    whisper.load("cpu")
    end = whisper._tokenizer.eos_token_id
    # By step what two windows of one sound choose, and how likely it is: one text token and the end; two, a special.
    steps = [([1, 2], [0.5, 0.8]), ([end, end + 2], [0.1, 0.1]), ([3, 4], [0.9, 0.2])]
    chosen = _Chosen()
    for tokens, shares in steps:
        scores = torch.empty(2, end + 7)
        for row, (token, share) in enumerate(zip(tokens, shares, strict=True)):
            scores[row] = torch.log(torch.tensor((1 - share) / (end + 6)))
            scores[row, token] = np.log(share)
        assert chosen(torch.zeros(2, 1), scores) is scores
    first, second = chosen.text_log_probabilities(end)
    assert np.exp(first) == pytest.approx([0.5]) and np.exp(second) == pytest.approx([0.8, 0.2])
    joined = whisper._joined([("one", first), ("two three", second)])
    assert joined.text == "one two three" and joined.confidence == pytest.approx((0.5 * 0.8 * 0.2) ** (1 / 3))
    assert whisper._joined([("", first[:0])]) == Recognised("")


def test_whisper_refuses_what_is_none(tiny: Path, tmp_path: Path) -> None:
    english = save_tiny_whisper(tmp_path / "english", multilingual=False)
    with pytest.raises(InputError, match=r"knows English alone\. Name a multilingual --model"):
        recogniser("whisper", "chinese", f"path:{english}").load("cpu")
    whisper = recogniser("whisper", "english", f"path:{english}")
    whisper.load("cpu")
    assert len(whisper.transcribe([sound(1.0)])) == 1
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "config.json").write_text("{}")
    with pytest.raises(InputError, match="is no Whisper checkpoint: "):
        recogniser("whisper", "chinese", f"path:{tmp_path / 'empty'}").load("cpu")
    _drop_a_weight(english / "model.safetensors")
    with pytest.raises(InputError, match=r"lacks weights that Whisper needs \(first: model\.decoder"):
        recogniser("whisper", "english", f"path:{english}").load("cpu")


def _drop_a_weight(path: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(path)
    del weights["model.decoder.layers.3.fc1.weight"]
    save_file(weights, path, metadata={"format": "pt"})


# ---- FunASR, by a stand-in of its interface


class StandIn:
    """funasr.AutoModel: one that hears blank-separated characters in all but clicks, one that adds a stop.

    As the real one it takes one text at a time to punctuate, gives one empty text for a batch without a word, and says
    in `kwargs` where it looked for weights, which it does without where they are absent.
    """

    weights: ClassVar[Path]
    made: ClassVar[list[dict]] = []

    def __init__(self, **options: object) -> None:
        if "absent" in str(options["model"]):
            raise KeyError("is not registered")
        self.punctuates = "punc" in str(options["model"])
        self.kwargs = options | {"init_param": str(self.weights)}
        self.made.append(options)

    def generate(self, input: list, batch_size: int) -> list[dict]:
        if self.punctuates:
            assert len(input) == batch_size == 1 and input[0]
            return [{"text": f"{input[0]}。"}]
        texts = ["你 好 hello world" if len(samples) > 1000 else "" for samples in input]
        return [{"text": text} for text in texts] if any(texts) else [{"text": ""}]


@pytest.fixture
def funasr(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[StandIn]:
    monkeypatch.setitem(sys.modules, "funasr", SimpleNamespace(AutoModel=StandIn, __version__="1.4.16"))
    monkeypatch.setattr(StandIn, "made", [])
    monkeypatch.setattr(StandIn, "weights", tmp_path / "model.pt", raising=False)
    StandIn.weights.write_bytes(b"weights")
    return StandIn


def test_funasr_punctuates_what_it_hears(funasr: type[StandIn], tmp_path: Path) -> None:
    paraformer = recogniser("funasr", "chinese")
    paraformer.load("cpu")
    said = Recognised("你好 hello world。", confidence=None)
    assert paraformer.transcribe([sound(0.01), sound(1.0), sound(1.0)]) == [Recognised(""), said, said]
    assert paraformer.transcribe([sound(0.01)] * 2) == [Recognised("")] * 2
    assert paraformer.name == "funasr 1.4.16 paraformer-zh ct-punc"
    assert [options["model"] for options in funasr.made] == ["paraformer-zh", "ct-punc"]
    assert all(options["device"] == "cpu" and not options["trust_remote_code"] for options in funasr.made)
    (tmp_path / "punc").mkdir()
    (tmp_path / "punc" / "model.pt").write_bytes(b"weights")
    recogniser("funasr", "chinese", f"path:{tmp_path},path:{tmp_path / 'punc'}").load("cpu")
    assert [options["model"] for options in funasr.made[2:]] == [str(tmp_path), str(tmp_path / "punc")]


def test_funasr_says_what_it_needs(funasr: type[StandIn], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"hears Chinese, not english\. Use --recogniser whisper\."):
        recogniser("funasr", "english")
    with pytest.raises(InputError, match=r"cannot load 'absent': KeyError: .* --model path:/paraformer,path:/ct-punc"):
        recogniser("funasr", "chinese", "absent").load("cpu")
    funasr.weights.unlink()
    with pytest.raises(InputError, match=r"found no weights for 'paraformer-zh': wanted the file .*model\.pt"):
        recogniser("funasr", "chinese").load("cpu")
    monkeypatch.setitem(sys.modules, "funasr", None)
    with pytest.raises(InputError, match=r"pip install 'mertools\[funasr\]'"):
        recogniser("funasr", "chinese").load("cpu")


def test_an_unknown_recogniser() -> None:
    with pytest.raises(InputError, match=r"Unknown recogniser 'wisper'\. Did you mean 'whisper'\?"):
        recogniser("wisper", "chinese")
