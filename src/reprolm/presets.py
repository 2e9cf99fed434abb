"""Presets: whole files of parameters that are known by a name, with variants and sizes of each.

`presets/NAME.yaml` is a full `params.yaml`; `presets/NAME.variants.yaml` beside it holds, under `variants`
and `sizes`, what to change for each: dotted names and values, as `dvc exp run -S` takes them.
"""

import io
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ruamel.yaml

from reprolm.config import read_params
from reprolm.errors import Exit, refuse
from reprolm.params import acting
from reprolm.store import digest, publish_file

PLACE, VARIANTS = "presets", ".variants.yaml"
MARK = re.compile(r"\[[TSA]\]|(?<!\S)-(?!\S)")
"""Of a value's origin: the original's text, its source, our assumption; or that it does not act."""


@dataclass(frozen=True)
class Preset:
    """A preset and the changes that are known for it."""

    name: str
    path: Path
    variants: Mapping[str, Mapping[str, Any]]
    sizes: Mapping[str, Mapping[str, Any]]

    @property
    def title(self) -> str:
        """What it is: the first line of its file."""
        with self.path.open(encoding="utf-8") as file:
            return file.readline().lstrip("# ").strip()

    def changes(self, variants: Sequence[str] = (), size: str | None = None) -> dict[str, Any]:
        """What the variants and then the size change, by dotted name.

        Raises:
            ReprolmError: there is no such variant or size (exit 2).
        """
        changes: dict[str, Any] = {}
        for kind, known, words in (
            ("--variant", self.variants, variants),
            ("--size", self.sizes, [size] if size else []),
        ):
            for word in words:
                if word not in known:
                    what = f"preset {self.name} has no such {kind.lstrip('-')}"
                    raise refuse(kind, what, got=word, want=", ".join(known) or "none", exit=Exit.PARAMETERS)
                changes |= known[word]
        return changes


def presets(root: Path) -> Iterator[Preset]:
    """The presets of a repository, by name."""
    for path in sorted((root / PLACE).glob("*.yaml")):
        if not path.name.endswith(VARIANTS):
            beside = path.with_name(path.stem + VARIANTS)
            known = read_params(beside) if beside.is_file() else {}
            yield Preset(path.stem, path, known.get("variants") or {}, known.get("sizes") or {})


def preset(root: Path, name: str) -> Preset:
    """The preset of that name.

    Raises:
        ReprolmError: there is none (exit 2).
    """
    known = {each.name: each for each in presets(root)}
    if name not in known:
        raise refuse("preset", "is not known", got=name, want=", ".join(known), exit=Exit.PARAMETERS)
    return known[name]


class _Representer(ruamel.yaml.representer.RoundTripRepresenter):
    """Writes null as `null`, not as nothing."""


_Representer.add_representer(
    type(None), lambda representer, _: representer.represent_scalar("tag:yaml.org,2002:null", "null")
)


def rendered(chosen: Preset, changes: Mapping[str, Any]) -> str:
    """The text of a preset with some values changed; comments stay, marked by what acts then.

    Raises:
        ReprolmError: a name is not in the file, or the values cannot be together (exit 2).
    """
    text = chosen.path.read_text(encoding="utf-8")
    if not changes:
        return text
    yaml = ruamel.yaml.YAML()
    yaml.Representer = _Representer
    yaml.preserve_quotes = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 1000
    content, plain = yaml.load(text), read_params(chosen.path)
    for name, value in changes.items():
        place, known = _group(content, name), _group(plain, name)
        key = name.rpartition(".")[2]
        if key not in known:
            raise refuse(f"{chosen.name}{VARIANTS}", "changes what is not in the preset", got=name,
                         exit=Exit.PARAMETERS)  # fmt: skip
        former, place[key], known[key] = known[key], value, value
        if value != former and (comment := _comment(place, key)):
            # the origin that the line states is that of the former value
            comment.value = comment.value.replace("# ", f"# instead of {_written(former)} ", 1)
    _mark(content, set(acting(plain)))
    out = io.StringIO()
    yaml.dump(content, out)
    return out.getvalue()


def _group(content: Any, name: str) -> Any:
    """The group of parameters in which one lies."""
    for group in name.split(".")[:-1]:
        content = content.get(group, {})
    return content


def _comment(group: Any, key: str) -> Any:
    """The comment behind a value on its line; None where there is none, or a list follows."""
    comments = None if isinstance(group[key], dict | list) else group.ca.items.get(key)
    return comments[2] if comments else None


def _mark(group: Any, acts: Set[str], prefix: str = "") -> None:
    """Puts `-` to what does not act; what does, and did not before, is our assumption."""
    for key, value in group.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            _mark(value, acts, f"{name}.")
        elif comment := _comment(group, key):
            # packages are a parameter as a whole
            here, found = bool({name, prefix.rstrip(".")} & acts), MARK.search(comment.value)
            if found and here == (found[0] == "-"):
                start, end = found.span()
                comment.value = comment.value[:start] + ("[A]" if here else "-") + comment.value[end:]


def _written(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def put(root: Path, text: str) -> Path | None:
    """Makes `text` the repository's params.yaml; the former one is kept, and its new place returned."""
    params = root / "params.yaml"
    former = params.read_text(encoding="utf-8") if params.is_file() else text
    kept = None
    if former != text:
        kept = root / ".reprolm" / "params" / f"{digest(former)[:12]}.yaml"
        kept.parent.mkdir(parents=True, exist_ok=True)
        publish_file(kept, former)
    publish_file(params, text)
    return kept
