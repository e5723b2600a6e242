"""Every check runs in a fresh process: what is tested is how libraries come to be imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

FAMILIES = ["AutoModel", "BertModel", "CLIPModel", "Dinov2Model", "HubertModel", "VideoMAEModel", "WhisperModel"]
USE_EVERY_FAMILY = f"""
    import torch
    import transformers
    facts["families"] = [getattr(transformers, name).__module__ for name in {FAMILIES}]
    facts["scores"] = list(libraries.timm().create_model("test_vit").eval()(torch.zeros(1, 3, 160, 160)).shape)
"""
PROCESSORS = {
    "CLIP": ({"image_processor_type": "CLIPImageProcessor"}, "CLIPImageProcessorPil"),
    "CLIP as saved long ago": ({"feature_extractor_type": "CLIPFeatureExtractor"}, "CLIPImageProcessorPil"),
    "VideoMAE": ({"image_processor_type": "VideoMAEImageProcessor"}, "VideoMAEImageProcessorPil"),
    "DINOv2": ({"image_processor_type": "BitImageProcessor"}, "BitImageProcessorPil"),
    "DINOv2 as saved with torchvision": ({"image_processor_type": "BitImageProcessorFast"}, "BitImageProcessorPil"),
}


def run(script: str, *search: Path, **environment: str) -> dict[str, Any]:
    """Run `script` in a fresh interpreter that finds modules in `search` first; gives what it put into `facts`."""
    code = f"import json, sys\nfacts = {{}}\n{textwrap.dedent(script)}\nsys.stdout.write(json.dumps(facts))"
    variables = {name: value for name, value in os.environ.items() if name != "TRANSFORMERS_VERBOSITY"}
    variables |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", **environment}
    variables["PYTHONPATH"] = os.pathsep.join([*map(str, search), variables.get("PYTHONPATH", "")]).strip(os.pathsep)
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=variables, timeout=200)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout) | {"stderr": result.stderr}


def write_torchvision(folder: Path, init: str, registrations: str = "") -> Path:
    package = folder / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text(textwrap.dedent(init), encoding="utf-8")
    (package / "_meta_registrations.py").write_text(textwrap.dedent(registrations), encoding="utf-8")
    return folder


def assert_usable(facts: dict[str, Any]) -> None:
    # A class whose libraries are missing comes as a stand-in from transformers.utils.
    assert all(module.startswith("transformers.models.") for module in facts["families"])
    assert facts["scores"] == [1, 1000]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One process that asks for transformers first and loads one of everything."""
    folder = tmp_path_factory.mktemp("models")
    for name, (configuration, _) in PROCESSORS.items():
        (folder / name).mkdir()
        (folder / name / "preprocessor_config.json").write_text(json.dumps(configuration), encoding="utf-8")
    (folder / "no processor").mkdir()
    return run(
        f"""
        from pathlib import Path
        from mertools import libraries
        from mertools.errors import InputError
        libraries.transformers()
        {textwrap.indent(textwrap.dedent(USE_EVERY_FAMILY), "        ").strip()}

        import huggingface_hub.utils
        import numpy
        folder = Path({str(folder)!r})
        image = numpy.full((48, 64, 3), 127, dtype="uint8")
        facts["processors"], facts["pixels"] = {{}}, {{}}
        for name in {list(PROCESSORS)}:
            processor = libraries.image_processor(folder / name)
            facts["processors"][name] = type(processor).__name__
            pixels = processor([image], return_tensors="np")["pixel_values"]
            facts["pixels"][name] = [pixels.shape[-3], str(pixels.dtype)]
        try:
            libraries.image_processor(folder / "no processor")
        except InputError as error:
            facts["no processor"] = str(error)
        tiny = transformers.BertConfig(
            hidden_size=8, num_hidden_layers=6, num_attention_heads=2, intermediate_size=8, vocab_size=16
        )
        transformers.BertForMaskedLM(tiny).save_pretrained(folder / "bert")
        sys.stderr.write("loading")
        transformers.AutoModel.from_pretrained(folder / "bert")
        facts["download bars"] = not huggingface_hub.utils.are_progress_bars_disabled()
        """
    )


