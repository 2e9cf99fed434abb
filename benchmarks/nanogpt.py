"""Tiny Shakespeare on a CPU: nanoGPT with the CPU setting of its README, beside ours, in turn.

`speed`: the time of a step of the same architecture and arithmetic. `quality`: nanoGPT's 2,000 steps, and
the preset `shakespeare_cpu` for as long: the loss over the last tenth of the text, in windows of 64.

Each arm is a process of its own; they take turns of a second or so, and an arm that waits does nothing.

    git clone https://github.com/karpathy/nanoGPT
    python benchmarks/nanogpt.py nanoGPT TEXT [--quality --seeds 1 2 3]
"""

import argparse
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from arms import Arm, answer, ready

PRESET = "presets/shakespeare_cpu.yaml"
THREADS, WINDOW, BATCH, STEPS = 2, 64, 12, 2000
TURN = 10
"""Steps of an arm before the other has its turn."""
WARMUP, RATE, LOWEST = 100, 1e-3, 1e-4
SAME = {
    "batch_size": BATCH, "optimizer": "adamw", "learning_rate": RATE, "weight_decay": 0.1,
    "schedule": "cosine", "warmup_steps": WARMUP, "steps": STEPS,
}  # fmt: skip
"""What nanoGPT does, in our words; the model's follow."""
SAME_MODEL = {
    "norm": "layernorm", "layernorm": {"epsilon": 1e-5, "bias": False}, "position": "learned",
    "qk_norm": False, "feedforward": "gelu", "tie_embeddings": True,
}  # fmt: skip
Steps = tuple[Callable[[], None], Callable[[], float]]
"""Makes a step; tells the loss over the held-out text."""


def theirs(place: str, tokens: dict[str, torch.Tensor], vocab_size: int, seed: int) -> Steps:
    """nanoGPT's model and optimizer, in the loop of its `train.py`."""
    sys.path.insert(0, place)
    from model import GPT, GPTConfig  # type: ignore[import-not-found]

    torch.set_num_threads(THREADS)
    torch.manual_seed(1336 + seed)
    sizes = {"n_layer": 4, "n_head": 4, "n_embd": 128, "dropout": 0.0, "bias": False}
    model = GPT(GPTConfig(block_size=WINDOW, vocab_size=vocab_size, **sizes))
    optimizer = model.configure_optimizers(0.1, RATE, (0.9, 0.99), "cpu")
    train, done = tokens["train"], [0]

    def batch() -> tuple[torch.Tensor, torch.Tensor]:
        starts = torch.randint(len(train) - WINDOW, (BATCH,))
        return tuple(torch.stack([train[i + j : i + j + WINDOW] for i in starts]) for j in (0, 1))  # type: ignore[return-value]

    def step() -> None:
        rate = RATE * (done[0] + 1) / (WARMUP + 1)
        if done[0] >= WARMUP:
            share = (1 + math.cos(math.pi * (done[0] - WARMUP) / (STEPS - WARMUP))) / 2
            rate = LOWEST + share * (RATE - LOWEST)
        for group in optimizer.param_groups:
            group["lr"] = rate
        _, loss = model(*batch())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()
        done[0] += 1

    @torch.no_grad()
    def held_out() -> float:
        model.eval()
        text, total = tokens["validation"], 0.0
        starts = range(0, len(text) - 1, WINDOW)
        for start in starts:
            part = text[start : start + WINDOW + 1]
            _, loss = model(part[None, :-1], part[None, 1:])
            total += loss.item() * (len(part) - 1)
        return total / (len(text) - 1)

    return step, held_out


def ours(folder: Path, changes: dict[str, Any], seed: int) -> Steps:
    """The preset, with changes of its sections."""
    from training import Nobody, parameters, run

    from reprolm.device import device
    from reprolm.evaluate.loss import mean_loss
    from reprolm.train.loop import Trainer

    params, tokens = parameters(PRESET, **changes), folder / "tokens"
    one = run(params, device(THREADS), tokens=tokens, seed=seed)
    trainer = Trainer(one, Path(tempfile.mkdtemp(dir=folder)), Nobody())

    def step() -> None:
        losses = trainer.step.train_batch(trainer.state.step)
        trainer.step.optim_step(trainer.state.step)
        trainer.state.step += 1
        losses["train/loss"].item()

    def held_out() -> float:
        return mean_loss(trainer.tensors.model, one.validation, window=WINDOW, batch_size=128)

    return step, held_out


