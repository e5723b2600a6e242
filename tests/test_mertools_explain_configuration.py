"""Configurations: what YAML says, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_explainer import AUDIO, SMALL, affectgpt, micro_video, microemo

from mertools.errors import InputError
from mertools.explain.ablations import ABLATIONS
from mertools.explain.configuration import (
    Branch,
    Configuration,
    PreFusion,
    QFormer,
    as_yaml,
    from_mapping,
    read_configuration,
    shipped,
    to_mapping,
)


@pytest.mark.parametrize("configuration", [affectgpt(), microemo(), read_configuration("affectgpt-2025")])
def test_yaml_gives_back_what_was_written(tmp_path: Path, configuration: Configuration) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(as_yaml(configuration))
    assert read_configuration(str(path)) == configuration


def test_the_shipped_ones() -> None:
    assert shipped() == [
        *("affectgpt-2025", "affectgpt-two-stage", "affectgpt-v1", "demo-affectgpt", "demo-microemo", "microemo")
    ]
    with pytest.raises(InputError, match="Did you mean 'affectgpt-v1'"):
        read_configuration("afectgpt-v1")


def test_how_many_tokens_a_prompt_holds() -> None:
    assert read_configuration("affectgpt-v1").token_counts() == {"audio": 8, "video": 32}
    assert read_configuration("affectgpt-2025").token_counts() == {"audio": 1, "video": 1, "multi": 1}
    micro = read_configuration("microemo")
    assert [micro.token_counts(windows)["video"] for windows in (0, 1, 4, 9)] == [32, 64, 160, 160]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"promt": {}}, r"here: unknown key 'promt'\. Did you mean 'prompt'"),
        ({"audio": {"feature": "x", "width": 8, "qformer": {"qeries": 2}}}, r"audio, qformer: unknown key 'qeries'"),
        ({"audio": {"width": 8}}, "here, audio: lacks the key 'feature'"),
        ({"audio": {"feature": "x", "width": "8"}}, "audio, width: got '8', wanted a whole number"),
        ({"audio": {"feature": "x", "width": True}}, "audio, width: got True, wanted a whole number"),
        ({"audio": {"feature": "x", "width": 8, "connector": "men"}}, "unknown value 'men'. Did you mean 'mean'"),
        ({"stages": {"name": "x"}}, "here, stages: got .* wanted a list"),
        ({"prompt": "hello"}, "here, prompt: got 'hello', wanted keys and values: text"),
        ({"audio": None, "video": None}, "without audio and video"),
        ({"audio": None, "pre_fusion": {}}, "pre_fusion joins audio and video"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_mapping(Configuration, {**to_mapping(affectgpt()), **change}, "here")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patches": 0}, "image_qformer needs patches"),
        ({"image_qformer": None}, "timestamps needs image_qformer"),
        ({"connector": "mean"}, "windows needs connector: qformer"),
        ({"timestamps": None}, r"windows\.text is written in the words of the image Q-Former"),
        ({"positions": 3}, "6 frames need as many positions, not 3"),
    ],
)
def test_parts_that_need_others(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        micro_video(**change)


def test_heads_divide_the_width() -> None:
    with pytest.raises(InputError, match="width 30 cannot have 4 heads"):
        QFormer(width=30, heads=4)


def test_frames_of_another_encoder_are_refused() -> None:
    branch = Branch("clip-large", width=768)
    branch.check_frames("clip-large", (768,))
    for feature, shape in (("dinov2-large", (768,)), ("clip-large", (1024,)), ("clip-large", (257, 768))):
        with pytest.raises(InputError, match=r"Got frames of .* made for 'clip-large' .* extract\.py --feature"):
            branch.check_frames(feature, shape)


def test_a_fused_token_is_counted() -> None:
    fused = affectgpt(pre_fusion=PreFusion("qformer", qformer=SMALL), audio=AUDIO)
    assert fused.token_counts()["multi"] == 4


def test_the_rows_of_microemos_table_2() -> None:
    micro = read_configuration("microemo")
    kept = {
        name: [key for key in ("windows", "local_attention", "timestamps") if getattr(ablated(micro).video, key)]
        for name, ablated in ABLATIONS.items()
    }
    assert kept == {
        "without-windows": ["local_attention", "timestamps"],
        "without-local-attention": ["windows", "timestamps"],
        "without-both": ["timestamps"],
    }
    with pytest.raises(InputError, match=r"no windows or no local_attention to go without\. Start from microemo"):
        ABLATIONS["without-both"](read_configuration("affectgpt-v1"))
