"""The page that a run leaves: one HTML file that needs no network and no script.

It is a function of what the other stages published: no clock, host, path or run id is in it, so that the same
inputs give the same bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from reprolm.report import figures, lineage, rates, tables
from reprolm.report.inputs import BY_POSITION, CURVES, MEASURED, RECORD, SAMPLES, Inputs, Sample, gather
from reprolm.store import publish_file

MOST_SAMPLES = 24
MOST_EVENTS = 20
LONGEST_SAMPLE = 4000
CONTROLS = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"} | {0x7F: 0x2421}
UNSHOWABLE = dict.fromkeys([*range(0x80, 0xA0), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF], 0xFFFD)
REFERENCES = {
    "uniform": "every token equally likely",
    "unigram": "frequencies of single tokens",
    "bigram": "frequencies of pairs of tokens",
    "gzip": "general-purpose compressor",
    "xz": "general-purpose compressor",
    "floor": "the process that wrote the text",
}


@dataclass(frozen=True)
class Tile:
    """A key number."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Bar:
    """A number as a bar; `percent` of the longest one."""

    name: str
    value: str
    percent: str
    note: str
    ours: bool


def write(params: Mapping[str, Any], root: Path, out: Path) -> None:
    """Writes the page for what lies under `root`; what a stage has not left yet is named as missing.

    `params` is flat (`model.d_model` → value), without the options of kinds that were not chosen.

    Raises:
        ReprolmError: a file is there but is not what its stage writes (exit 76).
    """
    publish_file(out, render(params, root))


def render(params: Mapping[str, Any], root: Path) -> str:
    """The text of the page, as `write` publishes it."""
    found = gather(root)
    nodes = lineage.nodes(root)
    shown = [_cut(sample) for sample in found.samples[:MOST_SAMPLES]]
    common = _common_settings(shown)
    ranged = params.get("train.schedule") == "range"
    return _template().render(
        headline=headline(found),
        subtitle=_subtitle(params, found),
        tiles=tiles(found),
        loss=figures.loss(found.curves, found.events),
        events=tables.of_events(found.events[:MOST_EVENTS]),
        events_left_out=max(0, len(found.events) - MOST_EVENTS),
        rates=rates.figure(found.steps, found.events) if ranged else None,
        edge=rates.edge(found.steps, found.events) if ranged else "",
        hidden_percent=f"{100 * figures.HIDDEN_START:g}",
        window=figures.smoothing_window(found.curves),
        optimisation=figures.optimisation(found.curves),
        by_position=figures.by_position(found.by_position),
        ranks=figures.ranks(found.ranks),
        bars=bars(found),
        split=_split(found),
        numbers={stage: _tables(stage, found) for stage in MEASURED},
        samples=shown,
        samples_left_out=len(found.samples) - len(shown),
        settings=common,
        parameters=tables.of_parameters(params),
        nodes=nodes,
        rails=lineage.rails(nodes),
        row_pixels=lineage.ROW_PIXELS,
        given=lineage.given(root),
        paths={
            "curves": CURVES,
            "by_position": BY_POSITION,
            "events": f"{RECORD}/events.jsonl",
            "samples": f"{SAMPLES}/samples.json",
        },
    )


