"""Presets: whole files of parameters that are known by a name, with variants and sizes of each.

`presets/NAME.yaml` is a full `params.yaml`; `presets/NAME.variants.yaml` beside it holds, under `variants`
and `sizes`, what to change for each: dotted names and values, as `dvc exp run -S` takes them.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ruamel.yaml

from reprolm.config import read_params
from reprolm.errors import Exit, refuse
from reprolm.store import digest, publish_file

PLACE, VARIANTS = "presets", ".variants.yaml"


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
    """The text of a preset with some values changed; everything else, comments too, stays as it is.

    Raises:
        ReprolmError: a name is not in the file (exit 2).
    """
    text = chosen.path.read_text(encoding="utf-8")
    if not changes:
        return text
    yaml = ruamel.yaml.YAML()
    yaml.Representer = _Representer
    yaml.preserve_quotes = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 1000
    content = yaml.load(text)
    for name, value in changes.items():
        *groups, key = name.split(".")
        place = content
        for group in groups:
            place = place.get(group, {})
        if key not in place:
            raise refuse(f"{chosen.name}{VARIANTS}", "changes what is not in the preset", got=name,
                         exit=Exit.PARAMETERS)  # fmt: skip
        former, place[key] = place[key], value
        if value != former and not isinstance(former, dict | list) and key in place.ca.items:
            # the origin that the line states is that of the former value
            origin = place.ca.items.pop(key)[2].value.split("#")[1].strip()
            place.yaml_add_eol_comment(f"instead of {_written(former)} {origin}", key, column=34)
    out = io.StringIO()
    yaml.dump(content, out)
    return out.getvalue()


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
