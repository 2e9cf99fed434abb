"""Statistics of samples."""

import pytest

from reprolm.errors import ReprolmError
from reprolm.evaluate.text import draw_samples, samples_as_text, text_statistics
from reprolm.model.initialise import initialise
from reprolm.model.transformer import Transformer
from reprolm.tokenizers.character import CharacterTokenizer
from reprolm.tokenizers.config import TokenizerConfig
from tests.settings import model_config, raw, sample_config


def test_a_prompt_that_the_vocabulary_cannot_write_is_named_as_the_parameter_that_it_is() -> None:
    settings = TokenizerConfig.model_validate(raw("tokenizer", kind="character", end_of_document=False))
    tokenizer = CharacterTokenizer.train(["abc"], settings)
    model = initialise(Transformer(model_config(), tokenizer.vocab_size), seed=1).eval()
    with pytest.raises(ReprolmError, match=r"^sample.prompts: "):
        draw_samples(model, tokenizer, sample_config(prompts=["ab", "abz"]), seed=1)


def test_repetition_and_variety_are_counted_in_words() -> None:
    numbers = text_statistics(["a b c d a b c d a", "x y"])
    assert numbers["words"] == 11
    assert numbers["distinct_1"] == pytest.approx(6 / 11)
    assert numbers["distinct_2"] == pytest.approx(5 / 9)
    assert numbers["rep_4"] == pytest.approx(1 - 4 / 6)


def test_empty_samples_have_statistics_too() -> None:
    assert text_statistics([""]) == {
        "characters": 0,
        "words": 0,
        "distinct_1": 0.0,
        "distinct_2": 0.0,
        "rep_4": 0.0,
    }


def test_samples_are_shown_with_their_prompts() -> None:
    assert samples_as_text([{"prompt": "Once", "text": " more", "draw": 0}]) == "=== draw 0\nOnce more\n"
