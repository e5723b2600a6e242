"""A checkpoint that is not what its encoder reads is one clear error, whichever family reads it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_audio
import tiny_text
import tiny_video
import torch

from feature_extractors.catalog import CATALOG
from feature_extractors.encoder import Settings, build
from mertools.errors import InputError
from mertools.model_sources import load_weights

NAMES = ("roberta-base", "bloom-7b", "hubert-base", "whisper-base", "clip-base", "videomae-base")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Tiny checkpoints of encoders of several families."""
    made = {name: tmp_path_factory.mktemp(name) for name in NAMES}
    for name, folder in made.items():
        if name in tiny_audio.CHECKPOINTS:
            tiny_audio.CHECKPOINTS[name](folder)
        elif name in tiny_video.BUILDERS:
            tiny_video.tiny_checkpoint(name, folder)
        else:
            tiny_text.make_checkpoint(name, folder)
    return made


def load(name: str, folder: Path) -> torch.nn.Module:
    encoder = build(CATALOG[name], Settings("dlib", sources={name: f"path:{folder}"}))
    encoder.load("cpu")
    return encoder._model


def damage_configuration(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "be', encoding="utf-8")


def lose_configuration(folder: Path) -> None:
    (folder / "config.json").unlink()


def be_of_another_architecture(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "t5"}), encoding="utf-8")


def cut_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def lose_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def leave_a_pointer(folder: Path) -> None:
    lose_weights(folder)
    (folder / "pytorch_model.bin").write_bytes(b"version https://git-lfs.github.com/spec/v1")


def keep_one_weight(folder: Path) -> None:
    key, value = next(iter(load_weights(folder / "model.safetensors").items()))
    lose_weights(folder)
    torch.save({key: value}, folder / "pytorch_model.bin")


class Attack:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return (exec, ("raise SystemExit('code of a checkpoint ran')",))


def hide_code_in_weights(folder: Path) -> None:
    lose_weights(folder)
    torch.save({"embeddings.word_embeddings.weight": Attack()}, folder / "pytorch_model.bin")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (damage_configuration, r"has no readable config\.json"),
        (lose_configuration, r"has no readable config\.json"),
        (be_of_another_architecture, "holds a network of type 't5', and {name} is one of type "),
        (cut_weights, "cannot be loaded for {name}: SafetensorError: "),
        (lose_weights, "cannot be loaded for {name}: OSError: Error no file named model.safetensors"),
        (leave_a_pointer, "its weights are damaged, or in a file that is more than weights and would run code"),
        (keep_one_weight, r"lacks \d+ weights that {name} needs \(first: "),
        (hide_code_in_weights, "more than weights and would run code"),
    ],
)
def test_a_broken_checkpoint_is_one_clear_error(
    name: str, spoil: Callable[[Path], None], said: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(folders[name], tmp_path / name))
    spoil(folder)
    with pytest.raises(InputError, match=said.replace("{name}", name)) as error:
        load(name, folder)
    repository = CATALOG[name].source.removeprefix("hf:")
    assert str(error.value).startswith(f"path:{folder} ")
    assert str(error.value).endswith(
        f"Wanted a whole checkpoint like hf:{repository}: hf download {repository} --local-dir FOLDER, "
        f"then --weights {name}=path:FOLDER."
    )


@pytest.mark.parametrize("name", ["roberta-base", "hubert-base"])
def test_a_value_that_the_network_cannot_have_is_told(name: str, folders: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(folders[name], tmp_path / name))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"hidden_size": "wide"}), encoding="utf-8")
    with pytest.raises(InputError, match=r"hidden_size.* Wanted a whole checkpoint like hf:"):
        load(name, folder)


def test_only_the_weights_that_the_card_names_may_be_lacking(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(folders["hubert-base"], tmp_path / "hubert"))
    weights = dict(load_weights(folder / "model.safetensors"))
    del weights["masked_spec_embed"]
    lose_weights(folder)
    torch.save(weights, folder / "pytorch_model.bin")
    load("hubert-base", folder)
    # The whole name is meant, not a part of one.
    monkeypatch.setitem(CATALOG, "hubert-base", replace(CATALOG["hubert-base"], may_lack=("masked_spec",)))
    with pytest.raises(InputError, match=r"lacks 1 weights that hubert-base needs \(first: masked_spec_embed\)"):
        load("hubert-base", folder)


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_on_disk_is_computed_with_in_full(name: str, folders: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(folders[name], tmp_path / name))
    weights = {key: value.half() for key, value in load_weights(folder / "model.safetensors").items()}
    lose_weights(folder)
    torch.save(weights, folder / "pytorch_model.bin")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"dtype": "float16"}), encoding="utf-8")
    network = load(name, folder)
    assert not network.training
    assert all(one.dtype == torch.float32 and not one.requires_grad for one in network.parameters())
