"""Stories in plain English from a small grammar: names recur, verbs and pronouns agree with who acts.

Every choice is told apart by the text that it writes, and what can follow depends on what was said before: a
friend helps only after being met, a thing breaks only after being found. So the probability of a story is the
product of its choices, and a model has to remember names and number across sentences to reach it.
"""

import functools
from dataclasses import dataclass

from reprolm.corpus.synthetic.config import GrammarConfig
from reprolm.corpus.synthetic.options import Choose, Options
from reprolm.corpus.synthetic.process import Walk


def _each(words: str, after: str = "") -> Options:
    return Options([word + after for word in words.split(", ")])


GIRLS, BOYS = "Mia, Anna, Lucy, Nora, Ella, Rosie", "Tom, Ben, Max, Leo, Finn, Oscar"
NAMES = f"{GIRLS}, {BOYS}".split(", ")
NAME = _each(", ".join(NAMES))
OTHER_NAME = {name: _each(", ".join(other for other in NAMES if other != name)) for name in NAMES}
PRONOUN = {name: "she" if name in GIRLS else "he" for name in NAMES} | {"both": "they"}
ONE_OR_TWO = Options(["there was a ", "there were two "], [2, 1])
QUALITY = _each("little, clever, shy, brave, sleepy, curious, merry, lonely", " ")
ANIMALS = {
    "mouse": "mice",
    "fox": "foxes",
    "rabbit": "rabbits",
    "bear": "bears",
    "goose": "geese",
    "hen": "hens",
}
ANIMAL, ANIMALS_TWO = (
    Options([f"{a} named " for a in ANIMALS]),
    Options([f"{a} named " for a in ANIMALS.values()]),
)
PLACE = _each("in the garden, by the river, under the old tree, near the mill, on the hill, behind the barn")
THINGS = ["red ball", "small boat", "golden key", "paper kite", "wooden box", "silver bell"]
THING = Options(THINGS)
HABIT = {
    1: _each("plays, sings, reads, dances, looks for berries, counts the clouds", " "),
    2: _each("play, sing, read, dance, look for berries, count the clouds", " "),
}
FEELING = _each("happy, tired, proud, surprised, a little sad, very hungry", ". ")
TROUBLE = _each(
    "was broken, was too heavy, fell into the water, flew away, was gone, made a strange sound", ". "
)
FRIEND = _each("an old owl, a kind farmer, a tall stork, a quiet mole, a young deer")
WORDS = Options(['Oh no!"', 'Look at that!"', 'What can we do?"', 'How lovely!"', 'Wait for me!"'])
HELP = _each("found a rope, had a plan, laughed and helped, knew the way, mended it, said not to worry", ". ")


@functools.cache
def _opening(thing: bool, friend: bool) -> Options:
    """The first words that a sentence may have, once a thing was found, and a friend met."""
    weights = {"Every day ": 1.0, '"': 1.0, "One morning, ": 1.0 if thing else 4.0}
    weights |= {"Then ": 3.0 if friend else 1.0} | ({"But ": 3.0} if thing else {})
    return Options(list(weights), list(weights.values()))


@dataclass
class Scene:
    """What a story has told so far."""

    names: list[str]
    thing: str = ""
    friend: str = ""

    @property
    def number(self) -> int:
        """1 or 2 who act."""
        return len(self.names)

    @property
    def pronoun(self) -> str:
        """That of who acts."""
        return PRONOUN[self.names[0] if self.number == 1 else "both"]

    @property
    def verb(self) -> str:
        """The past of `to be` that agrees."""
        return "was" if self.number == 1 else "were"

    @property
    def who(self) -> str:
        """Who acts, by name."""
        return " and ".join(self.names)


class Grammar(Walk):
    """Stories of a number of sentences between how it began and how it ended."""

    def __init__(self, config: GrammarConfig) -> None:
        self._sentences = config.sentences
        self._fixed: dict[str, Options] = {}

    def walk(self, choose: Choose) -> None:
        """One story."""
        scene = self._beginning(choose)
        for _ in range(self._sentences - 2):
            self._sentence(choose, scene)
        self._say(choose, f"In the end, {scene.who} {scene.verb} ")
        choose(FEELING)
        self._say(choose, "\n")

    def _say(self, choose: Choose, text: str) -> None:
        """Writes what is certain by now."""
        choose(self._fixed.setdefault(text, Options([text])))

    def _beginning(self, choose: Choose) -> Scene:
        self._say(choose, "Once upon a time, ")
        two = choose(ONE_OR_TWO) == 1
        choose(QUALITY)
        choose(ANIMALS_TWO if two else ANIMAL)
        first = NAMES[choose(NAME)]
        if not two:
            self._say(choose, ". ")
            return Scene([first])
        self._say(choose, " and ")
        second = OTHER_NAME[first].texts[choose(OTHER_NAME[first])].decode()
        self._say(choose, ". ")
        return Scene([first, second])

    def _sentence(self, choose: Choose, scene: Scene) -> None:
        """A sentence of those that what was told allows; its first word says which."""
        opening = _opening(bool(scene.thing), bool(scene.friend))
        match opening.texts[choose(opening)].decode():
            case "Every day ":
                self._say(choose, f"{scene.pronoun} ")
                choose(HABIT[scene.number])
                choose(PLACE)
                self._say(choose, ". ")
            case '"':
                choose(WORDS)
                self._say(choose, f" said {scene.names[-1]}. ")
            case "One morning, ":
                self._say(choose, f"{scene.who} found a ")
                scene.thing = THINGS[choose(THING)]
                self._say(choose, " ")
                choose(PLACE)
                self._say(choose, ". ")
            case "But ":
                self._say(choose, f"the {scene.thing} ")
                choose(TROUBLE)
            case _:
                self._friend(choose, scene)

    def _friend(self, choose: Choose, scene: Scene) -> None:
        """A friend is met once, and helps from then on."""
        if scene.friend:
            self._say(choose, f"the {scene.friend} ")
            choose(HELP)
            return
        self._say(choose, f"{scene.pronoun} met ")
        scene.friend = FRIEND.texts[choose(FRIEND)].decode().split(" ", 1)[1]
        self._say(choose, ". ")
