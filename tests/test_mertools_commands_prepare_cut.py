"""`mertools prepare cut` on a generated film: what is found, what is rejected and why, what happens after a kill."""

from __future__ import annotations

import csv
import shutil
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest

from mertools.commands import prepare_cut
from mertools.corpus import read_manifest
from mertools.errors import InputError
from mertools.media import Sound, read_audio, read_frames, write_clip, write_sound
from mertools.prepare import face_identity, film_cutting, film_measuring, voices
from mertools.prepare.demo_film import Turn, generate_film
from mertools.prepare.pieces import Stretch

pytest.importorskip("pysubs2")


@dataclass(frozen=True)
class OnePerson:
    """Stands in for dlib's network, whose weights are a download: all faces are of one person."""

    name = "stand-in"
    distance = 0.6

    def embed(self, image: np.ndarray, box: tuple) -> np.ndarray:
        return np.zeros(4)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Turn]]:
    """Two turns of one face, and one of two faces."""
    folder = tmp_path_factory.mktemp("film")
    return folder, generate_film(folder, 18, seed=0)


@pytest.fixture
def film(made: tuple[Path, list[Turn]], tmp_path: Path) -> Path:
    """The film without its subtitles, in a folder of its own."""
    return Path(shutil.copy(made[0] / "film.mp4", tmp_path / "film.mp4"))


@pytest.fixture(autouse=True)
def _models(monkeypatch: pytest.MonkeyPatch, made: tuple[Path, list[Turn]]) -> None:
    """Stand-ins for the networks that are downloads; voices are known by who speaks at that time."""

    class Known:
        name = "stand-in"

        def embed(self, sound: Sound, stretches: dict[int, Stretch]) -> dict[int, np.ndarray]:
            turns = np.array([turn.begin for turn in made[1]])
            return {place: np.eye(len(turns))[np.searchsorted(turns, one.end) - 1] for place, one in stretches.items()}

    monkeypatch.setattr(face_identity, "face_identity", lambda model: OnePerson())
    monkeypatch.setattr(voices, "voices", lambda source: Known())


