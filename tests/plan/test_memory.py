"""The memory of a run, against what torch saves and what a process takes."""

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from reprolm.model.config import ModelConfig
from reprolm.model.transformer import Transformer
from reprolm.plan.memory import Memory, memory
from tests.settings import ROOT, model_config, raw, train_config

CPU = torch.device("cpu")
WIDE = {"d_model": 64, "context_length": 64, "d_ff": 192, "n_layers": 3}
ARCHITECTURES: list[dict[str, Any]] = [
    {},
    {"norm": "layernorm", "norm_placement": "post", "position": "learned", "feedforward": "gelu"},
    {"norm_placement": "sandwich", "feedforward": "swiglu", "n_kv_heads": 1},
    {"position": "alibi", "qk_norm": False, "n_kv_heads": 4, "dropout": 0.2},
    {"norm": "none", "position": "sinusoidal", "feedforward": "relu", "dropout": 0.1},
    {"feedforward": "moe", "moe": raw("model")["moe"] | {"top_k": 2}},
]
BATCH = 4


def planned(model: ModelConfig, vocab_size: int, **changes: Any) -> Memory:
    return memory(model, train_config(batch_size=BATCH, **changes), vocab_size, CPU)


def saved(model: Transformer, call: Any) -> int:
    """The bytes that autograd keeps of a forward pass, by torch's own hooks; the model itself apart."""
    own = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    kept: dict[int, tuple[int, Tensor]] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = call()
    assert result is not None
    return sum(size for size, _ in kept.values())


@pytest.mark.parametrize("kinds", ARCHITECTURES, ids=str)
def test_activations_are_what_autograd_saves(kinds: dict[str, Any]) -> None:
    config = model_config(**WIDE | kinds)
    model = Transformer(config, 50).train()
    tokens = torch.randint(50, (BATCH, 64))
    measured = saved(model, lambda: model.hidden(tokens))
    assert planned(config, 50).activations_bytes == pytest.approx(measured, rel=0.15)


def test_logits_are_what_a_large_vocabulary_adds() -> None:
    config, vocabulary = model_config(**WIDE), 5000
    model = Transformer(config, vocabulary).train()
    tokens = torch.randint(vocabulary, (BATCH, 64))
    hidden = model.hidden(tokens).detach()
    kept = saved(model, lambda: cross_entropy(model.logits(hidden).flatten(0, 1), tokens.flatten()))
    # on the way back the gradients of both stand beside what is saved of the logits
    one = BATCH * 64 * vocabulary * 4
    assert planned(config, vocabulary).logits_bytes == pytest.approx(kept + 2 * one, rel=0.15)


def test_weights_gradients_and_states_are_counted_by_their_numbers() -> None:
    config = model_config(position="none")
    count = sum(tensor.numel() for tensor in Transformer(config, 50).parameters())
    adamw, muon = (planned(config, 50, optimizer=name) for name in ("adamw", "muon"))
    assert adamw.weights_bytes == adamw.gradients_bytes == adamw.best_weights_bytes == 4 * count
    assert adamw.optimizer_bytes["adamw"] == pytest.approx(2 * 4 * count, rel=0.01)
    hidden = sum(t.numel() for t in Transformer(config, 50).blocks.parameters() if t.ndim == 2)
    assert muon.optimizer_bytes["muon"] == 4 * hidden
    assert muon.optimizer_bytes["adamw"] == pytest.approx(2 * 4 * (count - hidden), rel=0.01)


def test_smaller_parts_and_recomputing_need_less_and_dropout_needs_more() -> None:
    config = model_config(**WIDE)
    plain, parts = planned(config, 500), planned(config, 500, micro_batch_size=1)
    again = planned(config, 500, activation_checkpointing=True)
    dropped = planned(model_config(**WIDE, dropout=0.1), 500)
    assert parts.activations_bytes == pytest.approx(plain.activations_bytes / 4, rel=0.02)
    assert parts.step_bytes < plain.step_bytes
    assert again.activations_bytes < plain.activations_bytes / 4
    assert dropped.activations_bytes > plain.activations_bytes


def test_an_average_of_the_weights_is_one_more_copy() -> None:
    config = model_config()
    with_, without = planned(config, 50, ema_decay=0.99), planned(config, 50)
    assert with_.average_bytes == with_.gradients_bytes
    assert with_.step_bytes - without.step_bytes == with_.average_bytes
    assert without.average_bytes == 0


def test_the_cache_is_that_of_key_value_heads() -> None:
    config = model_config(**WIDE, n_kv_heads=2)
    assert planned(config, 50).cache_bytes == 3 * 2 * 2 * 64 * 16 * 4


PROCESS = """
import sys, torch
from reprolm.device import device, peak_bytes
from reprolm.plan.memory import memory
from reprolm.plan.process import process_bytes
from reprolm.plan.rehearsal import rehearsal, validate
from reprolm.train.loop import VALIDATION_BATCH_TOKENS
from tests.settings import model_config, train_config
threads = int(sys.argv[2])
on = device(threads)
model = model_config(context_length=64, d_model=64, n_heads=4, d_ff=256)
train = train_config(batch_size=int(sys.argv[1]), optimizer="adamw")
alone = process_bytes(on)
step = rehearsal(model, train, 4000, on, threads=threads)
for index in range(3):
    step.train_batch(index), step.optim_step(index)
best = [tensor.clone() for tensor in step.model.parameters()]
validate(step, VALIDATION_BATCH_TOKENS)
actual = peak_bytes(on)
print(actual / (alone + memory(model, train, 4000, on, threads=threads).heap_bytes))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the heap is that of glibc")
@pytest.mark.parametrize(
    ("batch_size", "threads"), [pytest.param(16, 1, marks=pytest.mark.heavy), (128, 1), (128, 2)]
)
def test_a_process_that_trains_takes_what_was_planned(batch_size: int, threads: int) -> None:
    command = [sys.executable, "-c", PROCESS, str(batch_size), str(threads)]
    surroundings = {"PYTHONPATH": "src:.", "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}
    done = subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True, check=True)
    # threads that others keep from computing at once take less
    assert (0.85 if threads == 1 else 0.7) < float(done.stdout) < 1.15
