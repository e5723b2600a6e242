"""`mertools data faces` and extraction from what it wrote: the same features as from video, without video."""

from __future__ import annotations

import json
import random
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from broken_corpus import make_broken_corpus, portrait
from test_feature_extractors_runner_killed import arrays, extract_within
from test_mertools_face_store import MEAN_ERROR, WIDEST_ERROR
from tiny_video import crops

from feature_extractors.catalog import CATALOG
from feature_extractors.encoder import Settings, build
from mertools import media
from mertools.clip import Clip
from mertools.commands import data_faces, extract
from mertools.corpus import read_manifest, write_manifest
from mertools.errors import InputError
from mertools.face_store import FaceFile, read_cutting
from mertools.faces import MARGIN, DlibDetector, crop_faces
from mertools.feature_store import FeatureReader, read_features, read_heads, read_provenance
from mertools.media import FrameStream, every, write_clip

LEAST_COSINE = 0.995
"""Between features from crops and from video."""


@pytest.fixture(scope="module")
def speakers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifest of two clips with a face, one without, and one with ready crops alone."""
    folder = tmp_path_factory.mktemp("speakers")
    frames = portrait(12)
    write_clip(folder / "one.mp4", frames, 25)
    write_clip(folder / "two.mp4", frames[6:], 25)
    write_clip(folder / "wall.mp4", [np.full((120, 160, 3), 128, np.uint8)] * 3, 25)
    np.save(folder / "ready.npy", crops(5))
    clips = [Clip(name, video=folder / f"{name}.mp4") for name in ("one", "two", "wall")]
    write_manifest(folder / "manifest.csv", [*clips, Clip("ready", faces=folder / "ready.npy")])
    return folder / "manifest.csv"


@pytest.fixture
def corpus(speakers: Path, tmp_path: Path) -> Path:
    """A copy of the speakers, to be changed."""
    return shutil.copytree(speakers.parent, tmp_path / "corpus") / "manifest.csv"


def cut(manifest: Path, *more: str) -> Path:
    out = manifest.parent / "faces.h5"
    words = ["--data", str(manifest), "--out", str(out), "--face-detector", "dlib", "--workers", "0"]
    assert data_faces.main([*words, *more]) == 0
    return out


def features(manifest: Path, folder: str, *more: str) -> Path:
    """The feature file of face-expression by these options."""
    words = ["--feature", "face-expression", "--data", str(manifest), "--out", str(manifest.parent / folder)]
    assert extract.main([*words, "--workers", "0", *more]) == 0
    return manifest.parent / folder / "face-expression.h5"


def statuses(path: Path) -> dict[str, tuple[str, str]]:
    return {head.name: (head.status, head.reason) for head in read_heads(path)}


def assert_alike(path: Path, other: Path) -> None:
    """Two feature files tell the same of each clip, and their vectors point the same way."""
    assert statuses(path) == statuses(other)
    a, b = read_features(path), read_features(other)
    assert a.names == b.names and a.mask.any()
    for name, one, two in zip(a.names, a.utterance, b.utterance, strict=True):
        assert one @ two >= LEAST_COSINE * np.linalg.norm(one) * np.linalg.norm(two), name


def forbid_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(path: Path) -> None:
        raise AssertionError(f"{path} is opened")

    monkeypatch.setattr(media, "_opened", opened)


# ---- the main path


def test_features_from_crops_are_those_from_video(
    corpus: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    direct = features(corpus, "direct", "--face-detector", "dlib", "--level", "frame")
    capsys.readouterr()
    file = cut(corpus)
    printed, progress = capsys.readouterr()
    assert printed.splitlines()[:2] == ["feature\tok\tmissing\tfailed", "faces\t2\t1\t0"]
    assert "faces\twall\tmissing\tno face in any of 3 frames" in printed
    assert "1 clips have ready face crops in the manifest: not looked at." in printed
    assert f"--faces {file} --feature face-expression" in printed.splitlines()[-1]
    assert "cutting faces: 3/3 clips" in progress
    with monkeypatch.context() as patch:
        forbid_decoding(patch)
        from_crops = features(corpus, "crops", "--faces", str(file), "--level", "frame")
    assert_alike(direct, from_crops)
    with FeatureReader(direct) as one, FeatureReader(from_crops) as other:
        np.testing.assert_array_equal(one["one"].times, other["one"].times)
        np.testing.assert_array_equal(one["ready"].frames, other["ready"].frames)
    recipe, stored = (json.loads(read_provenance(path).recipe) for path in (direct, from_crops))
    assert stored.pop("face_crops") == "JPEG 95, 4:4:4, at most 224 pixels" and stored == recipe
    with pytest.raises(InputError, match="was extracted with recipe"):
        features(corpus, "direct", "--faces", str(file))


def test_crops_are_what_would_be_cut_up_to_jpeg(speakers: Path, tmp_path: Path) -> None:
    clips = {clip.name: clip for clip in read_manifest(speakers).clips}
    words = ["--data", str(speakers), "--out", str(tmp_path / "faces.h5"), "--face-detector", "dlib"]
    assert data_faces.main([*words, "--workers", "2"]) == 0
    file = FaceFile(tmp_path / "faces.h5")
    for size in (64, 112, 224):
        stored = file.track(clips["one"], every(), size)
        direct = crop_faces(FrameStream(clips["one"].video), DlibDetector(), size=size)
        np.testing.assert_array_equal(stored.times, direct.times)
        error = np.abs(np.array(stored.crops).astype(int) - np.array(direct.crops))
        assert error.max() <= WIDEST_ERROR and error.mean() <= MEAN_ERROR


def test_crops_do_without_the_videos(corpus: Path) -> None:
    file = cut(corpus)
    with_videos = features(corpus, "with", "--faces", str(file))
    for video in corpus.parent.glob("*.mp4"):
        video.unlink()
    assert cut(corpus) == file, "nothing is lost where the videos are gone"
    without = features(corpus, "without", "--faces", str(file))
    np.testing.assert_array_equal(read_features(with_videos).utterance, read_features(without).utterance)
    assert statuses(without)["wall"] == ("missing", "no face in any of 3 frames")


def test_broken_clips_keep_their_reasons(tmp_path: Path) -> None:
    manifest, cases = make_broken_corpus(tmp_path)
    file = cut(manifest)
    from_crops = features(manifest, "crops", "--faces", str(file))
    told = statuses(from_crops)
    for case in cases:
        status, reason = told[case.clip.name]
        assert status == case.face_expression[0] and case.face_expression[1] in reason, case.clip.name
    assert_alike(features(manifest, "direct", "--face-detector", "dlib"), from_crops)


def test_a_changed_clip_is_cut_again_and_no_other(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = cut(corpus)
    features(corpus, "features", "--faces", str(file))
    shutil.copy(corpus.parent / "one.mp4", corpus.parent / "two.mp4")
    stale = statuses(features(corpus, "features", "--faces", str(file)))
    reason = "the video has changed since its faces were cut; run mertools data faces again"
    assert stale["two"] == ("failed", reason) and stale["one"] == ("ok", "")
    capsys.readouterr()
    cut(corpus)
    assert "cutting faces: 1/1 clips" in capsys.readouterr().err
    again = read_features(features(corpus, "features", "--faces", str(file)))
    assert again.status == ("ok", "ok", "missing", "ok")
    np.testing.assert_allclose(again.utterance[0], again.utterance[1], atol=1e-5)
    capsys.readouterr()
    cut(corpus)
    assert "0/0 clips" in capsys.readouterr().err


def test_a_share_of_the_clips_and_its_extraction(corpus: Path) -> None:
    cut(corpus, "--shard", "1/1", "--limit", "1")
    file = corpus.parent / "1-of-1" / "faces.h5"
    assert FaceFile(file).names() == {"one"}
    features(corpus, "features", "--faces", str(file), "--limit", "1")


# ---- refusals


def test_crops_that_do_not_suffice_are_refused_at_the_door(corpus: Path) -> None:
    file = cut(corpus, "--size", "48", "--limit", "2")
    assert read_cutting(file).side == 48
    with pytest.raises(InputError, match=r"at most 48 pixels .* wanted are 64 .* mertools data faces --size 64 --out"):
        features(corpus, "features", "--faces", str(file))
    file.unlink()
    cut(corpus, "--limit", "2")
    with pytest.raises(InputError, match=r"lacks 1 of 3 clips \(first: wall\)\. Run: mertools data faces --out"):
        features(corpus, "features", "--faces", str(file))
    with pytest.raises(InputError, match="lacks 1 of 3 clips"):
        features(corpus, "features", "--faces", str(file), "--plan")
    assert not (corpus.parent / "features").exists(), "nothing is written"
    assert statuses(features(corpus, "features", "--faces", str(file), "--limit", "2"))["two"] == ("ok", "")


def test_bad_options_are_refused(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file of face crops"):
        features(corpus, "features", "--faces", str(tmp_path / "absent.h5"))
    with pytest.raises(InputError, match="Leave out --face-detector and --face-model"):
        features(corpus, "features", "--faces", "faces.h5", "--face-detector", "dlib")
    (tmp_path / "yunet.onnx").write_bytes(b"not a network")
    broken = ["--data", str(corpus), "--out", str(tmp_path / "faces.h5"), "--face-model", str(tmp_path / "yunet.onnx")]
    with pytest.raises(InputError, match="cannot be loaded as a YuNet model"):
        data_faces.main(broken)
    write_manifest(corpus, [Clip("ready", faces=corpus.parent / "ready.npy")])
    with pytest.raises(InputError, match=r"All 1 clips of .* have ready face crops"):
        cut(corpus)


def test_the_default_suits_every_encoder() -> None:
    for card in CATALOG.values():
        for recipe in card.recipes.values():
            if card.modality == "video" and recipe.get("picture", "face") == "face":
                assert recipe["margin"] == MARGIN and recipe.get("crop", recipe.get("resolution")) <= 224, card.name


def test_encoders_of_whole_pictures_read_videos_as_before(speakers: Path, tmp_path: Path) -> None:
    source = {"eva-clip-g": f"path:{tmp_path}"}
    with_faces = build(CATALOG["eva-clip-g"], Settings(sources=source, faces=cut_into(tmp_path, speakers)))
    assert with_faces.recipe == build(CATALOG["eva-clip-g"], Settings("dlib", sources=source)).recipe
    with_faces.check([Clip("other", video=tmp_path / "other.mp4")])


def cut_into(folder: Path, manifest: Path) -> Path:
    return cut(shutil.copytree(manifest.parent, folder / "corpus") / "manifest.csv")


# ---- real clips, and runs that are killed


def test_real_clips(media_folder: Path, tmp_path: Path) -> None:
    videos = [media_folder / "meld" / name for name in ("dia12_utt12.mp4", "dia29_utt4.mp4")]
    for video in videos:
        shutil.copy(video, tmp_path / video.name)
    write_manifest(tmp_path / "manifest.csv", [Clip(video.stem, video=tmp_path / video.name) for video in videos])
    file = cut(tmp_path / "manifest.csv", "--workers", "2")
    from_crops = features(tmp_path / "manifest.csv", "crops", "--faces", str(file))
    assert_alike(features(tmp_path / "manifest.csv", "direct", "--face-detector", "dlib"), from_crops)
    assert read_features(from_crops).mask.all()


SCRIPT = """
import pathlib, sys, time

