"""Everything that is to be known of a GPU, in one call of under eight minutes; prints tables.

- `speed`: 124M parameters, context 1,024, bfloat16, compiled: tokens/s, share of the peak (MFU), memory; ours
  with GPT-2's architecture and with the default's kinds, beside `transformers` and, where a clone is named,
  nanoGPT.
- `stories`: the preset `tinystories`, variant `full` (22.7M).
- `curves`: the same steps in float32, bfloat16 and float16.
- `exact`: two runs have the same bits, and so has one that resumed from a checkpoint.

    python benchmarks/gpu.py [--nanogpt PATH] [--parts speed stories curves exact] [--smoke]
"""

import argparse
import contextlib
import hashlib
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

# a benchmark beside this one has the name of the library `tokenizers`, and must not stand for it
sys.path.sort(key=lambda place: Path(place).resolve() == Path(__file__).resolve().parent)

import numpy as np
import torch
from training import ROOT, Nobody, merged, run

from reprolm.config import read_params
from reprolm.data.encode import ShardWriter
from reprolm.data.shards import ACCOUNT, LENGTHS, Vocabulary, account
from reprolm.device import device
from reprolm.model.count import flops_per_token, parameters
from reprolm.store import publish_directory
from reprolm.train.loop import Trainer

PEAK_FLOPS = {"H200": 989e12, "H100": 989e12, "A100": 312e12}
"""In bfloat16, dense, by what the name of the device contains."""
PARTS = ("speed", "stories", "curves", "exact")
SIZES = ("context_length", "n_layers", "n_heads", "n_kv_heads", "d_model", "d_ff")


def sized(*numbers: int) -> dict[str, Any]:
    """A model's `SIZES`."""
    return dict(zip(SIZES, numbers, strict=True))


OURS_MODEL = sized(1024, 12, 12, 12, 768, 3072)
GPT2_MODEL = OURS_MODEL | {
    "norm": "layernorm", "layernorm": {"epsilon": 1e-5, "bias": False}, "qk_norm": False,
    "position": "learned", "feedforward": "gelu", "tie_embeddings": True,
}  # fmt: skip
SMOKE_MODEL = sized(64, 2, 4, 4, 48, 96)
PLAIN = {
    "optimizer": "adamw", "learning_rate": 6e-4, "weight_decay": 0.1, "steps": 1000, "warmup_steps": 100,
}  # fmt: skip
TURNS, STEPS_A_TURN = 5, 4
Step = Callable[[], None]


