"""`mertools adapt videomae` on demo faces: it learns, goes on where it was killed, and the cards read the result."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_video import crops
from tiny_videomae import tiny_videomae

from feature_extractors.catalog import CATALOG
from feature_extractors.encoder import Settings, build
from feature_extractors.face_source import FaceSource
from mertools.commands import adapt_videomae, data_faces
from mertools.commands.adapt_videomae import CARDS
from mertools.corpus import read_manifest, write_manifest
from mertools.errors import InputError
from mertools.libraries import transformers
from mertools.model_sources import load_weights
from mertools.prepare.adaptation.state import read_losses
from mertools.prepare.adaptation.views import draw, tube_mask, view
from mertools.prepare.demo_corpus import generate
from mertools.randomness import generator

pytest.importorskip("accelerate", reason="the package accelerate is not installed")

CARD = "videomae-base-voxceleb2"
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the smallest demo corpus, with faces.h5 and a tiny checkpoint to start from in it."""
    folder = tmp_path_factory.mktemp("demo")
    generate(folder, 12, workers=2)
    words = ["--data", str(folder / "manifest.csv"), "--out", str(folder / "faces.h5")]
    assert data_faces.main([*words, "--size", "112", "--face-detector", "dlib", "--workers", "2"]) == 0
    tiny_videomae(folder / "tiny")
    return folder


def words(corpus: Path, out: Path, *more: str) -> list[str]:
    """Twelve epochs of two steps on the twelve clips; later options win."""
    given = {
        "--checkpoint": f"path:{corpus / 'tiny'}",
        "--data": str(corpus / "manifest.csv"),
        "--faces": str(corpus / "faces.h5"),
        "--out": str(out),
        "--card": CARD,
        "--epochs": "12",
        "--batch-size": "6",
        "--learning-rate": "0.3",
        "--save-every": "3",
        "--workers": "0",
        "--device": "cpu",
    }
    return [word for pair in given.items() for word in pair] + list(more)


def adapt(corpus: Path, out: Path, *more: str) -> Path:
    assert adapt_videomae.main(words(corpus, out, *more)) == 0
    return out


