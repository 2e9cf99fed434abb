"""Stories in plain English from a small grammar: names recur, verbs and pronouns agree with who acts.

What can follow depends on what was told: somebody owns a thing, something happens to it, and only what undoes
that very trouble ends the story, done by a friend if one came along. So the probability of a story is the
product of its choices, and a model has to remember names, number, thing, trouble and friend across sentences.
"""

import functools
from collections.abc import Iterable
from dataclasses import dataclass

from reprolm.corpus.synthetic.config import FIXED_SENTENCES, GrammarConfig
from reprolm.corpus.synthetic.lexicon import PLURAL, SINGULAR, STORIES, Lexicon
from reprolm.corpus.synthetic.options import Choose, Options
from reprolm.corpus.synthetic.process import Walk


@functools.lru_cache(maxsize=1 << 14)
def _options(texts: tuple[str, ...], weights: tuple[int, ...] | None = None) -> Options:
    return Options(texts, weights)


@dataclass
class Scene:
    """What a story has told so far, and what it has not used up."""

    names: list[str]
    pronoun: str
    possessive: str
    places: list[str]
    finds: list[str]
    friends: list[str]
    thing: str = ""
    trouble: str = ""
    helper: str = ""
    said: str = ""

    @property
    def number(self) -> int:
        """One or two who act."""
        return PLURAL if len(self.names) > 1 else SINGULAR

    @property
    def was(self) -> str:
        """The past of `to be` that agrees."""
        return ("was", "were")[self.number]

    @property
    def who(self) -> str:
        """Who acts, by name."""
        return " and ".join(self.names)

    @property
    def they(self) -> str:
        """Who acts, at the beginning of a sentence."""
        return self.pronoun.capitalize()


class Telling:
    """One story as it is told."""

    def __init__(self, choose: Choose, words: Lexicon) -> None:
        self._choose, self._words = choose, words
        self._scene = self._beginning()

    def _say(self, text: str) -> None:
        """Writes what is certain by now."""
        self._choose(_options((text,)))

    def _pick(self, texts: Iterable[str], after: str = "") -> str:
        """Writes one of several texts, all as likely."""
        known = tuple(texts)
        return known[self._choose(_options(tuple(text + after for text in known)))]

    def _beginning(self) -> Scene:
        words = self._words
        self._pick(words.openings, ", there ")
        number = self._choose(_options(("was a ", "were two "), (2, 1)))
        self._pick(words.qualities, " ")
        self._pick((animal[number] for animal in words.animals), " named ")
        names = [self._pick(words.names)]
        pronoun, possessive = ("she", "her") if names[0] in words.girls else ("he", "his")
        if number == PLURAL:
            self._say(" and ")
            names.append(self._pick(name for name in words.names if name not in names))
            pronoun, possessive = "they", "their"
        self._say(" who lived ")
        self._pick(words.homes, ". ")
        unused = (list(words.places), list(words.finds), list(words.friends))
        return Scene(names, pronoun, possessive, *unused)

    def tell(self, middle: int) -> None:
        """The rest, with so many sentences between trouble and help."""
        scene, words = self._scene, self._words
        self._say(f"{scene.they} loved {scene.possessive} ")
        scene.thing = self._pick(words.things, ". ")
        self._say("One ")
        self._pick(words.times, ", ")
        self._say(f"the {scene.thing} ")
        scene.trouble = self._pick(words.troubles, ". ")
        for _ in range(middle):
            self._sentence()
        self._help()
        self._say(f"In the end, {scene.who} {scene.was} ")
        self._pick(words.feelings)
        together = scene.helper or scene.number == PLURAL
        self._say(" and shared " if together else " and ate ")
        self._pick(words.treats)
        self._say(f" with the {scene.helper}.\n" if scene.helper else ".\n")

    def _sentence(self) -> None:
        """A search, a call for help, or something said; whatever is used up does not come again."""
        scene = self._scene
        beginnings = {'"': 1}
        if scene.places and scene.finds:
            beginnings[f"{scene.they} looked "] = 2
        if scene.friends and not scene.helper:
            beginnings[f"{scene.they} asked the "] = 2
        texts = tuple(beginnings)
        chosen = texts[self._choose(_options(texts, tuple(beginnings.values())))]
        if chosen == '"':
            self._saying()
        elif "looked" in chosen:
            scene.places.remove(self._pick(scene.places))
            self._say(" and found ")
            scene.finds.remove(self._pick(scene.finds, ". "))
        else:
            friend = self._pick(scene.friends)
            scene.friends.remove(friend)
            if self._choose(_options((", who came along. ", ", who was too busy. "))) == 0:
                scene.helper = friend

    def _saying(self) -> None:
        """Nobody says the same twice in a row; a friend who came along has a voice."""
        scene = self._scene
        scene.said = self._pick((text for text in self._words.sayings if text != scene.said), '" said ')
        voices = [*scene.names, f"the {scene.helper}"] if scene.helper else scene.names
        self._pick(voices, ". ")

    def _help(self) -> None:
        """What undoes the trouble."""
        scene = self._scene
        if scene.helper:
            self._say(f"At last the {scene.helper} ")
            self._pick(self._words.troubles[scene.trouble], ". ")
        else:
            self._say(f"At last {scene.who} {self._words.alone[scene.trouble]}. ")


class Grammar(Walk):
    """Stories of a number of sentences."""

    def __init__(self, config: GrammarConfig, words: Lexicon = STORIES) -> None:
        self._middle, self._words = config.sentences - FIXED_SENTENCES, words

    def walk(self, choose: Choose) -> None:
        """One story."""
        Telling(choose, self._words).tell(self._middle)
