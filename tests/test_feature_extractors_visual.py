"""Every visual card: a tiny checkpoint of its architecture, through the real loader, against a second computation."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_video import BUILDERS, LAYERS, WIDTH, crops, tiny_checkpoint

from feature_extractors.catalog import CATALOG
from feature_extractors.encoder import Encoder, Encoding, Settings, build
from mertools.clip import Clip
from mertools.errors import InputError
from mertools.libraries import image_processor, timm, transformers
from mertools.media import MissingMedium, read_frames, write_clip

CARDS = pytest.mark.parametrize("name", BUILDERS)
RECIPES = pytest.mark.parametrize("recipe", ["mer2024", "masked"])
ADAPTED = ("videomae-base-voxceleb2", "videomae-base-mer2023")


class Sources(dict):
    """By card a tiny checkpoint, made when it is first asked for."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self.factory = factory

    def __missing__(self, name: str) -> str:
        self[name] = tiny_checkpoint(name, self.factory.mktemp(name))
        return self[name]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    return Sources(tmp_path_factory)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    """Ready crops of 3, 20 and 90 frames, blue first as OpenFace's are stored."""
    folder = tmp_path_factory.mktemp("crops")
    for count in (3, 20, 90):
        np.save(folder / f"{count}.npy", crops(count, seed=count)[..., ::-1])
    return [Clip(str(count), faces=folder / f"{count}.npy", faces_order="bgr") for count in (3, 20, 90)]


@pytest.fixture(scope="module")
def whole_clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    """Videos of 3 and 20 frames, wider than high."""
    folder = tmp_path_factory.mktemp("videos")
    for count in (3, 20):
        write_clip(folder / f"{count}.mp4", [picture[:64] for picture in crops(count, seed=count)], 25)
    return [Clip(str(count), video=folder / f"{count}.mp4") for count in (3, 20)]


def encoder(name: str, sources: dict[str, str], recipe: str = "mer2024", *, load: bool = True) -> Encoder:
    one = build(CATALOG[name], Settings("dlib", sources={name: sources[name]}, recipe=recipe))
    if load:
        one.load("cpu")
    return one


def encode(one: Encoder, clips: list[Clip]) -> list[Encoding]:
    return one.encode([one.prepare(clip) for clip in clips])


def folder(sources: dict[str, str], name: str) -> Path:
    return Path(sources[name].removeprefix("path:"))


def rgb(clip: Clip) -> np.ndarray:
    return np.load(clip.faces)[..., ::-1]


@CARDS
@RECIPES
def test_structure(name: str, recipe: str, sources: dict[str, str], clips: list[Clip], whole_clips: list[Clip]) -> None:
    if CATALOG[name].recipe(recipe)["picture"] == "frame":
        clips = whole_clips
    one = encoder(name, sources, recipe)
    # Prepared as workers do it: by a copy without a model that has travelled.
    prepared = [pickle.loads(pickle.dumps(encoder(name, sources, recipe, load=False))).prepare(c) for c in clips]  # noqa: S301
    assert all(item.images.dtype == np.uint8 for item in prepared)
    together = one.encode(prepared)
    for clip, encoding in zip(clips, together, strict=True):
        assert encoding.frames.dtype == np.float32 and np.isfinite(encoding.frames).all()
        assert len(encoding.frames) == len(encoding.times)
        assert (encoding.times >= 0).all() and encoding.times.max() < int(clip.name) / 25
        (alone,) = encode(one, [clip])
        np.testing.assert_allclose(alone.frames, encoding.frames, atol=1e-4)
    provenance = one.provenance("frame")
    assert provenance.source == sources[name] and len(provenance.revision) == 32


@CARDS
def test_a_clip_without_pictures_is_missing(name: str, sources: dict[str, str], tmp_path: Path) -> None:
    one = encoder(name, sources, load=False)
    with pytest.raises(MissingMedium, match=r"^no video$"):
        one.prepare(Clip("sound", audio=tmp_path / "sound.wav"))
    write_clip(tmp_path / "grey.mp4", [np.full((120, 160, 3), 128, np.uint8)] * 5, 25)
    if one.recipe["picture"] == "face":
        with pytest.raises(MissingMedium, match=r"^no face in any of \d frames$"):
            one.prepare(Clip("grey", video=tmp_path / "grey.mp4"))


