"""Whether this environment is the one that a run was made in."""

from collections.abc import Mapping

from reprolm.errors import Exit, Problem, ReprolmError
from reprolm.tracking.lineage import NUMERIC, lineage_of_machine

OF_MACHINE = ("machine.processor", "machine.platform")


def refuse_other(tags: Mapping[str, str]) -> None:
    """Refuses versions of packages that change bits where they are not those of the run.

    Raises:
        ReprolmError: one line for each (exit 66).
    """
    here = lineage_of_machine()
    want = "pip install --requirement requirements.lock of its commit, or --anyway"
    problems = [
        Problem(package, "is not the version of the run", here.get(tag, "none"), f"{tags[tag]}: {want}")
        for package in NUMERIC
        for tag in [f"version.{package}"]
        if tag in tags and not _same(package, here.get(tag, ""), tags[tag])
    ]
    if problems:
        raise ReprolmError(problems, Exit.MISSING)


def _same(package: str, here: str, there: str) -> bool:
    """Builds of torch differ in what stands after a plus; of Python only the minor version tells."""
    parts = 2 if package == "python" else None
    first, second = (version.split("+")[0].split(".")[:parts] for version in (here, there))
    return first == second


def differences(tags: Mapping[str, str]) -> list[str]:
    """What of versions and machine is not as it was, a line each; the bits may differ by it."""
    here = lineage_of_machine()
    keys = [key for key in tags if key.startswith("version.")] + [*OF_MACHINE, "device"]
    known = here | {"device": tags.get("device", "")}
    return [
        f"{key}: {known.get(key, 'none')} here, {tags[key]} then"
        for key in keys
        if key in tags and known.get(key) != tags[key]
    ]
