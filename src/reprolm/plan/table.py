"""A plan as a table for people, in 80 columns."""

from collections.abc import Iterator, Mapping
from typing import Any

from reprolm.model.count import PARTS
from reprolm.quantities import UNKNOWN, amount, duration, scaled

LABEL, VALUE = 20, 16


def _row(label: str, value: str, note: str = "") -> str:
    return f"  {label:<{LABEL}}{value:>{VALUE}}   {note}".rstrip()


def _count(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.0f}"


def table(plan: Mapping[str, Any]) -> str:
    """The whole of it."""
    vocabulary = plan["vocabulary"]
    threads = f", {plan['threads']} threads" if plan["device"] == "cpu" else ""
    threads += f", {plan['processes']} processes" if plan["processes"] > 1 else ""
    lines = [f"on {plan['device']}{threads}; vocabulary of {vocabulary['entries']:,} by {vocabulary['from']}"]
    for title, part in (
        ("parameters", _parameters(plan)),
        ("training", _training(plan)),
        ("memory", _memory(plan["memory"])),
        ("time", _time(plan)),
        ("disk", _disk(plan["disk"])),
    ):
        lines += ["", title, *part]
    if plan["actual"]:
        lines += ["", "the last run of these parameters", *_actual(plan)]
    lines += ["", *(f"! {warning}" for warning in plan["warnings"])] if plan["warnings"] else []
    return "\n".join(lines)


def _parameters(plan: Mapping[str, Any]) -> Iterator[str]:
    counts = plan["parameters"]
    for part in PARTS:
        if counts[part]:
            yield _row(part, _count(counts[part]), f"{counts[part] / counts['total']:.1%}")
    idle = counts["active"] != counts["total"]
    yield _row("total", _count(counts["total"]), f"a token uses {counts['active']:,}" if idle else "")


def _training(plan: Mapping[str, Any]) -> Iterator[str]:
    yield _row("steps", _count(plan["steps"]), f"of {plan['step_tokens']:,} tokens")
    ratio = plan["tokens_per_parameter"]
    compared = "" if ratio is None else f"{ratio:.2g} a parameter; Chinchilla: 20"
    yield _row("tokens", _count(plan["tokens"]), compared)
    split = plan["train_split_tokens"]
    epochs = UNKNOWN if plan["epochs"] is None else f"{plan['epochs']:.2f}"
    yield _row("epochs", epochs, "" if split is None else f"the train split has {split:,} tokens")
    number, prefix = scaled(plan["flops_per_token"])
    each = f"{number} {prefix}FLOP a token, both ways"
    if plan["flops"] is None:
        yield _row("operations", UNKNOWN, each)
    else:
        number, prefix = scaled(plan["flops"])
        yield _row("operations", f"{number} {prefix}FLOP", each)


def _memory(memory: Mapping[str, Any]) -> Iterator[str]:
    yield _row("weights", amount(memory["weights_bytes"]))
    yield _row("gradients", amount(memory["gradients_bytes"]))
    for name, size in memory["optimizer_bytes"].items():
        yield _row(f"state of {name}", amount(size))
    for name in ("average", "best_weights"):
        if size := memory[f"{name}_bytes"]:
            yield _row(name.replace("_", " "), amount(size))
    yield _row("activations", amount(memory["activations_bytes"]), "kept for the way back")
    yield _row("logits and loss", amount(memory["logits_bytes"]))
    phases = {name: memory[f"{name}_bytes"] for name in ("step", "validation", "checkpoint")}
    most = max(phases, key=lambda name: phases[name])
    yield _row("most at once", amount(phases[most]), f"in {most}" if most == "validation" else f"in a {most}")
    if memory["process_bytes"]:
        yield _row("interpreter, torch", amount(memory["process_bytes"]))
    yield _row("peak", amount(memory["peak_bytes"]), f"{amount(memory['free_bytes'])} are free")
    yield _row("cache for sampling", amount(memory["cache_bytes"]), "a sequence")


def _time(plan: Mapping[str, Any]) -> Iterator[str]:
    seconds = plan["seconds"]
    measured = seconds["basis"] == "measured"
    yield _row("a step", duration(seconds["step"]), seconds["basis"] if measured else "scaled")
    if not measured:
        yield f"    {seconds['basis']}"
    yield _row("tokens a second", _count(seconds["tokens_per_second"]))
    yield _row("all steps", duration(seconds["steps"]))
    yield _row("validations", duration(seconds["validation"]))
    yield _row("training", duration(seconds["train"]))
    yield _row("around it", duration(seconds["around"]), f"DVC, other stages; {seconds['around_basis']}")
    yield _row("all of it", duration(seconds["all"]), "where the data are there")
    if "given" in seconds:
        given = duration(seconds["given"])
        yield _row(f"steps in {given}", _count(seconds["steps_in_given"]), "train.steps that fit")


def _disk(disk: Mapping[str, Any]) -> Iterator[str]:
    yield _row("corpus", amount(disk["corpus_bytes"]))
    yield _row("tokens", amount(disk["tokens_bytes"]))
    yield _row("model", amount(disk["model_bytes"]), "the best and the last weights")
    kept = f"{disk['checkpoints_kept']} are kept until the end"
    yield _row("a checkpoint", amount(disk["checkpoint_bytes"]), kept)
    free = f"with DVC's copies; {amount(disk['free_bytes'])} are free"
    yield _row("at most", amount(disk["total_bytes"]), free)


def _actual(plan: Mapping[str, Any]) -> Iterator[str]:
    actual, predicted = plan["actual"], plan["seconds"]["train"]
    ratio = "" if predicted is None else f"{actual['fit_seconds'] / predicted:.2f} of what is predicted now"
    yield _row("training", duration(actual["fit_seconds"]), ratio)
    share = actual["peak_bytes"] / plan["memory"]["peak_bytes"]
    yield _row("peak of memory", amount(actual["peak_bytes"]), f"{share:.2f} of what is predicted now")