def visible(value: Any) -> Any:
    """Text with its control characters as pictures, and with U+FFFD for what UTF-8 or HTML cannot hold."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return value.translate(CONTROLS | UNSHOWABLE)


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"number": tables.number, "words": tables.words, "written": tables.written}
    return environment.get_template("page.html.jinja")


def _real(metrics: Mapping[str, Any], *keys: str) -> float | None:
    """The number under nested keys, or None where there is none."""
    value: Any = metrics
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _split(found: Inputs) -> str:
    return str(found.metrics.get("evaluate", {}).get("split", "held-out"))


def headline(found: Inputs) -> str:
    """The one sentence that matters, of what is there."""
    train, evaluate = found.metrics.get("train", {}), found.metrics.get("evaluate", {})
    parameters, tokens = _real(train, "parameters", "total"), _real(train, "tokens")
    quality, bigram = _real(evaluate, "bits_per_byte"), _real(evaluate, "references", "bigram")
    parts = [f"{tables.compact(parameters)} parameters"] if parameters is not None else []
    if quality is not None:
        parts.append(f"{quality:.2f} bits per byte on the {_split(found)} split")
    elif tokens is not None:
        parts.append(f"trained on {tables.compact(tokens)} tokens")
    if not parts:
        return "No model has been trained yet."
    rest = f"; the bigram line is {bigram:.2f}" if quality is not None and bigram is not None else ""
    return f"{', '.join(parts)}{rest}."


def _subtitle(params: Mapping[str, Any], found: Inputs) -> str:
    """Text, tokenizer and seed, each with its extent where that is known."""
    download, vocabulary = found.metrics.get("download", {}), found.metrics.get("train_tokenizer", {})
    total, documents = _real(download, "bytes"), _real(download, "documents")
    source = params.get("data.source")
    entries, seed = _real(vocabulary, "vocab_size"), params.get("seed")
    corpus = [tables.compact_bytes(total)] if total is not None else []
    corpus += [f"{documents:,} document{'' if documents == 1 else 's'}"] if documents is not None else []
    size = [f"{entries:,} entries"] if entries is not None else []
    subjects: tuple[tuple[str, Any, list[str]], ...] = (
        ("text", params.get("data.files.path") if source == "files" else source, corpus),
        ("tokenizer", params.get("tokenizer.kind"), size),
        ("seed", seed, []),
    )
    return " · ".join(
        f"{subject}: {word}" + (f" ({', '.join(extent)})" if extent else "")
        for subject, word, extent in subjects
        if word is not None
    )


def tiles(found: Inputs) -> list[Tile]:
    """The key numbers that are there."""
    train, evaluate = found.metrics.get("train", {}), found.metrics.get("evaluate", {})
    split, step = _split(found), _real(train, "best_step")
    vocabulary = found.metrics.get("train_tokenizer", {})
    candidates = (
        ("bits per byte", _real(evaluate, "bits_per_byte"), "{:.3f}", f"{split} split"),
        ("excess over the floor", _real(evaluate, "excess", "nats"), "{:.4f}", "nats a token of text"),
        ("perplexity", _real(evaluate, "perplexity"), "{:.2f}", f"a token, {split} split"),
        ("parameters", _real(train, "parameters", "total"), None, ""),
        ("best validation loss", _real(train, "best_validation_loss"), "{:.3f}",
         "nats per token" + (f", step {step:,}" if step is not None else "")),
        ("tokens trained on", _real(train, "tokens"), None,
         f"in {steps:,} steps" if (steps := _real(train, "steps")) is not None else ""),
        ("bytes per token", _real(vocabulary, "bytes_per_token"), "{:.2f}", "compression by the tokenizer"),
    )  # fmt: skip
    return [
        Tile(name, form.format(value) if form else tables.compact(value), note)
        for name, value, form, note in candidates
        if value is not None
    ]


def bars(found: Inputs) -> list[Bar]:
    """Bits per byte of the model among the reference lines, the worst first."""
    evaluate = found.metrics.get("evaluate", {})
    references = evaluate.get("references")
    names = list(references) if isinstance(references, Mapping) else []
    values = {name: _real(evaluate, "references", name) for name in names}
    entries = [(value, name, False) for name, value in values.items() if value is not None]
    if (ours := _real(evaluate, "bits_per_byte")) is not None:
        entries.append((ours, "this model", True))
    longest = max([value for value, _, _ in entries], default=0.0) or 1.0
    return [
        Bar(
            tables.words(name),
            f"{value:.3f}",
            f"{100 * value / longest:.2f}",
            REFERENCES.get(name, ""),
            is_ours,
        )
        for value, name, is_ours in sorted(entries, key=lambda entry: (-entry[0], entry[1]))
    ]


def _tables(stage: str, found: Inputs) -> list[tables.Table]:
    return tables.of_metrics(found.metrics.get(stage, {}), skip={"references"} if stage == "evaluate" else ())


def _cut(sample: Sample) -> Sample:
    def short(text: str) -> str:
        left = len(text) - LONGEST_SAMPLE
        return f"{text[:LONGEST_SAMPLE]}… ({left:,} more characters)" if left > 0 else text

    return Sample(short(sample.prompt), short(sample.text), sample.draw, sample.settings)


def _common_settings(samples: list[Sample]) -> dict[str, Any]:
    """The settings that all samples share, to be said once."""
    if not samples:
        return {}
    first = samples[0].settings
    return {
        key: value
        for key, value in first.items()
        if all(key in each.settings and each.settings[key] == value for each in samples)
    }
