"""Stories that agree with themselves."""

import re
from collections import Counter

import pytest

from reprolm.corpus.synthetic.lexicon import STORIES
from reprolm.corpus.synthetic.source import process
from reprolm.seeds import stream
from tests.corpus.synthetic.settings import config


@pytest.fixture(scope="module")
def stories() -> list[str]:
    known = process(config("grammar"))
    return [known.document(stream(1, i)).decode() for i in range(300)]


def test_names_recur_and_verbs_and_pronouns_agree_with_them(stories: list[str]) -> None:
    numbers: Counter[bool] = Counter()
    for story in stories:
        names = re.search(r" named (\w+)(?: and (\w+))? who lived ", story)
        assert names is not None
        two = names[2] is not None
        numbers[two] += 1
        who = f"{names[1]} and {names[2]}" if two else names[1]
        assert ("there were two " in story) == two
        assert f"In the end, {who} {'were' if two else 'was'} " in story
        pronoun, own = (
            ("They", "their") if two else ("She", "her") if names[1] in STORIES.girls else ("He", "his")
        )
        assert f"{pronoun} loved {own} " in story
        assert not {"They ", "She ", "He "} - {f"{pronoun} "} & set(re.findall(r"\b(?:They|She|He) ", story))
    assert 0.2 < numbers[True] / len(stories) < 0.5


def test_what_ends_the_story_is_what_undoes_its_trouble(stories: list[str]) -> None:
    helped = 0
    for story in stories:
        thing = re.search(r" loved (?:her|his|their) ([^.]+)\. ", story)
        assert thing is not None
        trouble = next(t for t in STORIES.troubles if f"the {thing[1]} {t}. " in story)
        friend = re.search(r"asked the ([^,]+), who came along\. ", story)
        last = re.search(r"At last (?:the )?(.+)\. In the end", story)
        assert last is not None
        if friend:
            helped += 1
            assert last[1].removeprefix(f"{friend[1]} ") in STORIES.troubles[trouble]
            assert story.endswith(f" with the {friend[1]}.\n")
        else:
            assert last[1].endswith(STORIES.alone[trouble])
    assert 0 < helped < len(stories)


def test_nobody_is_asked_and_no_place_searched_twice(stories: list[str]) -> None:
    for story in stories:
        asked, searched = (
            re.findall(r"asked the ([^,]+),", story),
            re.findall(r"looked (.+?) and found", story),
        )
        assert len(asked) == len(set(asked))
        assert len(searched) == len(set(searched))


@pytest.mark.parametrize("sentences", [5, 6, 30])
def test_a_story_has_as_many_sentences_as_it_should(sentences: int) -> None:
    story = process(config("grammar", documents=20, grammar={"sentences": sentences})).document(1).decode()
    # what is said ends before its closing quote
    assert story.count(". ") + story.count(".\n") == sentences
