"""Byte-pair encoding from scratch against the libraries: training and encoding, in turn, in processes.

    python benchmarks/tokenizers.py [--megabytes 1.1 64] [--entries 10000] [--rounds 2]

The text is Python source of the installed packages, different files. `tokenizers` is given it in chunks of at
most 64 kB that end between words (from files it would split at line breaks), as ours is.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path

# it puts this folder last, so that this file does not stand for the library of its name
from text import MB, WORKERS, high, spent, watch_workers

from reprolm.processes import cores
from reprolm.tokenizers.bytepair import BytePairTokenizer
from reprolm.tokenizers.config import TokenizerConfig
from reprolm.tokenizers.pieces import pieces


def source(size: int) -> list[str]:
    """Pieces of different source files, so many bytes in all."""
    parts, left = [], size
    for file in sorted(Path(sysconfig.get_paths()["purelib"]).rglob("*.py")):
        content = file.read_bytes()[:left]
        try:
            content.decode()
        except UnicodeDecodeError:
            continue
        parts += list(pieces(content))
        left -= len(content)
        if not left:
            return parts
    raise SystemExit(f"only {(size - left) / MB:.0f} MB of Python source are installed")


def settings(entries: int) -> TokenizerConfig:
    return TokenizerConfig.model_validate({
        "kind": "bytepair", "vocab_size": entries, "end_of_document": False,
        "character": {"unknown": False}, "huggingface": {"min_frequency": 1},
        "bytepair": {"pattern": "gpt2", "min_frequency": 1},
    })  # fmt: skip


def ours(parts: list[str], entries: int) -> Callable[[list[str]], object]:
    return BytePairTokenizer.train(parts, settings(entries)).encode_many


def library(parts: list[str], entries: int) -> Callable[[list[str]], object]:
    import tokenizers

    level = tokenizers.pre_tokenizers.ByteLevel
    inner = tokenizers.Tokenizer(tokenizers.models.BPE())
    inner.pre_tokenizer = level(add_prefix_space=False, use_regex=True)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=entries, min_frequency=1, initial_alphabet=level.alphabet(), show_progress=False
    )
    inner.train_from_iterator(parts, trainer)
    return lambda batch: inner.encode_batch_fast(batch, add_special_tokens=False)


def rust(parts: list[str], entries: int) -> Callable[[list[str]], object]:
    import rustbpe

    from reprolm.tokenizers.words import PATTERNS

    inner = rustbpe.Tokenizer()
    inner.train_from_iterator(iter(parts), entries, pattern=PATTERNS["gpt2"])
    import tiktoken

    ranks = {bytes(entry): rank for entry, rank in inner.get_mergeable_ranks()}
    fast = tiktoken.Encoding("bench", pat_str=inner.get_pattern(), mergeable_ranks=ranks, special_tokens={})
    return lambda batch: fast.encode_ordinary_batch(batch, num_threads=cores())


PEERS = {"ours": ours, "tokenizers": library, "rustbpe, tiktoken": rust}


def measure(name: str, size: int, entries: int) -> None:
    parts = source(size)
    watch_workers()
    base = high(os.getpid())
    began, cpu = time.perf_counter(), spent()["cpu"]
    encode = PEERS[name](parts, entries)
    trained, trained_cpu = time.perf_counter() - began, spent()["cpu"] - cpu
    peak = high(os.getpid())
    sample = list(itertools.islice(parts, 400))
    cpu = spent()["cpu"]
    encode(sample)
    encoded_cpu = spent()["cpu"] - cpu
    megabytes = sum(len(part.encode()) for part in sample) / MB
    print(json.dumps({
        "seconds": trained, "cpu": trained_cpu, "peak_mb": (peak - base + max(WORKERS)) / 1000,
        "encode_mb_per_cpu_second": megabytes / encoded_cpu,
    }))  # fmt: skip


def rows(size: float, entries: int, rounds: int) -> Iterator[str]:
    found: dict[str, list[dict[str, float]]] = {name: [] for name in PEERS}
    for _, name in itertools.product(range(rounds), PEERS):
        measured = ["--measure", name, "--megabytes", str(size), "--entries", str(entries)]
        command = [sys.executable, __file__, *measured]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
        found[name].append(json.loads(done.stdout.splitlines()[-1]))
    medians = {
        name: {key: statistics.median(one[key] for one in each) for key in each[0]}
        for name, each in found.items()
    }
    peer = medians["tokenizers"]
    for name, one in medians.items():
        ratio = one["seconds"] / peer["seconds"]
        yield (
            f"| {size:g} MB | {name} | {one['seconds']:.2f} | {ratio:.2f} | {one['cpu']:.2f} "
            f"| {one['peak_mb']:.0f} | {one['encode_mb_per_cpu_second']:.2f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=float, nargs="+", default=[1.1, 64])
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure, int(options.megabytes[0] * MB), options.entries)
        return
    print(f"{options.entries:,} entries, {cores()} cores, medians of {options.rounds}\n")
    print("| text | who | training s | / tokenizers | CPU s | memory MB | encoding MB / CPU s |")
    print("|---|---|---|---|---|---|---|")
    for size in options.megabytes:
        for line in rows(size, options.entries, options.rounds):
            print(line, flush=True)


if __name__ == "__main__":
    main()
