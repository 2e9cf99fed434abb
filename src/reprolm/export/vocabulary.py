"""A tokenizer in the files that `AutoTokenizer` reads, with the ids that it has here."""

import json
from pathlib import Path
from typing import Any

import tokenizers

from reprolm.store import read_json
from reprolm.tokenizers.bytelevel import byte_characters
from reprolm.tokenizers.character import UNKNOWN
from reprolm.tokenizers.interface import END_OF_DOCUMENT, FILE, Tokenizer

CONFIG = "tokenizer_config.json"


def _characters(content: dict[str, Any]) -> str:
    """Our file of characters in the format of `tokenizers`: a word is a character."""
    entries = [*content["characters"], *content["specials"]]
    inner = tokenizers.Tokenizer(
        # a character that has no entry is an error, as it is here, unless there is an entry for those
        tokenizers.models.WordLevel({entry: i for i, entry in enumerate(entries)}, unk_token=UNKNOWN)
    )
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Split(tokenizers.Regex(r"[\s\S]"), "isolated")
    inner.decoder = tokenizers.decoders.Fuse()
    inner.add_special_tokens(content["specials"])
    serialized: str = inner.to_str(pretty=True)
    return serialized


def _bytes(content: dict[str, Any]) -> str:
    """Our file of bytes in the format of `tokenizers`: pairs of bytes of which none was ever merged."""
    inner = tokenizers.Tokenizer(tokenizers.models.BPE(byte_characters(), []))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.decoder = tokenizers.decoders.ByteLevel()
    inner.add_special_tokens(content["specials"])
    serialized: str = inner.to_str(pretty=True)
    return serialized


OURS = {"character": _characters, "bytes": _bytes}
"""Kinds whose files have a format of their own; those of the others are what `tokenizers` reads."""


def write_tokenizer(source: Path, tokenizer: Tokenizer, context_length: int, out: Path) -> None:
    """Writes `tokenizer.json` and `tokenizer_config.json` of the tokenizer published at `source`."""
    content = read_json(source / FILE)
    ours = OURS.get(content.get("kind"))
    serialized = ours(content) if ours else (source / FILE).read_text(encoding="utf-8")
    (out / FILE).write_text(serialized, encoding="utf-8")
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": context_length,
        # a special entry that is spelled out in a text is text
        "split_special_tokens": True, "clean_up_tokenization_spaces": False,
    }  # fmt: skip
    if tokenizer.end_of_document is not None:
        config |= {"bos_token": END_OF_DOCUMENT, "eos_token": END_OF_DOCUMENT}
    if UNKNOWN in content.get("specials", ()):
        config["unk_token"] = UNKNOWN
    (out / CONFIG).write_text(json.dumps(config, indent=2) + "\n")
