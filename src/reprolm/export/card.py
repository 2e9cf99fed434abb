"""The model card: what the folder holds, how it was proved, and where it came from."""

import json
from dataclasses import dataclass

from reprolm.export.layout import Layout
from reprolm.export.parity import LARGEST_LOGIT_DIFFERENCE, LARGEST_PERPLEXITY_DIFFERENCE, Parity
from reprolm.export.questions import Questions
from reprolm.model.count import parameters
from reprolm.model.transformer import Transformer

CARD = """---
library_name: transformers
pipeline_tag: text-generation
tags: [reprolm]
---

A decoder-only Transformer of {total:,} parameters ({active:,} act on a token), trained from scratch by
reprolm. It is written in the layout of {layout.name}, `{layout.architecture}`.

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(".")
model = AutoModelForCausalLM.from_pretrained(".")
written = model.generate(**tokenizer("The ", return_tensors="pt"), max_new_tokens=50, do_sample=True)
print(tokenizer.decode(written[0], skip_special_tokens=True))
```

## Parity

`{origin.command}` loaded this folder with `transformers` in a fresh process and compared it with the model
that it came from, in float32 on {tokens:,} {asked.source} tokens. It leaves a folder only where all of this
holds.

| | found | asked |
|---|---|---|
| largest difference of a logit | {parity.logit_difference:.2e} | at most {most_logit:.0e} |
| equal greedy tokens | {parity.greedy_tokens} | {greedy} |
| relative difference of perplexity ({parity.perplexity:.5g}) | {parity.perplexity_difference:.2e} \
| at most {most_perplexity:.0e} |

The tokenizer encodes the same ids; `<|endoftext|>` in a text is text.

## Origin

| | |
|---|---|
| sha256 of the model | `{origin.model}` |
| sha256 of the tokenizer | `{origin.tokenizer}` |
| weights of step | {origin.step} |

```json
{architecture}
```
"""


@dataclass(frozen=True)
class Origin:
    """Digests of the model and the tokenizer, the step whose weights these are, and the command."""

    model: str
    tokenizer: str
    step: object
    command: str


def card(model: Transformer, layout: Layout, origin: Origin, asked: Questions, parity: Parity) -> str:
    """`README.md`; the same for the same model."""
    counts = parameters(model)
    return CARD.format(
        total=counts["total"], active=counts["active"],
        layout=layout, origin=origin, asked=asked, parity=parity,
        tokens=asked.windows.numel(), greedy=asked.prompts.shape[0] * asked.steps,
        most_logit=LARGEST_LOGIT_DIFFERENCE, most_perplexity=LARGEST_PERPLEXITY_DIFFERENCE,
        architecture=json.dumps(model.config.model_dump(), indent=1),
    )  # fmt: skip
