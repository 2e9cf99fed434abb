"""What makes two runs other runs besides their parameters: code, data, versions, machine."""

from collections.abc import Mapping, Sequence

from reprolm.compare.runs import Compared
from reprolm.tracking.lineage import NUMERIC

ABSENT = "–"
LONGEST = 24
DIGITS = 7
DIGESTS = ("code", "corpus", "tokens")
FROM_PARAMETERS = ("corpus", "tokens")
"""These differ with parameters too, and then the parameters say why."""
TAGS = {
    "corpus": "stage.download.digest",
    "tokens": "stage.encode.digest",
    "Python": "version.python",
    **{name: f"version.{name}" for name in NUMERIC[1:]},
    "device": "device",
    "processor": "machine.processor",
}
LOCK = "installed packages, by lock"


def circumstances(run: Compared) -> dict[str, str]:
    """Code, data, versions and machine of a run: runs that share them and their parameters are repeated."""
    return {"code": _code(run.tags), **{word: run.tags.get(tag, ABSENT) for word, tag in TAGS.items()}}


def _code(tags: Mapping[str, str]) -> str:
    """Of a run that keeps no digest of its code: its commit, and its uncommitted changes."""
    parts = (tags.get("git.commit", ABSENT), tags.get("git.dirty_sha256", ""))
    return tags.get("digest.code") or "+".join(filter(None, parts))


def around(runs: Sequence[Compared]) -> dict[str, list[str]]:
    """What differs around some runs that no parameter tells of, with the value in each."""
    found = [circumstances(run) | {LOCK: run.tags.get("digest.requirements.lock", ABSENT)} for run in runs]
    values = {word: [each[word] for each in found] for word in found[0] if word not in FROM_PARAMETERS}
    return {word: those for word, those in values.items() if len(set(those)) > 1}


def apart(run: Compared, others: Sequence[Compared]) -> str:
    """What tells a run from others of its parameters, in few letters."""
    own, theirs = circumstances(run), [circumstances(other) for other in others]
    return ", ".join(
        f"{word} {value[:DIGITS] if word in DIGESTS else value[:LONGEST]}"
        for word, value in own.items()
        if any(each[word] != value for each in theirs)
    )
