"""A process that is given nothing of ours but a folder: `transformers` loads it and answers what it is asked.

`python -m reprolm.export.foreign FOLDER EXCHANGE` reads `asked.json` in the second folder, and leaves
`answered.json` and `logits.safetensors` there.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

ASKED, ANSWERED, LOGITS = "asked.json", "answered.json", "logits.safetensors"


def _numbers(folder: Path, asked: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """The loss of the windows, the likeliest continuations of the prompts, and the logits of the windows."""
    import torch
    import transformers

    model, loading = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, output_loading_info=True
    )
    windows, prompts = torch.tensor(asked["windows"]), torch.tensor(asked["prompts"])
    # no token ends a text, so that all are compared
    model.generation_config.eos_token_id, model.generation_config.pad_token_id = None, 0
    how = {"do_sample": False, "max_new_tokens": asked["steps"], "attention_mask": torch.ones_like(prompts)}
    with torch.no_grad():
        read = model.eval()(windows, labels=windows)
        greedy = model.generate(prompts, **how)[:, prompts.shape[1] :]
    strange = sorted(str(key) for names in loading.values() for key in names)
    return {"strange": strange, "loss": float(read.loss), "greedy": greedy.tolist()}, read.logits


def _words(folder: Path, texts: list[str]) -> dict[str, Any]:
    """Ids of the texts, and the texts of those ids."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    ids = [tokenizer(text)["input_ids"] for text in texts]
    return {"ids": ids, "texts": [tokenizer.decode(each) for each in ids]}


def main(folder: Path, exchange: Path) -> None:
    """Answers."""
    os.environ |= {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "TRANSFORMERS_VERBOSITY": "error",
    }
    from safetensors.torch import save_file

    asked = json.loads((exchange / ASKED).read_text())
    numbers, logits = _numbers(folder, asked)
    save_file({"logits": logits.contiguous()}, exchange / LOGITS)
    (exchange / ANSWERED).write_text(json.dumps(numbers | _words(folder, asked["texts"])))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
