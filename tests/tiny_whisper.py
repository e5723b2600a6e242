"""A Whisper of random weights in its real file format: byte-level tokenizer, six layers each way, 16 wide."""

from __future__ import annotations

from pathlib import Path

from mertools.libraries import transformers

SPECIAL_TOKENS = ("<|startoftranscript|>", "<|en|>", "<|zh|>", "<|translate|>", "<|transcribe|>", "<|notimestamps|>")
END = "<|endoftext|>"


def save_tiny_whisper(folder: Path, multilingual: bool = True) -> Path:
    """Write the checkpoint into `folder` as `save_pretrained` does."""
    import torch
    from tokenizers.pre_tokenizers import ByteLevel

    library = transformers()
    vocabulary = {character: index for index, character in enumerate([*sorted(ByteLevel.alphabet()), END])}
    tokenizer = library.WhisperTokenizer(vocab=vocabulary, merges=[])
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL_TOKENS)})
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in (*SPECIAL_TOKENS, END)}
    sizes = {
        f"{part}_{what}": value for part in ("encoder", "decoder") for what, value in (("layers", 6), ("ffn_dim", 32))
    }
    heads = {f"{part}_attention_heads": 2 for part in ("encoder", "decoder")}
    ends = {"eos_token_id": ids[END], "bos_token_id": ids[END], "pad_token_id": ids[END]}
    start = {"decoder_start_token_id": ids["<|startoftranscript|>"]}
    torch.manual_seed(0)
    model = library.WhisperForConditionalGeneration(
        library.WhisperConfig(
            vocab_size=len(tokenizer), d_model=16, max_target_positions=32, **sizes, **heads, **ends, **start
        )
    )
    settings = {"is_multilingual": multilingual, "no_timestamps_token_id": ids["<|notimestamps|>"], "max_length": 20}
    if multilingual:
        settings["lang_to_id"] = {token: ids[token] for token in ("<|en|>", "<|zh|>")}
        settings["task_to_id"] = {task: ids[f"<|{task}|>"] for task in ("transcribe", "translate")}
    model.generation_config = library.GenerationConfig(**ends, **start, **settings)
    for part in (model, tokenizer, library.WhisperFeatureExtractor(feature_size=80)):
        part.save_pretrained(folder)
    return folder