def cut(out: Path, *arguments: str | Path) -> list[dict[str, str]]:
    """Run the command in this process; gives the rows of pieces.csv."""
    options = ["--language", "english", "--workers", "0", "--face-detector", "dlib", "--looks", "1"]
    assert prepare_cut.main([*map(str, arguments), "--out", str(out), *options]) == 0
    with (out / "pieces.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_by_subtitles(made: tuple[Path, list[Turn]], film: Path, tmp_path: Path) -> None:
    folder, turns = made
    out = tmp_path / "corpus"
    rows = cut(out, film, "--subtitles", folder / "film.srt", "--shortest", "1.5")
    lines = [(begin, end, turn.kind) for turn in turns for begin, end, _ in turn.lines]
    assert len(rows) == len(lines)
    for row, (begin, end, kind) in zip(rows, lines, strict=True):
        assert float(row["begin"]) == pytest.approx(begin, abs=0.2)
        assert float(row["end"]) == pytest.approx(end, abs=0.2)
        if end - begin > 1.6:
            assert row["reason"] == ("" if kind == "plain" else "several faces")
    clips = {clip.name: clip for clip in read_manifest(out / "manifest.csv").clips}
    assert set(clips) == {row["name"] for row in rows if not row["reason"]}
    with (out / "rejected.csv").open(encoding="utf-8", newline="") as file:
        assert [row["name"] for row in csv.DictReader(file)] == [row["name"] for row in rows if row["reason"]]
    for row in rows:
        if not row["reason"]:
            clip = clips[row["name"]]
            assert clip.text
            assert clip.columns["language"] == "english"
            assert read_audio(clip.video).duration_seconds == pytest.approx(float(row["seconds"]), abs=0.04)
            assert read_frames(clip.video).times[-1] == pytest.approx(float(row["seconds"]) - 1 / 15, abs=0.04)


def test_by_voice_activity_turns_are_whole(made: tuple[Path, list[Turn]], film: Path, tmp_path: Path) -> None:
    pytest.importorskip("silero_vad")
    rows = cut(tmp_path / "corpus", film)
    assert [row["reason"] for row in rows] == ["", "", "several faces"]
    for row, turn in zip(rows, made[1], strict=True):
        assert float(row["begin"]) == pytest.approx(turn.begin, abs=0.2)
        assert float(row["end"]) == pytest.approx(turn.end, abs=0.2)
        assert int(row["stretches"]) == len(turn.lines)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which parts were looked at, in order."""
    seen: list[str] = []
    look = film_measuring.Looker.prepare

    def noted(self: film_measuring.Looker, clip: object) -> object:
        seen.append(clip.name)
        return look(self, clip)

    monkeypatch.setattr(film_measuring.Looker, "prepare", noted)
    return seen


def test_other_limits_judge_anew_without_decoding(
    made: tuple[Path, list[Turn]], film: Path, tmp_path: Path, looks: list[str]
) -> None:
    out, subtitles = tmp_path / "corpus", made[0] / "film.srt"
    strict = cut(out, film, "--subtitles", subtitles)
    kept = {row["name"] for row in strict if not row["reason"]}
    looked = len(looks)
    loose = cut(out, film, "--subtitles", subtitles, "--shortest", "1", "--judge-only")
    assert len(looks) == looked
    assert sum(not row["reason"] for row in loose) > len(kept)
    assert {path.stem for path in (out / "video").iterdir()} == kept
    none = cut(out, film, "--subtitles", subtitles, "--shortest", "2.4")
    assert {path.stem for path in (out / "video").iterdir()} == {row["name"] for row in none if not row["reason"]}


@pytest.mark.parametrize("stage", [film_measuring.Looker, film_cutting.Cutter])
def test_what_was_killed_goes_on_and_nothing_is_lost_doubled_or_cut_twice(
    made: tuple[Path, list[Turn]],
    film: Path,
    tmp_path: Path,
    looks: list[str],
    monkeypatch: pytest.MonkeyPatch,
    stage: type,
) -> None:
    arguments = film, "--subtitles", made[0] / "film.srt", "--shortest", "1.5"
    work, calls = stage.prepare, []

    def dies(self: object, clip: object) -> object:
        calls.append(clip.name)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return work(self, clip)

    out = tmp_path / "killed"
    with monkeypatch.context() as patch:
        patch.setattr(stage, "prepare", dies)
        with pytest.raises(KeyboardInterrupt):
            cut(out, *arguments)
    journal = out / "measured.jsonl"
    journal.write_text(journal.read_text(encoding="utf-8") + '\n{"part": "half a li', encoding="utf-8")
    written = {path: path.stat().st_mtime_ns for path in (out / "video").glob("*.mp4")}
    resumed = cut(out, *arguments)
    assert {path: path.stat().st_mtime_ns for path in written} == written
    assert len(looks) - len(set(looks)) <= (1 if stage is film_measuring.Looker else 0)
    assert resumed == cut(tmp_path / "whole", *arguments)
    names = [clip.name for clip in read_manifest(out / "manifest.csv").clips]
    assert sorted(names) == sorted(path.stem for path in (out / "video").iterdir())


def test_broken_subtitles_cost_their_film_alone(
    made: tuple[Path, list[Turn]], film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Path(shutil.copy(film, tmp_path / "other.mp4"))
    other.with_suffix(".srt").write_text("no subtitles at all", encoding="utf-8")
    shutil.copy(made[0] / "film.srt", film.with_suffix(".srt"))
    rows = cut(tmp_path / "corpus", film, other)
    assert {row["film"] for row in rows} == {"film"}
    assert "holds no subtitles" in capsys.readouterr().out
    with pytest.raises(InputError, match="There are no subtitles"):
        cut(tmp_path / "corpus", film, other, "--subtitles", film.with_suffix(".srt"), tmp_path / "absent.srt")


def test_a_corrupt_stretch_costs_its_pieces_alone(made: tuple[Path, list[Turn]], film: Path, tmp_path: Path) -> None:
    folder, turns = made
    begin, end, _ = turns[1].lines[0]
    with av.open(str(film)) as container:
        packets = [p for p in container.demux(video=0) if p.pts is not None]
        hurt = [(p.pos, p.size) for p in packets if begin - 0.5 < p.pts * p.time_base < end]
    content = bytearray(film.read_bytes())
    for position, size in hurt:
        content[position + 5 : position + size] = bytes(size - 5)
    film.write_bytes(content)
    whole = cut(tmp_path / "whole", folder / "film.mp4", "--shortest", "1", "--subtitles", folder / "film.srt")
    rows = cut(tmp_path / "corpus", film, "--shortest", "1", "--subtitles", folder / "film.srt")
    reasons = {row["name"]: row["reason"] for row in rows}
    lost = [row["name"] for row in whole if not row["reason"] and reasons[row["name"]] == "damaged"]
    kept = [row["name"] for row in whole if not row["reason"] and not reasons[row["name"]]]
    assert lost
    assert kept
    assert set(reasons) == {row["name"] for row in whole}


def silent_film(folder: Path) -> Path:
    write_clip(folder / "silent.mp4", (np.full((48, 64, 3), 90, np.uint8) for _ in range(50)), 25)
    return folder / "silent.mp4"


def speechless_film(folder: Path) -> Path:
    images = (np.full((48, 64, 3), 90, np.uint8) for _ in range(50))
    write_clip(folder / "quiet.mp4", images, 25, np.zeros(32_000, np.float32))
    return folder / "quiet.mp4"


def broken_film(folder: Path) -> Path:
    (folder / "broken.mp4").write_bytes(b"no film" * 100)
    return folder / "broken.mp4"


def sound_alone(folder: Path) -> Path:
    write_sound(folder / "radio.flac", np.zeros(32_000, np.float32))
    return folder / "radio.flac"


@pytest.mark.parametrize(
    "bad, note",
    [
        (silent_film, "no audio stream"),
        (speechless_film, "no speech"),
        (broken_film, "cannot be opened"),
        (sound_alone, "no video stream"),
    ],
)
def test_the_other_films_are_cut(
    film: Path, tmp_path: Path, bad: object, note: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("silero_vad")
    rows = cut(tmp_path / "corpus", film, bad(tmp_path))
    assert sum(not row["reason"] for row in rows) == 2
    assert note in capsys.readouterr().out


def test_subtitles_inside_the_film(
    made: tuple[Path, list[Turn]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "inside.mkv"
    mux_subtitles(made, path)
    rows = cut(tmp_path / "corpus", path)
    lines = [line for turn in made[1] for line in turn.lines]
    assert [row["subtitle"] + row["subtitle_english"] for row in rows] == [words for _, _, words in lines]
    assert [float(row["begin"]) for row in rows] == pytest.approx([begin for begin, _, _ in lines], abs=0.2)
    assert "took eng" in capsys.readouterr().out


def mux_subtitles(made: tuple[Path, list[Turn]], path: Path) -> None:
    """The film with two streams of subtitles: late ones tagged as French, and its own."""
    folder, _ = made
    with av.open(str(folder / "film.mp4")) as film, av.open(str(path), "w") as new:
        streams = {stream.index: new.add_stream_from_template(stream) for stream in film.streams}
        for language, delay in (("fre", 1000), ("eng", 0)):
            with av.open(str(folder / "film.srt")) as text:
                stream = new.add_stream_from_template(text.streams[0])
                stream.metadata["language"] = language
                streams[language, delay] = stream
        for packet in film.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                new.mux(packet)
        for language, delay in (("fre", 1000), ("eng", 0)):
            with av.open(str(folder / "film.srt")) as text:
                for packet in text.demux(text.streams[0]):
                    if packet.size:
                        packet.pts, packet.dts = packet.pts + delay, packet.dts + delay
                        packet.stream = streams[language, delay]
                        new.mux(packet)


def test_a_folder_of_other_films_is_refused(film: Path, tmp_path: Path, made: tuple[Path, list[Turn]]) -> None:
    out = tmp_path / "corpus"
    cut(out, film, "--subtitles", made[0] / "film.srt", "--judge-only")
    with pytest.raises(InputError, match="pieces of 'film' too"):
        cut(out, silent_film(tmp_path))
    film.write_bytes(film.read_bytes() + b"\0")
    with pytest.raises(InputError, match="another film 'film'"):
        cut(out, film)


def test_films_of_one_name_are_refused(film: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(InputError, match="Several films are called 'film'"):
        cut(tmp_path / "corpus", film, shutil.copy(film, other / "film.mp4"))