def tokens(folder: Path, vocab_size: int, count: int) -> Path:
    """A text in which the next token is the last plus a little: something to learn."""
    place = folder / f"tokens-{vocab_size}"
    if not place.is_dir():
        vocabulary = Vocabulary(vocab_size, vocab_size - 1, "made")
        chance, numbers = np.random.default_rng(1), {}
        with publish_directory(place) as out:
            for name, size in (("train", count), ("validation", count // 50)):
                ids = np.cumsum(np.minimum(chance.geometric(0.5, size), 8)) % (vocab_size - 1)
                with ShardWriter(out, name, vocabulary, 1 << 30) as writer:
                    writer.add(ids)
                    writer.end_document()
                numbers[name] = {"tokens": size, "documents": 1, "text_bytes": 0, "shards": writer.shards}
            (np.arange(vocab_size) % 9).astype("<u4").tofile(out / LENGTHS)
            (out / ACCOUNT).write_text(account(vocabulary, numbers))
    return place


class Bench:
    """The device, a place for files, and sizes: real ones, or those of a rehearsal on a CPU."""

    def __init__(self, folder: Path, *, smoke: bool) -> None:
        self.folder, self.smoke, self.on = folder, smoke, device(2 if smoke else 8)
        self.name = torch.cuda.get_device_name(self.on) if self.on.type == "cuda" else "a CPU"
        self.peak = next((flops for word, flops in PEAK_FLOPS.items() if word in self.name), None)

    def trainer(self, raw: Mapping[str, Any], model: Any, train: Any, vocab_size: int, place: str) -> Trainer:
        """Ours, ready to step."""
        if self.smoke:
            model, vocab_size = model | SMOKE_MODEL, 300
            train = train | {"batch_size": 4, "compile": False}
        text = tokens(self.folder, vocab_size, 200_000 if self.smoke else 20_000_000)
        (self.folder / place).mkdir(exist_ok=True)
        one = run(merged(raw, {"model": model, "train": train}), self.on, tokens=text)
        return Trainer(one, self.folder / place, Nobody())

    def clock(self, arms: Mapping[str, tuple[Step, int, int]]) -> None:
        """Times arms in turn and prints a table; each is a step, its tokens, and operations a token."""
        seconds: dict[str, list[float]] = {name: [] for name in arms}
        memory = {}
        for name, (step, _, _) in arms.items():
            began = time.perf_counter()
            self._reset()
            for _ in range(3):
                step()
            self._wait()
            memory[name] = torch.cuda.max_memory_allocated() / 2**30 if self.on.type == "cuda" else 0.0
            print(
                f"{name}: three steps and compiling took {time.perf_counter() - began:.0f} s", file=sys.stderr
            )
        for _, (name, (step, _, _)) in itertools.product(range(TURNS), arms.items()):
            began = time.perf_counter()
            for _ in range(STEPS_A_TURN):
                step()
            self._wait()
            seconds[name].append((time.perf_counter() - began) / STEPS_A_TURN)
        print("| arm | ms a step | tokens/s | MFU | peak memory, all arms' weights in it, GiB |")
        print("|---|---|---|---|---|")
        for name, (_, step_tokens, flops) in arms.items():
            median = statistics.median(seconds[name])
            rate = step_tokens / median
            share = f"{100 * rate * flops / self.peak:.1f} %" if self.peak else "–"
            print(
                f"| {name} | {1000 * median:.1f} | {rate:,.0f} | {share} | {memory[name]:.1f} |", flush=True
            )
        print()

    def _reset(self) -> None:
        if self.on.type == "cuda":
            torch.cuda.reset_peak_memory_stats()

    def _wait(self) -> None:
        if self.on.type == "cuda":
            torch.cuda.synchronize()


def stepping(trainer: Trainer) -> tuple[Step, int, int]:
    """A step of ours, with its tokens and operations a token."""

    def step() -> None:
        trainer.step.train_batch(trainer.state.step)
        trainer.step.optim_step(trainer.state.step)
        trainer.state.step += 1

    return step, trainer.step.tokens, flops_per_token(trainer.tensors.model)


def foreign(bench: Bench, ours: Trainer, model: torch.nn.Module, loss: Callable[..., torch.Tensor]) -> Step:
    """A step of another's model on our batches, with torch's fused AdamW."""
    model = model.to(bench.on).train()
    compiled = model if bench.smoke else torch.compile(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-4, weight_decay=0.1, fused=True)
    count = itertools.count()

    def step() -> None:
        batch = ours.step.batches.at(next(count))
        inputs, targets = (torch.from_numpy(part).to(bench.on) for part in (batch.inputs, batch.targets))
        with torch.autocast(bench.on.type, torch.bfloat16):
            value = loss(compiled, inputs, targets)
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def speed(bench: Bench, raw: Mapping[str, Any], nanogpt: str | None) -> None:
    """124M parameters, as GPT-2 and as ours, beside others."""
    train = PLAIN | {"batch_size": 32, "precision": "bfloat16", "compile": True}
    as_gpt2 = bench.trainer(raw, GPT2_MODEL, train, 50_304, "gpt2")
    as_ours = bench.trainer(raw, OURS_MODEL, train, 50_304, "ours")
    with_muon = bench.trainer(raw, OURS_MODEL, train | {"optimizer": "muon"}, 50_304, "muon")
    arms = {
        "ours, GPT-2's architecture": stepping(as_gpt2),
        "ours, the default's kinds": stepping(as_ours),
        "ours, the default's kinds, Muon": stepping(with_muon),
    }
    config, (_, step_tokens, flops) = as_gpt2.run.model, arms["ours, GPT-2's architecture"]
    sizes = {"n_layer": config.n_layers, "n_head": config.n_heads, "n_embd": config.d_model}
    vocab_size, length = as_gpt2.run.training.vocab_size, config.context_length
    try:
        from transformers import GPT2Config, GPT2LMHeadModel
    except ImportError:
        print("transformers is not installed", file=sys.stderr)
    else:
        dropout = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
        library = GPT2LMHeadModel(GPT2Config(vocab_size=vocab_size, n_positions=length, **sizes, **dropout))

        def of_library(model: Any, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            logits = model(inputs, use_cache=False).logits.float().flatten(0, 1)
            return torch.nn.functional.cross_entropy(logits, targets.flatten())

        arms["transformers"] = (foreign(bench, as_gpt2, library, of_library), step_tokens, flops)
    if nanogpt:
        sys.path.insert(0, nanogpt)
        from model import GPT, GPTConfig

        with contextlib.redirect_stdout(sys.stderr):
            other = GPT(GPTConfig(block_size=length, vocab_size=vocab_size, **sizes, dropout=0.0, bias=False))
        of_other = lambda model, inputs, targets: model(inputs, targets)[1]  # noqa: E731
        arms["nanoGPT"] = (foreign(bench, as_gpt2, other, of_other), step_tokens, flops)
    counts = [parameters(each.tensors.model)["total"] / 1e6 for each in (as_gpt2, as_ours)]
    title = (
        f"{counts[0]:.1f}M parameters (the default's kinds: {counts[1]:.1f}M), {step_tokens:,} tokens a step"
    )
    print(f"## {title}, bfloat16\n")
    bench.clock(arms)


def stories(bench: Bench) -> None:
    """The size of CS336's TinyStories model."""
    raw = read_params(ROOT / "presets" / "tinystories.yaml")
    full: dict[str, Any] = dict(
        read_params(ROOT / "presets" / "tinystories.variants.yaml")["variants"]["full"]
    )
    model = {key.removeprefix("model."): value for key, value in full.items() if key.startswith("model.")}
    train = PLAIN | {"batch_size": 256, "precision": "bfloat16", "compile": True, "horizon": "steps"}
    trainer = bench.trainer(raw, model, train | {"micro_batch_size": None}, 10_000, "stories")
    size = parameters(trainer.tensors.model)["total"] / 1e6
    print(f"## TinyStories, {size:.1f}M parameters, bfloat16\n")
    bench.clock({"ours": stepping(trainer)})


def curves(bench: Bench, raw: Mapping[str, Any]) -> None:
    """The losses of the same steps in three precisions."""
    steps, told = (20, 5) if bench.smoke else (200, 25)
    train = {"batch_size": 32, "steps": steps, "warmup_steps": 10, "compile": False}
    model = sized(256, 6, 6, 6, 384, 1536)
    found: dict[str, list[float]] = {}
    for precision in ("float32", "bfloat16", "float16"):
        trainer = bench.trainer(raw, model, train | {"precision": precision}, 4096, precision)
        losses = []
        for step in range(steps):
            losses.append(trainer.step.train_batch(step)["train/loss"])
            trainer.step.optim_step(step)
        found[precision] = [float(loss) for loss in losses]
    print(f"## Losses by precision\n\n| step | {' | '.join(found)} |\n|---|{'---|' * len(found)}")
    for step in range(told - 1, steps, told):
        print(f"| {step + 1} | {' | '.join(f'{losses[step]:.4f}' for losses in found.values())} |")
    print()


def digest(trainer: Trainer) -> str:
    """Of all weights."""
    sha = hashlib.sha256()
    for tensor in trainer.tensors.model.state_dict().values():
        sha.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()[:16]


def exact(bench: Bench, raw: Mapping[str, Any]) -> None:
    """Weights after 40 steps: twice, and resumed after 20, where the run was left."""
    print("## The same bits\n\n| optimizer, precision | once | again | left after 20 steps, resumed | same |")
    print("|---|---|---|---|---|")
    model = sized(256, 4, 4, 4, 256, 1024) | {"dropout": 0.1}
    kinds = [("muon", "float32"), ("muon", "bfloat16"), ("adamw", "bfloat16"), ("adamw", "float16")]
    compiled = [(*kind, False) for kind in kinds] + [("adamw", "bfloat16", True)]
    for optimizer, precision, compile_ in compiled:
        often = dict.fromkeys(("checkpoint_every_steps", "validate_every_steps", "log_every_steps"), 20)
        train = often | {"batch_size": 16, "steps": 40, "warmup_steps": 5}
        train |= {"optimizer": optimizer, "precision": precision, "compile": compile_}

        def trained(place: str, steps: int, options: Any = train) -> Trainer:
            trainer = bench.trainer(raw, model, options, 4096, place)
            while trainer.state.step < steps:
                trainer._step()
                if trainer._due(20):
                    trainer._save()
            return trainer

        name = f"{optimizer}-{precision}" + "-compiled" * compile_
        once, again = digest(trained(f"{name}-1", 40)), digest(trained(f"{name}-2", 40))
        trained(f"{name}-3", 20)
        resumed = digest(trained(f"{name}-3", 40))
        same = "yes" if once == again == resumed else "**no**"
        print(f"| {name} | {once} | {again} | {resumed} | {same} |", flush=True)
    print()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--nanogpt", help="a clone of nanoGPT")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--smoke", action="store_true", help="tiny sizes: a rehearsal on a CPU")
    options = parser.parse_args()
    if not options.smoke and not torch.cuda.is_available():
        raise SystemExit("no GPU is here; --smoke rehearses on a CPU")
    raw = read_params(ROOT / "params.yaml")
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name), smoke=options.smoke)
        print(f"{bench.name}, torch {torch.__version__}; command: `python {' '.join(sys.argv)}`\n")
        made: dict[str, Callable[[], None]] = {
            "speed": lambda: speed(bench, raw, options.nanogpt),
            "stories": lambda: stories(bench),
            "curves": lambda: curves(bench, raw),
            "exact": lambda: exact(bench, raw),
        }
        for part in options.parts:
            began = time.perf_counter()
            made[part]()
            print(f"{part} took {time.perf_counter() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