@pytest.fixture(scope="module")
def whole(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing interrupted."""
    return adapt(corpus, tmp_path_factory.mktemp("runs") / "whole")


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_weights(run / "checkpoint" / "model.safetensors")


def farthest(run: Path, other: Path) -> float:
    """The largest difference of two checkpoints' weights."""
    one, two = weights(run), weights(other)
    assert one.keys() == two.keys()
    return max((one[name] - two[name]).abs().max().item() for name in one)


def about(run: Path) -> dict:
    return json.loads((run / "checkpoint" / "adaptation.json").read_text(encoding="utf-8"))


def test_the_loss_falls_and_every_step_is_told(whole: Path) -> None:
    rows = read_losses(whole / "loss.csv")
    assert [step for step, *_ in rows] == list(range(24)) and [visit for _, visit, *_ in rows][:3] == [0, 0.5, 1]
    epochs = about(whole)["loss"]
    # A patch's own mean scores 1: what is learned last is more than that.
    assert len(epochs) == 12 and np.mean(epochs[-3:]) < 1 < epochs[0] and epochs[0] - np.mean(epochs[-3:]) > 0.03
    assert not (whole / "states").exists()
    page = (whole / "loss.html").read_text(encoding="utf-8")
    assert f"{epochs[0]:.4f}" in page and f"{epochs[-1]:.4f}" in page and about(whole)["note"] in page
    assert "Generated demo corpus" in page


def test_the_first_loss_is_that_of_normalised_pixels_in_hidden_tubes(corpus: Path, whole: Path) -> None:
    """VideoMAE, section 3.1, written out: the network predicts each hidden patch's pixels, normalised by channel."""
    network = transformers().VideoMAEForPreTraining.from_pretrained(corpus / "tiny", image_size=160)
    clips = sorted(read_manifest(corpus / "manifest.csv").clips, key=lambda clip: clip.name)
    faces = FaceSource(Settings(faces=corpus / "faces.h5"))
    errors = []
    for index in generator(0, "adapt order", 0).permutation(12)[:6]:
        drawn = draw(0, 0, clips[index].name, 25)
        pixels = torch.from_numpy(view(clips[index], faces, CATALOG[CARD].recipe("mer2024"), drawn)).float() / 255
        hidden = torch.from_numpy(tube_mask(drawn.hidden, 8))
        mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        shown = (pixels - mean[:, None, None]) / std[:, None, None]
        with torch.no_grad():
            predicted = network(shown[None], bool_masked_pos=hidden[None]).logits[0]  # (176, 2 * 32 * 32 * 3)
        # (pairs, 2, channels, rows, 32, columns, 32) -> (tokens, pixels of a patch, channels)
        patches = pixels.reshape(8, 2, 3, 5, 32, 5, 32).permute(0, 3, 5, 1, 4, 6, 2).reshape(200, 2048, 3)
        target = (patches - patches.mean(1, keepdim=True)) / (patches.std(1, keepdim=True) + 1e-6)
        errors.append((predicted - target.reshape(200, -1)[hidden]).square().mean().item())
    assert read_losses(whole / "loss.csv")[0][2] == pytest.approx(np.mean(errors), rel=1e-4)


@pytest.mark.parametrize("card", CARDS)
def test_the_cards_read_it_and_see_something_else(card: str, corpus: Path, whole: Path, tmp_path: Path) -> None:
    out = whole if card == CARD else adapt(corpus, tmp_path / "run", "--card", card, "--epochs", "2")
    clips = read_manifest(corpus / "manifest.csv").clips[:2]
    vectors = []
    for source in (out / "checkpoint", corpus / "tiny"):
        folder = tmp_path / source.name
        shutil.copytree(source, folder)
        config = json.loads((folder / "config.json").read_text())
        if source.name == "tiny":
            # The start has pictures of another size.
            config["image_size"] = CATALOG[card].recipe("mer2024")["resolution"]
            (folder / "config.json").write_text(json.dumps(config))
        one = build(CATALOG[card], Settings(sources={card: f"path:{folder}"}, faces=corpus / "faces.h5"))
        one.load("cpu")
        vectors.append([item.frames.mean(0) for item in one.encode([one.prepare(clip) for clip in clips])])
    for adapted, start in zip(*vectors, strict=True):
        assert np.isfinite(adapted).all() and np.abs(adapted - start).max() > 0.01


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_killed_run_ends_as_one_that_was_not(corpus: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    command = [sys.executable, "-m", "mertools", "adapt", "videomae", *words(corpus, out)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 200
    while len(read_losses(out / "loss.csv")) < 11:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    saved = max(int(path.name) for path in (out / "states").glob("[!.]*"))
    assert 9 <= saved < 24
    # What a kill in the middle of a save leaves.
    (out / "states" / f".{saved + 3:09d}.tmp").mkdir(exist_ok=True)
    adapt(corpus, out)
    assert farthest(out, whole) <= 1e-6
    np.testing.assert_allclose(read_losses(out / "loss.csv"), read_losses(whole / "loss.csv"), atol=1e-6)


def test_accumulated_batches_and_reading_processes_change_nothing(corpus: Path, whole: Path, tmp_path: Path) -> None:
    more = ["--batch-size", "2", "--accumulate", "3", "--workers", "1"]
    out = adapt(corpus, tmp_path / "run", *more)
    np.testing.assert_allclose(
        [loss for _, _, loss, _ in read_losses(out / "loss.csv")],
        [loss for _, _, loss, _ in read_losses(whole / "loss.csv")],
        atol=1e-4,
    )
    assert about(out)["identity"] == about(whole)["identity"]


def test_what_was_seen_is_told(corpus: Path, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = about(whole)
    assert found["transductive"] == ["noise", "semi"] and found["note"].startswith("Transductive")
    assert sum(found["splits"].values()) == found["clips"] == 12 and found["identity"]["card"] == CARD
    alone = adapt(corpus, tmp_path / "run", "--exclude-split", "semi", "noise", "--epochs", "1")
    inductive = about(alone)
    assert inductive["transductive"] == [] and list(inductive["splits"]) == ["train"]
    assert inductive["identity"]["clips_fingerprint"] != found["identity"]["clips_fingerprint"]
    assert "Only clips of split train were seen" in capsys.readouterr().out


def test_a_feature_file_says_what_its_encoder_has_seen(corpus: Path, whole: Path) -> None:
    sources = {card: f"path:{whole / 'checkpoint'}" for card in CARDS}
    adapted = build(CATALOG[CARD], Settings(sources=sources, faces=corpus / "faces.h5"))
    assert json.loads(adapted.provenance("utterance").recipe)["adapted_on"] == "2 of noise, 3 of semi, 7 of train"
    assert "adapted_on" not in build(CATALOG[CARD]).recipe
    other = build(CATALOG["videomae-base-mer2023"], Settings(sources=sources, faces=corpus / "faces.h5"))
    with pytest.raises(InputError, match="sees pictures of 160 pixels, and videomae-base-mer2023 shows 224"):
        other.load("cpu")


def test_half_precision_leaves_weights_whole(
    corpus: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    def accelerator(device: str) -> Accelerator:
        AcceleratorState._reset_state()
        return Accelerator(cpu=True, mixed_precision="bf16")

    monkeypatch.setattr(adapt_videomae, "make_accelerator", accelerator)
    out = adapt(corpus, tmp_path, "--epochs", "1")
    AcceleratorState._reset_state()
    assert {one.dtype for one in weights(out).values()} == {torch.float32}
    found, wanted = read_losses(out / "loss.csv")[0][2], read_losses(whole / "loss.csv")[0][2]
    assert found != wanted and found == pytest.approx(wanted, rel=1e-3)


def test_a_finished_run_is_left_alone(corpus: Path, whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (whole / "checkpoint" / "model.safetensors").stat().st_mtime_ns
    adapt(corpus, whole)
    assert "finished already" in capsys.readouterr().out
    assert (whole / "checkpoint" / "model.safetensors").stat().st_mtime_ns == before


def test_clips_without_a_face_are_left_out_and_counted(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Faces are found on the fly; one clip has ready crops, one shows a wall, one is sound alone, one is damaged."""
    from mertools.clip import Clip
    from mertools.media import write_clip

    some = read_manifest(corpus / "manifest.csv").clips[:2]
    for clip in some:
        shutil.copy(clip.video, tmp_path / clip.video.name)
    np.save(tmp_path / "ready.npy", crops(30))
    write_clip(tmp_path / "wall.mp4", [np.full((120, 160, 3), 128, np.uint8)] * 3, 25)
    (tmp_path / "broken.npy").write_bytes(b"no array")
    clips = [
        *(Clip(clip.name, video=tmp_path / clip.video.name, split="train") for clip in some),
        Clip("ready", faces=tmp_path / "ready.npy", split="train"),
        Clip("wall", video=tmp_path / "wall.mp4", split="train"),
        Clip("words", subtitle="x", split="train"),
        Clip("broken", faces=tmp_path / "broken.npy", split="train"),
    ]
    write_manifest(tmp_path / "manifest.csv", clips)
    given = words(corpus, tmp_path / "out", "--data", str(tmp_path / "manifest.csv"), "--epochs", "1")
    at = given.index("--faces")
    assert adapt_videomae.main([*given[:at], *given[at + 2 :], "--batch-size", "3", "--face-detector", "dlib"]) == 0
    told = "3 of 6 clips have a face; 1 steps of 3 clips."
    assert told in capsys.readouterr().out
    assert about(tmp_path / "out")["left_out"] == {
        "failed: face crops that cannot be read": 1,
        "missing: no face in any frame": 1,
        "no video": 1,
    }


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--split", "sem"], "Unknown split 'sem'. Did you mean 'semi'"),
        (["--split", "semi", "--exclude-split", "semi"], "No clip of .* is left to adapt on"),
        (["--learning-rate", "0.01"], "holds another adaptation: its learning rate .* 0.3, asked for is 0.01. Give"),
        (["--exclude-split", "semi"], "holds another adaptation: its clips fingerprint"),
        (["--face-detector", "dlib"], "Leave out --face-detector"),
        (["--faces", "absent.h5"], "There is no file of face crops absent.h5"),
        (["--card", "videomae-base-mer2023"], "holds another adaptation: its card"),
        (["--recipe", "masked"], "Write another: mertools data faces --size 224"),
    ],
)
def test_bad_input_is_refused(more: list[str], told: str, corpus: Path, whole: Path) -> None:
    with pytest.raises(InputError, match=told):
        adapt_videomae.main(words(corpus, whole, *more))


def test_a_checkpoint_is_refused_before_faces_are_looked_for(corpus: Path, tmp_path: Path) -> None:
    data = ["--data", str(corpus / "manifest.csv"), "--out", str(tmp_path / "out")]
    with pytest.raises(InputError, match=r"no readable config\.json"):
        adapt_videomae.main(["--checkpoint", f"path:{corpus}", *data])
    assert not (tmp_path / "out").exists()


def test_a_running_adaptation_is_not_disturbed(corpus: Path, tmp_path: Path) -> None:
    import filelock

    with filelock.FileLock(tmp_path / "lock"), pytest.raises(InputError, match="Another process is adapting"):
        adapt_videomae.main(words(corpus, tmp_path))
