"""What the choice of kinds costs: a training step of the default model against one written out by hand.

The hand-written model has the same arithmetic (RMSNorm, rope, QK-norm, squared ReLU) in one file without
words, contexts or traces. Both have the same weights; their losses must agree to the bit. Steps take turns.

    python benchmarks/model_step.py [--steps 40]
"""

import argparse
import statistics
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear, relu, rms_norm, scaled_dot_product_attention

from reprolm.config import read_params, section
from reprolm.device import device
from reprolm.model.config import ModelConfig
from reprolm.model.initialise import initialise
from reprolm.model.transformer import Transformer

ROOT = Path(__file__).parents[1]
VOCABULARY, BATCH = 4096, 16


class ByHand(nn.Module):
    """The default model with nothing to choose."""

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        self.weights = nn.ParameterList([p.detach().clone() for p in model.parameters()])
        self.heads, self.layers = model.config.n_heads, model.config.n_layers
        self.register_buffer("cosine", model.position.cosine.clone())
        self.register_buffer("sine", model.position.sine.clone())

    def rotate(self, x: Tensor) -> Tensor:
        T, K = x.shape[-2:]
        swapped = torch.cat([x[..., K // 2 :], x[..., : K // 2]], dim=-1)
        return torch.addcmul(x * self.cosine[:T], swapped, self.sine[:T])

    def forward(self, tokens: Tensor) -> Tensor:
        weights = iter(self.weights)
        x = nn.functional.embedding(tokens, next(weights))
        B, T, D = x.shape
        for _ in range(self.layers):
            gain, query, key, value, output, q_gain, k_gain, gain2, up, down = (
                next(weights) for _ in range(10)
            )
            y = rms_norm(x, (D,), gain, 1e-6)
            q, k, v = (linear(y, w).view(B, T, self.heads, -1).transpose(1, 2) for w in (query, key, value))
            q = self.rotate(rms_norm(q, q_gain.shape, q_gain, 1e-6))
            k = self.rotate(rms_norm(k, k_gain.shape, k_gain, 1e-6))
            mixed = scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + linear(mixed.transpose(1, 2).reshape(B, T, D), output)
            y = rms_norm(x, (D,), gain2, 1e-6)
            x = x + linear(relu(linear(y, up)).square(), down)
        return linear(rms_norm(x, (D,), next(weights), 1e-6), next(weights))


def step(model: nn.Module, tokens: Tensor) -> tuple[float, float]:
    """Seconds and loss of one forward and backward pass."""
    began = time.perf_counter()
    logits = model(tokens[:, :-1])
    loss = cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    loss.backward()
    value = loss.item()
    seconds = time.perf_counter() - began
    model.zero_grad(set_to_none=True)
    return seconds, value


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=40)
    steps = parser.parse_args().steps
    params = read_params(ROOT / "params.yaml")
    on = device(params["threads"])
    config = section(params, "model", ModelConfig)
    ours = initialise(Transformer(config, VOCABULARY), 1).to(on)
    models = {"ours": ours, "by hand": ByHand(ours).to(on)}
    tokens = torch.randint(VOCABULARY, (BATCH, config.context_length + 1), device=on)
    for model in models.values():
        step(model, tokens)
    seconds: dict[str, list[float]] = {name: [] for name in models}
    losses = set()
    for turn in range(steps):
        for name in sorted(models, reverse=turn % 2 == 0):
            taken, loss = step(models[name], tokens)
            seconds[name].append(taken)
            losses.add(loss)
    assert len(losses) == 1, f"the losses differ: {losses}"
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    ratios = [a / b for a, b in zip(seconds["ours"], seconds["by hand"], strict=True)]
    print(f"{steps} steps in turn, {torch.get_num_threads()} threads, {on}")
    for name, value in medians.items():
        print(f"{name:>8}  {1000 * value:7.2f} ms (median)  {1000 * min(seconds[name]):7.2f} ms (least)")
    print(
        f"   ratio  {medians['ours'] / medians['by hand']:.3f} of medians, "
        f"{statistics.median(ratios):.3f} median of pairs"
    )


if __name__ == "__main__":
    main()
