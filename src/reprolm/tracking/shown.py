"""What a run shows in MLflow: numbers that fit a row, points that keep a page quick."""

MOST_SCALARS = 40
"""Of a run's numbers and series together."""
MOST_POINTS = 2000
SECONDS = "seconds"
QUALITY = "evaluate/bits_per_byte"
"""The number by which runs of any vocabulary are judged."""
_NUMBERS = {
    "download": ("documents", "bytes", SECONDS),
    "train_tokenizer": ("vocab_size", "bytes_per_token", SECONDS),
    "encode": ("tokens", "tokens_per_second", SECONDS),
    "train": (
        "best_validation_loss", "best_step", "final_train_loss", "tokens", "epochs", "parameters/total",
        "flops_per_token", "events", "clip/frequency", "peak_bytes", SECONDS,
    ),
    "evaluate": (
        "loss", "perplexity", "bits_per_byte", "sliding/bits_per_byte", "excess/nats",
        "references/bigram", "references/xz", SECONDS,
    ),
    "sample": ("distinct_1", "distinct_2", "rep_4"),
}  # fmt: skip

SCALARS = frozenset(f"{stage}/{key}" for stage, keys in _NUMBERS.items() for key in keys)
"""The numbers beside the curves; the others stand in the run's files, timings in the journal."""

HEADLINES = {
    "train/parameters/total": "parameters",
    "train/best_validation_loss": "best validation loss (nats a token)",
    "evaluate/perplexity": "perplexity",
    QUALITY: "bits per byte",
}
"""The numbers of a run's description."""

LAST_LINE = {
    "download": ("documents", "bytes"),
    "train_tokenizer": ("vocab_size", "bytes_per_token"),
    "encode": ("tokens",),
    "train": ("best_validation_loss",),
    "evaluate": ("perplexity", "bits_per_byte"),
}
"""The numbers that a stage says when it ends."""

CURVES = {
    "train_loss": "train/loss",
    "validation_loss": "validation/loss",
    "learning_rate": "train/learning_rate",
    "gradient_norm": "train/gradient_norm",
    "attention_entropy": "validation/attention_entropy",
    "balance_loss": "train/balance_loss",
    "heaviest_load": "train/heaviest_load",
}
"""The columns of plots/train.csv, and the series that they are."""

SERIES = frozenset({*CURVES.values(), "train/tokens_per_second", "train/mfu"})
"""All that a run has over its steps: the curves, and how fast they came."""