@RECIPES
def test_clip_is_the_projected_class_token_of_all_frames(
    recipe: str, sources: dict[str, str], clips: list[Clip]
) -> None:
    path = folder(sources, "clip-large")
    model = transformers().CLIPModel.from_pretrained(path).eval()
    for clip, encoding in zip(clips, encode(encoder("clip-large", sources, recipe), clips), strict=True):
        inputs = image_processor(path)(list(rgb(clip)), return_tensors="pt")
        with torch.no_grad():
            wanted = model.get_image_features(**inputs).pooler_output
        assert encoding.frames.shape == (len(rgb(clip)), 48)
        np.testing.assert_allclose(encoding.frames, wanted.numpy(), atol=1e-5)
        np.testing.assert_allclose(encoding.times, np.arange(len(rgb(clip))) / 25)


def test_dinov2_sums_all_tokens_before_the_last_normalisation(sources: dict[str, str], clips: list[Clip]) -> None:
    path = folder(sources, "dinov2-large")
    model = transformers().Dinov2Model.from_pretrained(path).eval()
    chosen = {3: [0, 1, 2] + 61 * [2], 20: [*range(20), *(44 * [19])], 90: [int(i * 90 / 64) for i in range(64)]}
    for clip, encoding in zip(clips, encode(encoder("dinov2-large", sources), clips), strict=True):
        inputs = image_processor(path)(list(rgb(clip)[chosen[len(rgb(clip))]]), return_tensors="pt")
        tokens = []
        hook = model.encoder.layer[-1].register_forward_hook(
            lambda _, __, output, seen=tokens: seen.append(output if isinstance(output, torch.Tensor) else output[0])
        )
        with torch.no_grad():
            model(**inputs)
        hook.remove()
        assert tokens[0].shape == (64, 17, WIDTH)
        np.testing.assert_allclose(encoding.frames, tokens[0].sum(1).numpy(), rtol=1e-5, atol=1e-4)


def test_dinov2_masked_is_the_mean_of_patches(sources: dict[str, str], clips: list[Clip]) -> None:
    path = folder(sources, "dinov2-large")
    model = transformers().Dinov2Model.from_pretrained(path).eval()
    short, _, long = encode(encoder("dinov2-large", sources, "masked"), clips)
    assert short.frames.shape == (3, WIDTH) and long.frames.shape == (64, WIDTH)
    assert (np.diff(long.times) > 0).all() and long.times[-1] > 88 / 25 - 0.01
    with torch.no_grad():
        tokens = model(**image_processor(path)(list(rgb(clips[0])), return_tensors="pt")).last_hidden_state
    np.testing.assert_allclose(short.frames, tokens[:, 1:].mean(1).numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("recipe", "chosen"),
    [
        (
            "mer2024",
            {
                3: [0, 1] + 14 * [2],
                20: [0, 1, 2, 3, 5, 6, 7, 8, 10, 11, 12, 13, 15, 16, 17, 18],
                90: [int(i * 90 / 16) for i in range(16)],
            },
        ),
        (
            "masked",
            {
                3: 5 * [0] + 6 * [1] + 5 * [2],
                20: [0, 1, 3, 4, 5, 6, 8, 9, 10, 11, 13, 14, 15, 16, 18, 19],
                90: [int((i + 0.5) * 90 / 16) for i in range(16)],
            },
        ),
    ],
)
def test_videomae_is_the_mean_of_patches_by_pair(
    recipe: str, chosen: dict[int, list[int]], sources: dict[str, str], clips: list[Clip]
) -> None:
    path = folder(sources, "videomae-base")
    model = transformers().VideoMAEModel.from_pretrained(path).eval()
    for clip, encoding in zip(clips, encode(encoder("videomae-base", sources, recipe), clips), strict=True):
        picked = chosen[len(rgb(clip))]
        inputs = image_processor(path)(list(rgb(clip)[picked]), return_tensors="pt")
        with torch.no_grad():
            tokens = model(**inputs).last_hidden_state  # (1, 8 * 4, D)
        np.testing.assert_allclose(encoding.frames, tokens.reshape(8, 4, WIDTH).mean(1).numpy(), atol=1e-5)
        np.testing.assert_allclose(encoding.times, np.array(picked).reshape(8, 2).mean(1) / 25)