def test_every_family_can_be_used(loaded: dict[str, Any]) -> None:
    assert_usable(loaded)


@pytest.mark.parametrize("name", PROCESSORS)
def test_image_processors_are_the_pil_ones(loaded: dict[str, Any], name: str) -> None:
    assert loaded["processors"][name] == PROCESSORS[name][1]
    assert loaded["pixels"][name] == [3, "float32"]


def test_a_folder_without_image_processor_is_refused(loaded: dict[str, Any]) -> None:
    assert "wanted a preprocessor_config.json" in loaded["no processor"]


def test_loading_a_model_is_silent_and_downloads_keep_their_bars(loaded: dict[str, Any]) -> None:
    assert loaded["stderr"].endswith("loading")
    assert loaded["download bars"]


@pytest.mark.parametrize("first", ["libraries.timm()", "import torch, transformers"])
def test_the_order_of_imports_does_not_matter(first: str) -> None:
    facts = run(
        f"from mertools import libraries\n{first}\nlibraries.transformers()" + textwrap.dedent(USE_EVERY_FAMILY)
    )
    assert_usable(facts)


def test_importing_the_module_loads_no_library() -> None:
    facts = run("""
        import mertools.libraries
        facts["loaded"] = sorted({"torch", "torchvision", "transformers", "timm"} & set(sys.modules))
    """)
    assert facts["loaded"] == []


def test_where_torchvision_loads_nothing_is_declared(tmp_path: Path) -> None:
    search = write_torchvision(tmp_path, "works = True", '@torch.library.register_fake("torchvision::nms")')
    facts = run(
        """
        from mertools import libraries
        facts["declared"] = libraries.mend_torchvision()
        facts["torch was needed"] = "torch" in sys.modules
        import torchvision
        facts["works"] = torchvision.works
        """,
        search,
    )
    assert facts["declared"] == []
    assert not facts["torch was needed"]
    assert facts["works"]


def test_where_its_binary_does_not_load_torchvision_is_mended(tmp_path: Path) -> None:
    search = write_torchvision(
        tmp_path,
        "from torchvision import _meta_registrations",
        """
        import torch

        @torch.library.register_fake("torchvision::nms")
        def nms(dets, scores, iou_threshold): ...

        @torch.library.register_fake(
            'torchvision::another_nms')
        def another_nms(dets, scores, iou_threshold): ...
        """,
    )
    facts = run(
        """
        from mertools import libraries
        facts["declared"] = libraries.mend_torchvision()
        facts["again"] = libraries.mend_torchvision()
        import torchvision._meta_registrations
        """,
        search,
    )
    assert facts["declared"] == facts["again"] == ["nms", "another_nms"]


def test_torchvision_that_fails_for_another_reason_is_reported(tmp_path: Path) -> None:
    search = write_torchvision(tmp_path, "raise RuntimeError('compiled with different CUDA major versions')")
    facts = run(
        """
        from mertools import libraries
        from mertools.errors import InputError
        try:
            libraries.timm()
        except InputError as error:
            facts["said"] = str(error)
        """,
        search,
    )
    assert "different CUDA major versions" in facts["said"]
    assert "pip install" in facts["said"]


@pytest.mark.parametrize("library", ["transformers", "timm"])
def test_a_missing_library_says_how_to_install_it(library: str, tmp_path: Path) -> None:
    facts = run(
        f"""
        sys.modules[{library!r}] = None
        from mertools import libraries
        from mertools.errors import InputError
        try:
            libraries.{library}()
        except InputError as error:
            facts["said"] = str(error)
        """,
        write_torchvision(tmp_path, ""),
    )
    assert f"{library} needs the package {library!r}, which is not installed" in facts["said"]
    assert "pip install -r requirements.txt" in facts["said"]