from mertools.clip import Clip
from mertools.prepare import face_cutting

FOLDER = pathlib.Path({folder!r})


class Moving:
    name = "moving"

    def detect(self, image):
        time.sleep(0.004)
        return [(10, 12, 40 + image[0, 0, 0] // 8, 44)] if image[0, 0, 0] % 7 else []


if __name__ == "__main__":
    face_cutting.CLIPS_AT_ONCE = 3
    files = ["a.mp4", "b.mp4", "text.mp4", "c.mp4", "absent.mp4"]
    clips = [Clip(f"clip {{number}}", video=FOLDER / files[number % 5]) for number in range(20)]
    clips[7] = Clip("clip 7", subtitle="no video")
    out = pathlib.Path(sys.argv[1]) / "faces.h5"
    face_cutting.cut_faces(clips, out, Moving(), side=64, workers=2)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("kills", [3, pytest.param(30, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_killed_at_random_moments(tmp_path: Path, kills: int) -> None:
    for name, seed in (("a", 1), ("b", 2), ("c", 3)):
        write_clip(tmp_path / f"{name}.mp4", list(crops(8, 64, seed)), 25)
    (tmp_path / "text.mp4").write_text("not media")
    script = tmp_path / "run.py"
    script.write_text(SCRIPT.format(folder=str(tmp_path)))
    begin = time.monotonic()
    assert extract_within(script, tmp_path / "whole", seconds=None)
    longest = time.monotonic() - begin
    whole, draw, interrupted = arrays(tmp_path / "whole"), random.Random(0), 0
    assert {"faces.h5/jpeg", "faces.h5/reason", "faces.h5/times"} <= set(whole)
    while interrupted < kills:
        if extract_within(script, tmp_path / "killed", draw.uniform(0.3, 1) * longest):
            assert arrays(tmp_path / "killed") == whole
            shutil.rmtree(tmp_path / "killed")
        else:
            interrupted += 1
    assert extract_within(script, tmp_path / "killed", seconds=None)
    assert arrays(tmp_path / "killed") == whole
