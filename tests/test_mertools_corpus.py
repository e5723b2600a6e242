"""A manifest is read exactly, or refused with the row and the column."""

from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mertools.clip import Clip
from mertools.corpus import read_manifest, stratified_folds, write_manifest
from mertools.errors import InputError


def manifest(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "manifest.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_reads_every_column(tmp_path: Path) -> None:
    path = manifest(
        tmp_path,
        "name,video,audio,faces,faces_order,subtitle,subtitle_english,subtitle_source,split,label,open_labels,speaker,take\n"
        "a,v/a.mp4,s/a.wav,f/a.npy,bgr,你好,hello,asr,semi,happy,\"['happy', 'relieved']\",anna,3\n",
    )
    (clip,) = read_manifest(path).clips
    assert clip == Clip(
        name="a",
        video=tmp_path / "v/a.mp4",
        audio=tmp_path / "s/a.wav",
        faces=tmp_path / "f/a.npy",
        faces_order="bgr",
        subtitle="你好",
        subtitle_english="hello",
        subtitle_source="asr",
        split="semi",
        label="happy",
        open_labels=("happy", "relieved"),
        speaker="anna",
        columns={"take": "3"},
    )
    assert clip.sound == tmp_path / "s/a.wav"
    # Clips travel to worker processes.
    assert pickle.loads(pickle.dumps(clip)) == clip  # noqa: S301


def test_without_splits_labelled_clips_train_and_the_others_are_predicted(tmp_path: Path) -> None:
    corpus = read_manifest(manifest(tmp_path, "name,subtitle,label\na,hi,happy\nb,ho,\n"))
    assert [clip.name for clip in corpus.train] == ["a"]
    assert [(clip.name, clip.split) for clip in corpus.others] == [("b", "test")]


def test_only_the_split_train_is_trained_on(tmp_path: Path) -> None:
    corpus = read_manifest(manifest(tmp_path, "name,subtitle,label,split\na,hi,happy,semi\nb,ho,sad,train\n"))
    assert [clip.name for clip in corpus.train] == ["b"]
    assert corpus.splits == ("train", "semi")


def test_byte_order_mark_line_breaks_in_cells_and_blank_lines(tmp_path: Path) -> None:
    corpus = read_manifest(
        manifest(tmp_path, 'name,subtitle\r\na,"two\nlines, one cell"\r\n\r\nb,x\u2028y\r\n', encoding="utf-8-sig")
    )
    assert [clip.subtitle for clip in corpus.clips] == ["two\nlines, one cell", "x\u2028y"]


def test_odd_names_are_allowed(tmp_path: Path) -> None:
    names = ["two words", "it's", 'say "hi"', "样本_001", "😀", "-rf", "a.b.c"]
    clips = [Clip(name=name, subtitle="x", split="train", label="sad") for name in names]
    write_manifest(tmp_path / "manifest.csv", clips)
    assert [clip.name for clip in read_manifest(tmp_path / "manifest.csv").clips] == names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("name,subtitle\n", "has a header but no clips"),
        ("video,label\na.mp4,sad\n", "row 1: column 'name' is missing; got video, label"),
        ("name,label\na,sad\n", "row 1: no column names a medium"),
        ("name,subtitle,name\na,x,b\n", "row 1: column 'name' appears more than once"),
        ("name,subtitle\na,x\nb,y\na,z\n", "row 4, column 'name': 'a' stands in row 2 already"),
        ("name,subtitle\n,x\n", "row 2, column 'name': is empty"),
        ("name,subtitle\na/b,x\n", "row 2, column 'name': 'a/b' contains '/'"),
        ("name,subtitle\na\\b,x\n", "row 2, column 'name'"),
        ("name,subtitle\na\x07b,x\n", "row 2, column 'name'"),
        ("name,subtitle\n..,x\n", "row 2, column 'name': '..' is not a file name"),
        ("name,video,subtitle\na,,\n", "row 2, column 'name': clip 'a' has no medium"),
        ("name,video\na,../b.mp4\n", "row 2, column 'video': '../b.mp4' leaves the folder"),
        ("name,video\na,/etc/passwd\n", "row 2, column 'video': '/etc/passwd' leaves the folder"),
        ("name,audio\na,x/../../b.wav\n", "row 2, column 'audio'"),
        ("name,faces,faces_order\na,f.npy,RGBA\n", "row 2, column 'faces_order': got 'RGBA', wanted 'rgb' or 'bgr'"),
        ("name,subtitle,subtitle_source\na,x,me\n", "row 2, column 'subtitle_source': got 'me'"),
        ("name,subtitle,open_labels\na,x,happy\n", "row 2, column 'open_labels': got 'happy'"),
        ('name,subtitle,open_labels\na,x,"[1, 2]"\n', "row 2, column 'open_labels'"),
        ("name,subtitle,split\na,x,\n", "row 2, column 'split': is empty"),
        ("name,subtitle,split\na,x,../up\n", "row 2, column 'split'"),
        ("name,subtitle\na,x,y\n", "row 2: 3 cells where the header has 2"),
        ('name,subtitle\na,"x\n', "row 2"),
    ],
)
def test_refuses_with_row_and_column(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        read_manifest(manifest(tmp_path, text))
    assert message in str(error.value)


def test_refuses_another_encoding_with_the_row(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="row 3: byte 0xc4 is not UTF-8"):
        read_manifest(manifest(tmp_path, "name,subtitle\na,x\nb,你好\n", encoding="gbk"))
    with pytest.raises(InputError, match="UTF-8"):
        read_manifest(manifest(tmp_path, "name,subtitle\na,x\n", encoding="utf-16"))


def test_refuses_a_symbolic_link_that_leaves_the_folder(tmp_path: Path) -> None:
    outside, corpus = tmp_path / "outside", tmp_path / "corpus"
    outside.mkdir(), corpus.mkdir()
    (outside / "a.mp4").touch()
    (corpus / "a.mp4").symlink_to(outside / "a.mp4")
    (corpus / "folder").symlink_to(outside)
    for video in ("a.mp4", "folder/a.mp4"):
        with pytest.raises(InputError, match="leaves the folder"):
            read_manifest(manifest(corpus, f"name,video\na,{video}\n"))


def test_media_root_is_the_folder_paths_stay_in(tmp_path: Path) -> None:
    media = tmp_path / "media"
    path = manifest(tmp_path, "name,video\na,a.mp4\n")
    assert read_manifest(path, media).clips[0].video == media / "a.mp4"
    with pytest.raises(InputError, match="leaves the folder"):
        read_manifest(manifest(tmp_path, "name,video\na,../a.mp4\n"), media)


def test_absent_manifest_names_the_option(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--data"):
        read_manifest(tmp_path / "absent.csv")


def test_writes_what_it_reads(tmp_path: Path) -> None:
    clips = [
        Clip("a", video=tmp_path / "v" / "a.mp4", subtitle='say "hi",\nnow', split="train", label="sad", speaker="x"),
        Clip("b", audio=tmp_path / "b.wav", split="semi", open_labels=("sad", "it's"), columns={"notice": "generated"}),
    ]
    write_manifest(tmp_path / "manifest.csv", clips)
    corpus = read_manifest(tmp_path / "manifest.csv")
    assert [clip.video for clip in corpus.clips] == [tmp_path / "v" / "a.mp4", None]
    assert corpus.clips[0].subtitle == clips[0].subtitle
    assert corpus.clips[1].open_labels == ("sad", "it's")
    assert corpus.notice == "generated"
    with pytest.raises(InputError, match="lies outside the folder"):
        write_manifest(tmp_path / "manifest.csv", [Clip("a", video=tmp_path.parent / "a.mp4")])


def test_the_fingerprint_ignores_the_order_of_rows(tmp_path: Path) -> None:
    one = read_manifest(manifest(tmp_path, "name,subtitle,label\na,x,sad\nb,y,happy\n")).fingerprint
    two = read_manifest(manifest(tmp_path, "name,subtitle,label\nb,y,happy\na,x,sad\n")).fingerprint
    other = read_manifest(manifest(tmp_path, "name,subtitle,label\na,x,sad\nb,y,sad\n")).fingerprint
    assert one == two != other


def make_clips(count: int) -> list[Clip]:
    labels = ["neutral"] * 3 + ["angry"] * 2 + ["sad"]
    return [
        Clip(f"c{number:03d}", subtitle="x", split="train", label=labels[number % 6], speaker=f"s{number % 11}")
        for number in range(count)
    ]


def test_folds_are_stratified_seeded_and_independent_of_order() -> None:
    clips = make_clips(120)
    folds = stratified_folds(clips, 5, seed=1)
    per_fold = [Counter(clip.label for clip, f in zip(clips, folds, strict=True) if f == fold) for fold in range(5)]
    assert per_fold == [Counter(neutral=12, angry=8, sad=4)] * 5
    np.testing.assert_array_equal(stratified_folds(clips[::-1], 5, seed=1), folds[::-1])
    assert (stratified_folds(clips, 5, seed=2) != folds).any()


def test_grouped_folds_keep_a_speaker_in_one_fold() -> None:
    clips = make_clips(120)
    folds = stratified_folds(clips, 5, seed=0, group="speaker")
    fold_of_speaker = {(clip.speaker, int(fold)) for clip, fold in zip(clips, folds, strict=True)}
    assert len(fold_of_speaker) == 11 and set(folds) == set(range(5))


def test_folds_refuse_what_cannot_be_split() -> None:
    with pytest.raises(InputError, match=r"Class 'sad' has 3 training clips, fewer than the 5 folds.*--folds 3"):
        stratified_folds(make_clips(18), 5, seed=0)
    with pytest.raises(InputError, match="a single training clip"):
        stratified_folds(make_clips(6), 5, seed=0)
    with pytest.raises(InputError, match="clip 'c000' has no value in column 'take'"):
        stratified_folds(make_clips(60), 5, seed=0, group="take")
    with pytest.raises(InputError, match="11 groups cannot fill 12 folds"):
        stratified_folds(make_clips(120), 12, seed=0, group="speaker")