@pytest.mark.parametrize("name", ADAPTED)
@RECIPES
def test_adapted_videomae_against_the_authors_network(
    name: str, recipe: str, sources: dict[str, str], clips: list[Clip]
) -> None:
    import cv2

    side = CATALOG[name].recipe(recipe)["resolution"]
    weights = torch.load(folder(sources, name), weights_only=False)["model"]
    weights = {key.removeprefix("encoder."): value for key, value in weights.items() if key.startswith("encoder.")}
    for clip, encoding in zip(clips, encode(encoder(name, sources, recipe), clips), strict=True):
        pictures = rgb(clip)[::4] if recipe == "masked" else rgb(clip)[::4, :, :, ::-1]
        last = len(pictures) - 1
        if last < 16:
            picked = [[min(i, last) for i in range(16)] if recipe == "mer2024" else _spread(last + 1)]
        else:
            picked = [list(range(16)), list(range(last - 15, last + 1))]
        wanted = []
        for view in picked:
            images = np.stack([cv2.resize(np.ascontiguousarray(pictures[i]), (side, side)) for i in view])
            wanted.append(_reference_videomae(weights, images))
        np.testing.assert_allclose(encoding.frames.mean(0), np.mean(wanted, axis=(0, 1)), atol=1e-5)
        assert encoding.frames.shape == (8 * len(picked), WIDTH)


def _spread(have: int) -> list[int]:
    return [int((i + 0.5) * have / 16) for i in range(16)]


