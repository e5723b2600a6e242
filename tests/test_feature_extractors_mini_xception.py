"""The torch network against Keras' arithmetic, written out in NumPy, and against Keras' own numbers."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view

from feature_extractors.catalog import CATALOG
from feature_extractors.mini_xception import max_pool_same, read_network
from mertools.errors import InputError
from mertools.model_sources import fetch

Tensors = dict[str, dict[str, np.ndarray]]


def random_tensors() -> Tensors:
    """Weights with the names and shapes of the published Keras file."""
    rng = np.random.default_rng(0)
    tensors: Tensors = {}

    def layer(name: str, **shapes: tuple[int, ...]) -> None:
        tensors[name] = {kind: rng.normal(scale=0.3, size=shape).astype(np.float32) for kind, shape in shapes.items()}

    def normalisation(number: int, width: int) -> None:
        name = f"batch_normalization_{number}"
        layer(name, gamma=(width,), beta=(width,), moving_mean=(width,), moving_variance=(width,))
        tensors[name]["moving_variance"] = np.abs(tensors[name]["moving_variance"]) + 0.01

    for number, width in ((1, 1), (2, 8)):
        layer(f"conv2d_{number}", kernel=(3, 3, width, 8))
        normalisation(number, 8)
    for block, (inner, outer) in enumerate(((8, 16), (16, 32), (32, 64), (64, 128))):
        layer(f"conv2d_{block + 3}", kernel=(1, 1, inner, outer))
        normalisation(3 * block + 3, outer)
        for half, width in enumerate((inner, outer)):
            layer(
                f"separable_conv2d_{2 * block + half + 1}",
                depthwise_kernel=(3, 3, width, 1),
                pointwise_kernel=(1, 1, width, outer),
            )
            normalisation(3 * block + half + 4, outer)
    layer("conv2d_7", kernel=(3, 3, 128, 7), bias=(7,))
    return tensors


def write_keras_file(path: Path, tensors: Tensors) -> Path:
    with h5py.File(path, "w") as file:
        for layer, kinds in tensors.items():
            group = file.create_group(f"model_weights/{layer}")
            group.attrs["weight_names"] = [f"{layer}_1/{kind}:0".encode() for kind in kinds]
            for kind, values in kinds.items():
                group[f"{layer}_1/{kind}:0"] = values
        file["model_weights"].create_group("activation_1").attrs["weight_names"] = []
    return path


class Reference:
    """The network in NumPy, channels last, as Keras defines its layers."""

    def __init__(self, tensors: Tensors) -> None:
        self.tensors = tensors

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        maps = image[..., None]
        for number in (1, 2):
            maps = np.maximum(self.norm(number, self.conv(number, maps, "valid")), 0)
        for block in range(4):
            shortcut = self.norm(3 * block + 3, self.conv(block + 3, maps, "same", stride=2))
            deep = np.maximum(self.norm(3 * block + 4, self.separable(2 * block + 1, maps)), 0)
            deep = self.norm(3 * block + 5, self.separable(2 * block + 2, deep))
            maps = windows(padded_same(deep, 3, 2, -np.inf), 3, 2).max(axis=(-2, -1)) + shortcut
        scores = (self.conv(7, maps, "same") + self.tensors["conv2d_7"]["bias"]).mean(axis=(0, 1))
        return maps.mean(axis=(0, 1)), np.exp(scores) / np.exp(scores).sum()

    def conv(self, number: int, maps: np.ndarray, padding: str, stride: int = 1) -> np.ndarray:
        kernel = self.tensors[f"conv2d_{number}"]["kernel"]
        if padding == "same":
            maps = padded_same(maps, len(kernel), stride, 0)
        return np.einsum("hwcij,ijco->hwo", windows(maps, len(kernel), stride), kernel)

    def separable(self, number: int, maps: np.ndarray) -> np.ndarray:
        layer = self.tensors[f"separable_conv2d_{number}"]
        deep = np.einsum("hwcij,ijc->hwc", windows(padded_same(maps, 3, 1, 0), 3, 1), layer["depthwise_kernel"][..., 0])
        return deep @ layer["pointwise_kernel"][0, 0]

    def norm(self, number: int, maps: np.ndarray) -> np.ndarray:
        layer = self.tensors[f"batch_normalization_{number}"]
        return (maps - layer["moving_mean"]) / np.sqrt(layer["moving_variance"] + 1e-3) * layer["gamma"] + layer["beta"]


def padded_same(maps: np.ndarray, size: int, stride: int, value: float) -> np.ndarray:
    """Keras' padding `same`: ceil(side / stride) outputs; of an odd number of rows to add the larger part is below."""
    side = maps.shape[0]
    lacking = max((-(-side // stride) - 1) * stride + size - side, 0)
    share = (lacking // 2, lacking - lacking // 2)
    return np.pad(maps, (share, share, (0, 0)), constant_values=value)


def windows(maps: np.ndarray, size: int, stride: int) -> np.ndarray:
    return sliding_window_view(maps, (size, size), axis=(0, 1))[::stride, ::stride]


def test_equals_keras_arithmetic_in_numpy(tmp_path: Path) -> None:
    tensors = random_tensors()
    network = read_network(write_keras_file(tmp_path / "random.hdf5", tensors))
    images = np.random.default_rng(1).uniform(-1, 1, size=(2, 64, 64)).astype(np.float32)
    features, probabilities = network(torch.from_numpy(images[:, None]))
    for image, feature, probability in zip(images, features.mean(dim=1).numpy(), probabilities.numpy(), strict=True):
        wanted_feature, wanted_probability = Reference(tensors)(image)
        np.testing.assert_allclose(feature, wanted_feature, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(probability, wanted_probability, atol=1e-4)


@pytest.mark.parametrize("side", [4, 7, 8, 15, 60])
def test_pooling_pads_as_keras_does(side: int) -> None:
    maps = np.random.default_rng(side).normal(size=(side, side, 2))
    pooled = max_pool_same(torch.from_numpy(maps.transpose(2, 0, 1))[None])[0].numpy().transpose(1, 2, 0)
    np.testing.assert_array_equal(pooled, windows(padded_same(maps, 3, 2, -np.inf), 3, 2).max(axis=(-2, -1)))


def test_no_weight_stays_random_and_none_is_left_over(tmp_path: Path) -> None:
    lacking = random_tensors()
    del lacking["batch_normalization_9"]["moving_mean"]
    with pytest.raises(InputError, match=r"other weights than mini-Xception's(.|\n)*2.shortcut_norm.running_mean"):
        read_network(write_keras_file(tmp_path / "lacking.hdf5", lacking))
    further = random_tensors()
    further["dense_1"] = {"kernel": np.zeros((2, 2), np.float32)}
    with pytest.raises(InputError, match=r"no place for: \[\('dense_1', 'kernel'\)\]"):
        read_network(write_keras_file(tmp_path / "further.hdf5", further))
    misshapen = random_tensors()
    misshapen["conv2d_7"]["bias"] = np.zeros(8, np.float32)
    with pytest.raises(InputError, match=r"other weights than mini-Xception's(.|\n)*classifier.bias"):
        read_network(write_keras_file(tmp_path / "misshapen.hdf5", misshapen))


def test_the_published_weights_give_what_keras_gives() -> None:
    card = CATALOG["face-expression"]
    try:
        path = fetch(card.source, sha256=card.sha256).path
    except InputError as error:
        pytest.skip(f"the weights cannot be had here: {str(error).splitlines()[0]}")
    y, x = np.mgrid[:64, :64]
    patterns = np.stack([(x * y) % 256, 255 - 2 * x - y, 128 + 100 * np.sin(x / 5) * np.cos(y / 9)])
    images = torch.from_numpy(patterns.clip(0, 255).astype(np.uint8))[:, None] / 127.5 - 1
    features, probabilities = read_network(path)(images)
    # Keras 3.15.1 on the same file: load_model(path)(images), and the mean of layer add_4.
    wanted = [
        [0.008832, 0.0, 0.002374, 0.98582, 0.002688, 0.000275, 0.000012],
        [0.182562, 0.000001, 0.145221, 0.052695, 0.016861, 0.033267, 0.569392],
        [0.1348, 0.000937, 0.055783, 0.082804, 0.027181, 0.012658, 0.685837],
    ]
    np.testing.assert_allclose(probabilities.numpy(), wanted, atol=1e-5)
    np.testing.assert_allclose(
        features.mean(dim=1)[0, :4].numpy(), [-0.328067, -0.693508, -0.866827, 0.190098], atol=1e-4
    )
