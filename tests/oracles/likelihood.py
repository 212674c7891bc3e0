"""Answer log-likelihood of a transformers model, one prompt at a time, without padding, hooks or batches."""

from __future__ import annotations

from typing import Any

import torch

from unlearned.types import PromptInput


@torch.no_grad()
def mean_answer_log_likelihood(model: Any, tokenizer: Any, prompt: PromptInput, answer: str) -> float:
    target = tokenizer(answer, add_special_tokens=False)["input_ids"]
    ids = torch.tensor([[*prompt.token_ids, *target]])
    embeddings = model.get_input_embeddings()(ids).clone()
    if prompt.positions is not None:
        for position, vector in zip(prompt.positions.tolist(), prompt.vectors, strict=True):
            embeddings[0, position] = vector
    log_probabilities = model(inputs_embeds=embeddings).logits[0].float().log_softmax(-1)
    total = 0.0
    for index, token in enumerate(target):
        total += float(log_probabilities[len(prompt.token_ids) + index - 1, token])
    return total / len(target)
