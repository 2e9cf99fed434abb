"""The words of the stories."""

from dataclasses import dataclass

Words = tuple[str, ...]
SINGULAR, PLURAL = 0, 1


@dataclass(frozen=True)
class Lexicon:
    """What the grammar chooses from; pairs are (for one, for two), and no text of a list begins another."""

    girls: Words
    boys: Words
    openings: Words
    qualities: Words
    animals: tuple[tuple[str, str], ...]
    homes: Words
    things: Words
    times: Words
    troubles: dict[str, Words]
    """What happens to the thing, and how that may end well, with a friend as its subject."""
    alone: dict[str, str]
    """The same, without a friend."""
    places: Words
    finds: Words
    friends: Words
    sayings: Words
    feelings: Words
    treats: Words

    @property
    def names(self) -> Words:
        """All who can be the hero."""
        return self.girls + self.boys


STORIES = Lexicon(
    girls=("Mia", "Anna", "Lucy", "Nora", "Ella", "Rosie"),
    boys=("Tom", "Ben", "Max", "Leo", "Finn", "Oscar"),
    openings=("Once upon a time", "Long ago", "One summer", "In the days of my grandmother"),
    qualities=("little", "clever", "shy", "brave", "sleepy", "curious", "merry", "lonely"),
    animals=(
        ("mouse", "mice"), ("fox", "foxes"), ("rabbit", "rabbits"), ("bear", "bears"), ("goose", "geese"),
        ("hen", "hens"),
    ),
    homes=(
        "in a house by the sea", "under the old oak", "behind the baker's shop", "at the edge of the forest",
        "on a boat without sails",
    ),
    things=("red ball", "paper kite", "silver bell", "golden key", "wooden drum", "blue balloon"),
    times=("morning", "evening", "stormy night", "day in May"),
    troubles={
        "was gone": ("found it in a nest", "dug it out of a haystack", "saw it shine in the grass"),
        "fell into the river": ("dived and brought it back", "caught it with a net"),
        "broke in two": ("mended it with glue", "tied it together with a blue ribbon"),
        "was stuck on the roof": ("climbed up and shook it down", "brought a long ladder"),
    },
    alone={
        "was gone": "found it under the bed", "fell into the river": "waited until it came ashore",
        "broke in two": "made one good thing of two halves", "was stuck on the roof": "waited for the wind",
    },
    places=(
        "in the garden", "under the bridge", "near the mill", "behind the barn", "on the hill", "by the well",
    ),
    finds=("an old boot", "a sleeping cat", "three snails", "nothing but leaves", "a letter without a name"),
    friends=("old owl", "kind farmer", "tall stork", "quiet mole", "young deer", "fat toad"),
    sayings=("Oh no!", "Look at that!", "What can we do?", "How lovely!", "Wait for me!", "I have a plan,"),
    feelings=("happy", "tired", "proud", "full of joy", "very hungry"),
    treats=("a plum cake", "some warm bread", "the last of the honey", "a pot of soup"),
)  # fmt: skip