def prepare(folder: Path, text: Path) -> None:
    """Tokens of the text, split as nanoGPT does: the last tenth is held out."""
    from training import parameters

    from reprolm.config import section
    from reprolm.corpus.build import build
    from reprolm.corpus.config import DataConfig
    from reprolm.data.config import EncodeConfig
    from reprolm.data.encode import encode
    from reprolm.tokenizers.config import TokenizerConfig
    from reprolm.tokenizers.train import train

    raw = parameters(PRESET, data={"source": "files", "files": {"path": str(text.resolve())}})
    build(section(raw, "data", DataConfig), folder / "corpus", folder)
    train(section(raw, "tokenizer", TokenizerConfig), folder / "corpus", folder / "tokenizer")
    encode(section(raw, "encode", EncodeConfig), folder / "corpus", folder / "tokenizer", folder / "tokens")


def preset_steps() -> int:
    """The steps of the preset `shakespeare_cpu`."""
    from training import parameters

    return int(parameters(PRESET)["train"]["steps"])


def work(name: str, folder: Path, place: str, seed: int) -> None:
    """What an arm's process does: on a number, so many steps; on an empty line, the loss."""
    from reprolm.data.shards import Tokens

    if name == "nanoGPT":
        splits = {split: Tokens(folder / "tokens", split) for split in ("train", "validation")}
        ids = {split: torch.from_numpy(each[0 : len(each)].copy()).long() for split, each in splits.items()}
        step, held_out = theirs(place, ids, splits["train"].vocab_size, seed)
    else:
        same = {"model": SAME_MODEL, "train": SAME}
        step, held_out = ours(folder, same if name == "the same" else {}, seed)
    ready()
    for line in sys.stdin:
        took = []
        for _ in range(int(line)):
            began = time.perf_counter()
            step()
            took.append(time.perf_counter() - began)
        answer(took if took else held_out())


class Worker(Arm):
    """The process of an arm."""

    def __init__(self, name: str, folder: Path, place: str, seed: int) -> None:
        # as our stages set it; nanoGPT's steps take as long with it as without
        environment = os.environ | {"GOMP_SPINCOUNT": "2000"}
        arguments = [__file__, place, str(folder), "--arm", name, "--seeds", str(seed)]
        super().__init__(*arguments, environment=environment)
        self.seconds: list[float] = []

    def steps(self, count: int) -> None:
        """Makes some steps, and keeps what each took."""
        self.seconds += self.ask(count)

    def loss(self) -> float:
        """Over the held-out text; ends the process."""
        found = float(self.ask(0))
        self.end()
        return found


def speed(folder: Path, place: str, rounds: int) -> None:
    """Prints the table of steps of the same arithmetic."""
    arms = {name: Worker(name, folder, place, 1) for name in ("nanoGPT", "the same")}
    for round_ in range(rounds + 1):
        for arm in arms.values():
            arm.steps(TURN)
            if not round_:
                arm.seconds.clear()  # the first turn warms up
    print("| a step of 768 tokens | 10th percentile, ms | median, ms | tokens/s at the median |")
    print("|---|---|---|---|")
    turns = []
    for name, arm in arms.items():
        tenth, median = statistics.quantiles(arm.seconds, n=10)[0], statistics.median(arm.seconds)
        print(f"| {name} | {1000 * tenth:.1f} | {1000 * median:.1f} | {BATCH * WINDOW / median:,.0f} |")
        turns.append([sum(arm.seconds[first : first + TURN]) for first in range(0, rounds * TURN, TURN)])
        arm.loss()
    ratios = [theirs / ours for theirs, ours in zip(*turns, strict=True)]
    quartiles = ", ".join(f"{each:.2f}" for each in statistics.quantiles(ratios, n=4))
    print(f"\nnanoGPT's turn by ours beside it, quartiles of {rounds}: {quartiles}")


def quality(folder: Path, place: str, seeds: list[int]) -> None:
    """Prints the table of losses, and what the steps took."""
    steps = preset_steps()
    print("| seed | arm | steps | seconds | held-out loss, nats |\n|---|---|---|---|---|")
    for seed in seeds:
        arms = {name: Worker(name, folder, place, seed) for name in ("nanoGPT", "shakespeare_cpu")}
        for turn in range(50):
            for arm, of in zip(arms.values(), (STEPS, steps), strict=True):
                arm.steps(of * (turn + 1) // 50 - of * turn // 50)
        for name, arm in arms.items():
            took = sum(arm.seconds)
            print(f"| {seed} | {name} | {len(arm.seconds)} | {took:.0f} | {arm.loss():.4f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("nanogpt", help="a clone of nanoGPT")
    parser.add_argument("text", help="Tiny Shakespeare")
    parser.add_argument("--quality", action="store_true")
    parser.add_argument("--rounds", type=int, default=30, help="turns of ten steps")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--arm", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.arm:
        work(options.arm, Path(options.text), options.nanogpt, options.seeds[0])
        return
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name), Path(options.text))
        if options.quality:
            quality(Path(name), options.nanogpt, options.seeds)
        else:
            speed(Path(name), options.nanogpt, options.rounds)


if __name__ == "__main__":
    main()
