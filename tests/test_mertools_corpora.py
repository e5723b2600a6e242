"""The challenges' releases as they lie on disk, tree by tree, and the manifests they become."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mertools.clip import Clip
from mertools.commands import data_import
from mertools.corpora.challenges import RELEASES
from mertools.corpora.release import parse_open_labels
from mertools.corpus import Corpus, read_manifest
from mertools.errors import InputError


def touch(root: Path, *files: str) -> None:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(b"medium")


def table(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def crops(root: Path, *names: str) -> None:
    for name in names:
        touch(root, f"openface_face/{name}/{name}.npy")


def imported(*words: object) -> Corpus:
    assert data_import.main([str(word) for word in words]) == 0
    return read_manifest(Path(str(words[1])) / "manifest.csv")


def clips_of(corpus: Corpus) -> dict[str, Clip]:
    return {clip.name: clip for clip in corpus.clips}


def make_raw_mer2024(root: Path) -> None:
    touch(root / "video-labeled", "sample_00000001.mp4", "samplenew_00000001.avi", ".DS_Store")
    unlabelled = root / "video-unlabeled-with-test2noise"
    touch(unlabelled, *(f"samplenew3_0000000{number}.mp4" for number in range(1, 6)))
    table(root / "label-disdim.csv", "name,discrete,valence", "sample_00000001,worried,-2", "samplenew_00000001,sad,-3")
    table(root / "label-transcription.csv", "name,chinese", "sample_00000001,我没事。", "samplenew_00000001,真的吗?")


def make_processed_mer2024(root: Path) -> None:
    names = ("sample_00000001", "samplenew_00000001", "samplenew3_00000001", "samplenew3_00000002")
    touch(root, *(f"video/{name}.mp4" for name in names), *(f"audio/{name}.wav" for name in names))
    crops(root, *names[:3])
    (root / "openface_face" / names[3]).mkdir()
    table(root / "transcription-old.csv", "name,sentence", "sample_00000001,我没是", "samplenew3_00000002,走吧")
    table(root / "transcription.csv", "name,sentence", "sample_00000001,我没是。", "samplenew3_00000001,好的。")
    table(root / "transcription-merge.csv", "name,chinese", "sample_00000001,我没事。", "samplenew3_00000001,好的!")
    np.savez(root / "label-6way.npz", train_corpus=np.array({"a": {"emo": "sad"}}, dtype=object))


def test_the_raw_release_of_mer2024(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_raw_mer2024(tmp_path)
    table(tmp_path / "candidate_20000.csv", "name", "samplenew3_00000003", "samplenew3_00000001", "samplenew3_00000009")
    corpus = imported("mer2024", tmp_path)
    clips = clips_of(corpus)
    assert list(clips)[:4] == ["sample_00000001", "samplenew_00000001", "samplenew3_00000003", "samplenew3_00000001"]
    first = clips["sample_00000001"]
    assert first.video == tmp_path / "video-labeled" / "sample_00000001.mp4"
    assert (first.split, first.label, first.columns["valence"]) == ("train", "worried", "-2")
    assert (first.subtitle, first.subtitle_source) == ("我没事。", "checked")
    assert clips["samplenew_00000001"].video.suffix == ".avi"
    splits = {name: clip.split for name, clip in clips.items() if name.startswith("samplenew3")}
    assert splits == {
        "samplenew3_00000001": "candidates",
        "samplenew3_00000002": "unlabelled",
        "samplenew3_00000003": "candidates",
        "samplenew3_00000004": "unlabelled",
        "samplenew3_00000005": "unlabelled",
    }
    printed = capsys.readouterr().out
    assert f"videos\t7\t{tmp_path / 'video-labeled'}, " in printed
    assert "face crops\tnot found\tlooked for openface_face/NAME/NAME.npy, " in printed
    assert "labels of semi\tnot found\tlooked for reference-semi.csv\n" in printed
    assert "Left out: 1 names in the tables without any medium (first: samplenew3_00000009)" in printed
    assert f"{tmp_path / 'manifest.csv'}: 7 clips (2 train, 2 candidates, 3 unlabelled)" in printed
    assert f"Next: mertools data validate --data {tmp_path / 'manifest.csv'}\n" in printed


def test_raw_and_processed_trees_beside_each_other(tmp_path: Path) -> None:
    make_raw_mer2024(tmp_path / "mer2024-dataset")
    make_processed_mer2024(tmp_path / "mer2024-dataset-process")
    table(tmp_path / "reference-semi.csv", "name,discrete", "samplenew3_00000001,surprised")
    table(tmp_path / "reference-noise.csv", "name,discrete", "samplenew3_00000002,Happy")
    clips = clips_of(imported("mer2024", tmp_path))
    processed = tmp_path / "mer2024-dataset-process"
    first, semi, noise = (clips[n] for n in ("sample_00000001", "samplenew3_00000001", "samplenew3_00000002"))
    assert first.video == tmp_path / "mer2024-dataset" / "video-labeled" / "sample_00000001.mp4"
    assert first.audio == processed / "audio" / "sample_00000001.wav"
    assert first.faces == processed / "openface_face" / "sample_00000001" / "sample_00000001.npy"
    assert first.faces_order == "bgr"
    assert (first.subtitle, first.subtitle_source) == ("我没事。", "checked")
    assert (semi.split, semi.label, semi.subtitle, semi.subtitle_source) == ("semi", "surprise", "好的!", "asr")
    assert (noise.split, noise.label, noise.faces) == ("noise", "happy", None)
    assert (noise.subtitle, noise.subtitle_source) == ("走吧", "asr")


def test_the_processed_tree_alone_tells_that_labels_are_lacking(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_processed_mer2024(tmp_path)
    clips = clips_of(imported("mer2024", tmp_path))
    assert {clip.split for clip in clips.values()} == {"unlabelled"}
    assert "labels of train\tnot found\tlooked for label-disdim.csv\n" in capsys.readouterr().out
    table(tmp_path / "label-disdim.csv", "name,discrete", "sample_00000001,sad")
    clips = clips_of(imported("mer2024", tmp_path, "--overwrite"))
    # The merged table holds the checked text of the training clips.
    assert (clips["sample_00000001"].split, clips["sample_00000001"].subtitle_source) == ("train", "checked")
    assert clips["samplenew3_00000001"].subtitle_source == "asr"


def test_mer2023(tmp_path: Path) -> None:
    touch(tmp_path, "train/sample_1.mp4", "test1/sample_2.mp4", "test2/sample_3.mp4", "test3/sample_4.avi")
    table(tmp_path / "train-label.csv", "name,discrete,valence", "sample_1,angry,-1.5")
    table(tmp_path / "test-labels" / "test1-label.csv", "name,discrete,valence", "sample_2,sad,-2")
    clips = clips_of(imported("mer2023", tmp_path))
    assert {name: (clip.split, clip.label) for name, clip in clips.items()} == {
        "sample_1": ("train", "angry"),
        "sample_2": ("test1", "sad"),
        "sample_3": ("test2", ""),
        "sample_4": ("test3", ""),
    }
    assert clips["sample_1"].columns["valence"] == "-1.5"


@pytest.mark.parametrize(
    ("year", "labels", "open_labels", "candidates"),
    [
        ("mer2025", "track1_train_disdim.csv", "track2_train_ovmerd.csv", "track_all_candidates.csv"),
        ("mer2026", "track1_train.csv", "track2_train_human.csv", "track1_track2_candidate.csv"),
    ],
)
def test_mer2025_and_mer2026(tmp_path: Path, year: str, labels: str, open_labels: str, candidates: str) -> None:
    for name in ("a", "b", "c", "d"):
        touch(tmp_path, f"video/{name}.mp4", f"audio/{name}.wav")
        crops(tmp_path, name)
    table(tmp_path / "subtitle_chieng.csv", "name,chinese,english", "a,好,Good", "b,,Only English", "c,行,")
    table(tmp_path / labels, "name,discrete", "a,neutral")
    table(tmp_path / open_labels, "name,openset", "a,\"['calm', 'at ease']\"", 'b,"[worried, afraid]"')
    table(tmp_path / "track2_train_mercaptionplus.csv", "name,openset", 'b,"[bored]"', 'c,"[glad]"')
    table(tmp_path / candidates, "name", "d")
    clips = clips_of(imported(year, tmp_path))
    assert {name: clip.split for name, clip in clips.items()} == {
        "a": "train",
        "b": "open",
        "c": "open",
        "d": "candidates",
    }
    assert clips["a"].open_labels == ("calm", "at ease") and clips["b"].open_labels == ("worried", "afraid")
    assert (clips["a"].subtitle, clips["a"].subtitle_english, clips["a"].subtitle_source) == ("好", "Good", "")
    assert (clips["b"].subtitle, clips["b"].subtitle_english) == ("", "Only English")
    assert all(clip.audio and clip.faces and clip.faces_order == "bgr" for clip in clips.values())


def test_a_manifest_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_raw_mer2024(tmp_path / "data" / "mer2024-dataset")
    data, out = tmp_path / "data", tmp_path / "work" / "manifest.csv"
    assert data_import.main(["mer2024", str(data), "--out", str(out)]) == 0
    assert f"give --media-root {data} wherever it is read" in capsys.readouterr().out
    assert read_manifest(out, data).clips[0].video.is_file()
    # Above the release, paths relative to the manifest reach it.
    assert data_import.main(["mer2024", str(data), "--out", str(tmp_path / "above.csv")]) == 0
    assert "--media-root" not in capsys.readouterr().out
    assert read_manifest(tmp_path / "above.csv").clips[0].video.is_file()


def test_splits_can_be_left_out(tmp_path: Path) -> None:
    make_raw_mer2024(tmp_path)
    table(tmp_path / "candidate_20000.csv", "name", "samplenew3_00000001")
    assert imported("mer2024", tmp_path, "--splits", "train,candidates").splits == ("train", "candidates")
    with pytest.raises(InputError, match="--splits semi: no clip is of this split; there are train, candidates, unl"):
        data_import.main(["mer2024", str(tmp_path), "--splits", "semi", "--overwrite"])


def test_bad_input(tmp_path: Path) -> None:
    def refused(*words: str, match: str) -> None:
        with pytest.raises(InputError, match=match):
            data_import.main(["mer2024", str(tmp_path), *words])
        assert not (tmp_path / "manifest.csv").exists()

    with pytest.raises(InputError, match=r"Unknown release 'mer204'\. Did you mean 'mer2024'\?"):
        data_import.main(["mer204", str(tmp_path)])
    with pytest.raises(InputError, match="There is no folder"):
        data_import.main(["mer2024", str(tmp_path / "absent")])
    refused(match="no media of mer2024: looked for the folders video-labeled, .*, in mer2024-dataset-process")
    make_raw_mer2024(tmp_path)
    labels = tmp_path / "label-disdim.csv"
    table(labels, "name,emotion", "sample_00000001,sad")
    refused(match=r"label-disdim\.csv has no column 'discrete': got name, emotion\.")
    table(labels, "name,discrete", "sample_00000001,bored")
    refused(match=r"label-disdim\.csv, row 2: 'bored' is none of neutral, angry, happy, sad, worried, surprise\.")
    table(labels, "name,discrete", "sample_00000001,sad", "sample_00000001,sad", "sample_00000001,happy")
    refused(match=r"label-disdim\.csv, row 4: 'sample_00000001' has another entry above\.")
    labels.write_bytes("name,discrete\n再见,sad\n".encode("gb18030"))
    refused(match=r"label-disdim\.csv is not UTF-8 \(byte 0x")
    labels.write_bytes(b"")
    refused(match="has no column 'name': got nothing")
    labels.write_text("name,discrete\n")
    touch(tmp_path / "video", "a\tb.mp4")
    refused(match=r"Clip 'a\\tb': the name contains '\\t'")
    (tmp_path / "video" / "a\tb.mp4").unlink()
    imported("mer2024", tmp_path)
    with pytest.raises(InputError, match=r"manifest\.csv is there already\. Give another --out, or replace it with"):
        data_import.main(["mer2024", str(tmp_path)])


def test_every_release_says_what_it_looks_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in RELEASES:
        touch(tmp_path / name, "video/a.mp4")
        imported(name, tmp_path / name)
        printed = capsys.readouterr().out
        for what in ("audio files", "face crops", "labels of train", "subtitles"):
            assert f"{what}\tnot found\tlooked for " in printed


def test_open_labels_in_both_notations() -> None:
    assert parse_open_labels("['happy', 'at ease']") == parse_open_labels("[happy, at ease]") == ("happy", "at ease")
    assert parse_open_labels('["it\'s fine"]') == ("it's fine",)
    assert parse_open_labels("[]") == parse_open_labels("") == ()
