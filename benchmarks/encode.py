"""The stage `encode` against `encode_batch_fast` of `tokenizers` by itself: speed and memory.

The peer tokenizes the same pieces of text and drops what it got; `encode` also verifies what it reads, writes
shards with offsets and publishes them with their digests. Each measurement is a process of its own, timed
after its imports, in turn with the others; medians are shown.

    python benchmarks/encode.py [--megabytes 10 20] [--rounds 3]
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from text import MB, spent, stage, watch_workers, write

PIECES = 16
WAYS = {
    "encode_batch_fast alone": "huggingface",
    "encode, huggingface": "huggingface",
    "encode, huggingface in processes": "huggingface",
    "encode, bytepair": "bytepair",
    "encode, character": "character",
}


def alone(folder: Path) -> None:
    """What the peer does: a megabyte of pieces at a time, as in `encode`."""
    import tokenizers

    from reprolm.corpus.read import open_corpus
    from reprolm.tokenizers.pieces import pieces

    peer = tokenizers.Tokenizer.from_file(str(folder / "tok" / "tokenizer.json"))
    for split in open_corpus(folder / "corpus").values():
        texts = itertools.chain.from_iterable(map(pieces, split.views()))
        while batch := list(itertools.islice(texts, PIECES)):
            peer.encode_batch_fast(batch, add_special_tokens=False)


def measure(way: str, folder: Path) -> None:
    """Runs in a process of its own."""
    import reprolm.data.encode  # noqa: F401 - imports are not part of the work
    from reprolm.tokenizers.huggingface import HuggingFaceTokenizer

    if way.endswith("in processes"):
        HuggingFaceTokenizer.uses_all_cores = False
    watch_workers()
    before, began = spent()["cpu"], time.perf_counter()
    if way.endswith("alone"):
        alone(folder)
    else:
        stage("encode", folder, folder, WAYS[way])
    seconds, used = time.perf_counter() - began, spent()
    print(json.dumps({"seconds": seconds, "cpu": used["cpu"] - before, "peak_mb": used["peak_mb"]}))


def measured(way: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--way", way, "--folder", str(folder)]
    # a process of several shall not start threads for each core
    threads = {"TOKENIZERS_PARALLELISM": "false"} if way.endswith("in processes") else {}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | threads)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def compared(megabytes: int, rounds: int) -> None:
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as name:
        write(Path(name) / "text.txt", megabytes * MB)
        for kind in sorted(set(WAYS.values())):
            stage("download", Path(name) / kind, Path(name) / "text.txt", kind)
            stage("tokenizer", Path(name) / kind, Path(name) / "text.txt", kind, vocab_size=4096)
        for _, way in itertools.product(range(rounds), WAYS):
            found[way].append(measured(way, Path(name) / WAYS[way]))
    for way, runs in found.items():
        seconds, cpu, peak = (statistics.median(r[k] for r in runs) for k in ("seconds", "cpu", "peak_mb"))
        print(f"| {way} | {megabytes} | {megabytes / seconds:.1f} | {megabytes / cpu:.2f} | {peak:.0f} |")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=int, nargs="+", default=[10, 20])
    parser.add_argument("--rounds", type=int, default=3)
    for hidden in ("--way", "--folder"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        measure(options.way, Path(options.folder))
        return
    print("| what | text, MB | MB/s | MB per CPU second | peak MB |\n|---|---|---|---|---|")
    for megabytes in options.megabytes:
        compared(megabytes, options.rounds)


if __name__ == "__main__":
    main()