def _reference_videomae(weights: dict[str, torch.Tensor], images: np.ndarray) -> np.ndarray:
    """VideoMAE's encoder by its paper: tokens (8 * patches, D), normalised."""
    from torch.nn import functional

    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    video = ((torch.from_numpy(images).float() / 255 - mean) / std).permute(3, 0, 1, 2)[None]
    kernel = weights["patch_embed.proj.weight"]
    x = functional.conv3d(video, kernel, weights["patch_embed.proj.bias"], stride=kernel.shape[2:])
    x = x.flatten(2).transpose(1, 2)[0].double()  # (N, D)
    positions = np.arange(len(x))[:, None] / 10000 ** (2 * (np.arange(WIDTH) // 2) / WIDTH)
    positions[:, 0::2], positions[:, 1::2] = np.sin(positions[:, 0::2]), np.cos(positions[:, 1::2])
    x = x + torch.from_numpy(positions)

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return functional.layer_norm(x, (WIDTH,), *(weights[f"{name}.{k}"].double() for k in ("weight", "bias")), 1e-6)

    def linear(x: torch.Tensor, name: str) -> torch.Tensor:
        return x @ weights[f"{name}.weight"].double().T + weights[f"{name}.bias"].double()

    for index in range(LAYERS):
        block = f"blocks.{index}"
        q_bias, v_bias = (weights[f"{block}.attn.{part}_bias"].double() for part in "qv")
        biases = torch.cat([q_bias, torch.zeros(WIDTH).double(), v_bias])
        qkv = norm(x, f"{block}.norm1") @ weights[f"{block}.attn.qkv.weight"].double().T + biases
        q, k, v = (part.reshape(len(x), 2, 64).transpose(0, 1) for part in qkv.chunk(3, dim=-1))
        attended = (q @ k.transpose(1, 2) / 8).softmax(-1) @ v
        x = x + linear(attended.transpose(0, 1).reshape(len(x), WIDTH), f"{block}.attn.proj")
        hidden = functional.gelu(linear(norm(x, f"{block}.norm2"), f"{block}.mlp.fc1"))
        x = x + linear(hidden, f"{block}.mlp.fc2")
    return norm(x, "norm").numpy()


def test_adapted_videomae_from_a_folder(tmp_path: Path, sources: dict[str, str], clips: list[Clip]) -> None:
    one = encoder("videomae-base-voxceleb2", sources)
    one._model.save_pretrained(tmp_path)
    other = encoder("videomae-base-voxceleb2", {"videomae-base-voxceleb2": f"path:{tmp_path}"})
    for a, b in zip(encode(one, clips), encode(other, clips), strict=True):
        np.testing.assert_allclose(a.frames, b.frames, atol=1e-6)


@RECIPES
def test_eva02_is_timms_pooled_output(recipe: str, sources: dict[str, str], clips: list[Clip]) -> None:
    from PIL import Image

    path = folder(sources, "eva02-base")
    model = timm().create_model(f"local-dir:{path}", pretrained=True).eval()
    transform = timm().data.create_transform(**timm().data.resolve_model_data_config(model))
    for clip, encoding in zip(clips, encode(encoder("eva02-base", sources, recipe), clips), strict=True):
        inputs = torch.stack([transform(Image.fromarray(picture)) for picture in np.ascontiguousarray(rgb(clip))])
        with torch.no_grad():
            np.testing.assert_allclose(encoding.frames, model(inputs).numpy(), atol=1e-5)


@pytest.mark.parametrize("name", ["emonet", "senet-fer2013", "resnet-fer2013", "manet-rafdb"])
@RECIPES
def test_onnx_networks_get_faces_as_their_card_says(
    name: str, recipe: str, sources: dict[str, str], clips: list[Clip]
) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from onnx import numpy_helper
    from PIL import Image
    from torch.nn import functional

    weights = [
        torch.tensor(numpy_helper.to_array(tensor)) for tensor in onnx.load(folder(sources, name)).graph.initializer
    ]
    for clip, encoding in zip(clips, encode(encoder(name, sources, recipe), clips), strict=True):
        images = [Image.fromarray(picture) for picture in np.ascontiguousarray(rgb(clip))]
        if name == "emonet":
            faces = np.stack([image.resize((256, 256), Image.BILINEAR) for image in images]) / 255
        elif name == "manet-rafdb":
            faces = np.stack([image.resize((224, 224), Image.BILINEAR) for image in images]) / 255
        else:
            faces = np.stack([image.resize((256, 256), Image.BILINEAR).crop((16, 16, 240, 240)) for image in images])
            faces = faces - np.array([131.0912, 103.8827, 91.4953])
        maps = torch.tensor(faces.transpose(0, 3, 1, 2), dtype=torch.float32)
        for index, weight in enumerate(weights):
            maps = functional.relu(functional.conv2d(maps, weight, stride=1 if index else 16))
        wanted = maps.mean((2, 3)).numpy()
        assert encoding.frames.shape == (len(images), CATALOG[name].dim)
        np.testing.assert_allclose(encoding.frames, wanted, atol=1e-5 * abs(wanted).max())


def test_an_onnx_file_of_another_network_is_refused(sources: dict[str, str], tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    with pytest.raises(InputError, match=r"gives \(2, 512\) for two faces; .*\(2, 1024\) was wanted"):
        encoder("manet-rafdb", {"manet-rafdb": sources["senet-fer2013"]})
    with pytest.raises(InputError, match=r"does not take faces \(N, 3, 256, 256\)"):
        encoder("emonet", {"emonet": sources["senet-fer2013"]})
    (tmp_path / "broken.onnx").write_bytes(b"not a network")
    with pytest.raises(InputError, match="cannot be loaded as an ONNX network"):
        encoder("emonet", {"emonet": f"path:{tmp_path / 'broken.onnx'}"})
    with pytest.raises(InputError, match=r"^emonet needs an ONNX file of your own, .*docs/export.md"):
        build(CATALOG["emonet"], Settings("dlib")).load("cpu")


def test_eva02_as_its_pre_training_left_it(sources: dict[str, str], clips: list[Clip], tmp_path: Path) -> None:
    import safetensors.torch

    whole = folder(sources, "eva02-base")
    weights = safetensors.torch.load_file(whole / "model.safetensors")
    renamed = {name.replace("fc_norm", "norm"): value for name, value in weights.items()}
    assert renamed.keys() != weights.keys()
    safetensors.torch.save_file({**renamed, "mask_token": torch.zeros(1, 1, WIDTH)}, tmp_path / "model.safetensors")
    shutil.copy(whole / "config.json", tmp_path)
    (wanted,) = encode(encoder("eva02-base", sources), clips[:1])
    (got,) = encode(encoder("eva02-base", {"eva02-base": f"path:{tmp_path}"}), clips[:1])
    np.testing.assert_array_equal(got.frames, wanted.frames)
    del renamed["norm.weight"]
    safetensors.torch.save_file(renamed, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"lacks 2 weights of eva02_base_patch14_224 \(first: fc_norm.bias\)"):
        encoder("eva02-base", {"eva02-base": f"path:{tmp_path}"})


@RECIPES
def test_blip2_is_the_whole_models_image_side(recipe: str, sources: dict[str, str], whole_clips: list[Clip]) -> None:
    path = folder(sources, "blip2-qformer")
    model = transformers().Blip2ForConditionalGeneration.from_pretrained(path).eval()
    chosen = {
        "mer2024": {"3": [0, 1] + 6 * [2], "20": [0, 2, 5, 7, 10, 12, 15, 17]},
        "masked": {"3": [0, 1, 2], "20": [1, 3, 6, 8, 11, 13, 16, 18]},
    }
    patches = encode(encoder("eva-clip-g", {"eva-clip-g": f"path:{path}"}, recipe), whole_clips)
    queries = encode(encoder("blip2-qformer", sources, recipe), whole_clips)
    for clip, seen, gathered in zip(whole_clips, patches, queries, strict=True):
        picked = chosen[recipe][clip.name]
        images = read_frames(clip.video).images
        inputs = image_processor(path)([images[i] for i in picked], return_tensors="pt")
        with torch.no_grad():
            vision = model.vision_model(**inputs).last_hidden_state
            output = model.qformer(
                query_embeds=model.query_tokens.expand(len(picked), -1, -1), encoder_hidden_states=vision
            ).last_hidden_state
        assert seen.frames.shape == (len(picked), 17, WIDTH) and gathered.frames.shape == (len(picked), 32, 48)
        np.testing.assert_allclose(seen.frames, vision.numpy(), atol=1e-5)
        np.testing.assert_allclose(gathered.frames, output.numpy(), atol=1e-5)
        np.testing.assert_allclose(seen.times, np.array(picked) / 25, atol=1e-3)


def test_blip2_needs_only_the_files_of_its_image_side(sources: dict[str, str], tmp_path: Path) -> None:
    whole = folder(sources, "eva-clip-g")
    index = json.loads((whole / "model.safetensors.index.json").read_text())["weight_map"]
    needed = {file for name, file in index.items() if name.startswith("vision_model.")}
    assert needed < set(index.values())
    for file in [*whole.glob("*.json"), *(whole / name for name in needed)]:
        shutil.copy(file, tmp_path)
    encoder("eva-clip-g", {"eva-clip-g": f"path:{tmp_path}"})
    (tmp_path / min(needed)).unlink()
    with pytest.raises(InputError, match=r"lacks model-0.*, which its index names"):
        encoder("eva-clip-g", {"eva-clip-g": f"path:{tmp_path}"})


def test_detected_faces(media_folder: Path, sources: dict[str, str]) -> None:
    one = encoder("clip-base", sources)
    clip = Clip("smile", video=media_folder / "faces" / "fer_test.mp4")
    (encoding,) = encode(one, [clip])
    assert len(encoding.frames) > 20 and (np.diff(encoding.times) > 0).all()
    assert one.recipe["face_detector"] == "dlib-hog" and one.recipe["crop"] == 112


def test_a_checkpoint_that_lacks_weights_is_refused(tmp_path: Path, sources: dict[str, str]) -> None:
    with pytest.raises(InputError, match=r"lacks \d+ weights of CLIPVisionModelWithProjection .* another architecture"):
        encoder("clip-base", {"clip-base": sources["dinov2-large"]})
    with pytest.raises(InputError, match=r"^videomae-base-mer2023 needs the challenge's checkpoint .*--weights "):
        build(CATALOG["videomae-base-mer2023"], Settings("dlib")).load("cpu")
    file = torch.load(folder(sources, "videomae-base-mer2023"), weights_only=False)
    del file["model"]["encoder.norm.weight"]
    torch.save(file, tmp_path / "lacking.pth")
    with pytest.raises(InputError, match=r"lacks 1 weights of VideoMAEModel \(first: layernorm.weight\)"):
        encoder("videomae-base-mer2023", {"videomae-base-mer2023": f"path:{tmp_path / 'lacking.pth'}"})
    torch.save({"weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match="is no checkpoint of VideoMAE"):
        encoder("videomae-base-mer2023", {"videomae-base-mer2023": f"path:{tmp_path / 'other.pth'}"})
    with pytest.raises(InputError, match="is no folder in timm's format"):
        encoder("eva02-base", {"eva02-base": sources["dinov2-large"]})
