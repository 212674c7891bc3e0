"""A sequence classification transformer as prompt classifier: one that is ready, or one that was fine-tuned here.

The encoder is the whole classifier: it gives one number per text, p(forget), and `SequenceClassifier` hands that on.
The weights of a fine-tuned one live in the artifact, in float16; a ready one is named there.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch

from unlearned.batches import FORWARD, by_length
from unlearned.classify.base import Features, Floats, TextEncoder
from unlearned.classify.giving_way import give_way
from unlearned.errors import ConfigError, ModelLoadError, first_line

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

BATCH = 32
FORGET = "forget"
"""The name by which a label counts as the forget label wherever it stands."""

PREFIX = "model."
"""Prefix of the names of a fine-tuned model's arrays."""

_STORED = {"name", "config", "tokenizer", "tokenizer_config"}
_NO_LIMIT = 1_000_000  # tokenizers without a limit have model_max_length = 1e30


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A model that is ready to read texts."""

    model: Any
    tokenizer: Any
    window: int
    """Most tokens that the model reads."""

    forget: int | None
    """Index of the forget label; None = the only logit is that of p(forget)."""

    @classmethod
    def of(cls, model: Any, tokenizer: Any, device: str) -> Loaded:
        return cls(model.eval().to(device), tokenizer, reading_window(model, tokenizer), _forget_label(model.config))

    @property
    def batch(self) -> int:
        # Models that read the last token look for it by the pad id: without a common one they are given no padding.
        pad = self.tokenizer.pad_token_id
        return BATCH if pad is not None and pad == getattr(self.model.config, "pad_token_id", None) else 1


class SequenceEncoder:
    """Texts to p(forget) by a sequence classification model. Loaded when it is first needed.

    The forget label is the one called "forget", else LABEL_1 of two; a model with a single logit gives its sigmoid.

    Args:
        name: hub id or folder of a fine-tuned model, in safetensors. It is used as it is; no code of its own is run.
        device: torch device; None = the CPU, so that detection does not compete with the language model for its GPU.
    """

    def __init__(self, name: str | Path, device: str | None = None) -> None:
        self._name = str(name)
        self._device = device or "cpu"
        self._loaded: Loaded | None = None
        self._settings: dict[str, Any] = {"model": self._name}
        self._lock = threading.RLock()  # fast tokenizers refuse to be used by two threads at once

    @classmethod
    def of(
        cls, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str, device: str | None = None
    ) -> SequenceEncoder:
        """An encoder of a model that was made here, and whose weights an artifact is to keep.

        The model is taken over: its weights are rounded to float16, in place, as they will be saved.

        Raises:
            ConfigError: the tokenizer cannot be saved, or a weight is too large for float16.
        """
        own = cls(name, device)
        own._settings = {
            "name": name,
            "config": _config_as_stored(model),
            "tokenizer": _tokenizer_as_stored(tokenizer),
            "tokenizer_config": {
                "model_max_length": reading_window(model, tokenizer),
                "model_input_names": list(tokenizer.model_input_names),
                "padding_side": tokenizer.padding_side,
                "truncation_side": tokenizer.truncation_side,
                "special_tokens": dict(tokenizer.special_tokens_map),
            },
        }
        whole: Any = model
        _round_weights(whole.float())
        # Not the tokenizer given: texts are read now as they will be after loading.
        own._loaded = Loaded.of(whole, _stored_tokenizer(own._settings), own._device)
        return own

    @classmethod
    def from_state(
        cls, settings: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]], device: str | None = None
    ) -> SequenceEncoder:
        """The encoder whose `state` this is.

        Raises:
            ConfigError: settings are missing or unknown.
            ModelLoadError: they do not describe a model that the arrays fit.
        """
        if set(settings) == {"model"} and not arrays:
            return sequence_encoder(settings["model"], device)
        if set(settings) != _STORED:
            raise ConfigError(
                f"A sequence classifier has the settings {', '.join(sorted(_STORED))}, or only 'model' and no arrays; "
                f"found {', '.join(sorted(settings))} and {len(arrays)} arrays. Fit again."
            )
        own = cls(settings["name"], device)
        own._settings = dict(settings)
        own._loaded = Loaded.of(_stored_model(settings, arrays), _stored_tokenizer(settings), own._device)
        return own

    @property
    def name(self) -> str:
        return self._name

    @property
    def loaded(self) -> Loaded:
        """The model with all that is needed to use it; raises `ModelLoadError` if there is none of this name here."""
        with self._lock:
            if self._loaded is None:
                self._loaded = _load(self._name, self._device)
            return self._loaded

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> Floats:
        """(N, 1) float32 p(forget), in the order given; texts of similar length share a batch, long ones are cut."""
        probabilities = np.zeros((len(texts), 1), dtype=np.float32)
        if not texts:
            return probabilities
        loaded = self.loaded
        for chosen in by_length([len(text) for text in texts], loaded.batch, free=4 * FORWARD):  # characters
            give_way()
            with self._lock:
                tokens = loaded.tokenizer(
                    [texts[index] for index in chosen],
                    truncation=True,
                    max_length=loaded.window,
                    padding=loaded.batch > 1,
                    return_tensors="pt",
                )
            logits = loaded.model(**tokens.to(self._device)).logits.float()  # (B, labels)
            forget = logits[:, 0].sigmoid() if loaded.forget is None else logits.softmax(dim=1)[:, loaded.forget]
            probabilities[chosen, 0] = forget.cpu().numpy()
        return probabilities

    def state(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """A ready model's name; of a fine-tuned one, everything: its weights are the arrays, in float16."""
        if "model" in self._settings:
            return dict(self._settings), {}
        arrays = {}
        for name, tensor in self.loaded.model.state_dict().items():
            kept = tensor.half() if tensor.is_floating_point() else tensor
            arrays[PREFIX + name] = kept.cpu().numpy()
        return dict(self._settings), arrays


class SequenceClassifier:
    """p(forget | text) as its encoder says it.

    Args:
        encoder: a ready model (`sequence_encoder`) or a fine-tuned one (`SequenceEncoder.of`).
    """

    least_threshold: ClassVar[float] = 0.5

    def __init__(self, encoder: SequenceEncoder) -> None:
        self._encoder = encoder

    @property
    def encoder(self) -> SequenceEncoder:
        return self._encoder

    def predict_proba(self, features: Features) -> Floats:
        """Features of N texts, made with `encoder` -> (N,) p(forget | text)."""
        if features.vectors.ndim != 2 or features.vectors.shape[1] != 1:
            raise ConfigError(
                f"The features have the shape {features.vectors.shape}, and a sequence classifier gives (N, 1). "
                "Make them with its own encoder."
            )
        return features.vectors[:, 0]

    def state(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        return self._encoder.state()

    @classmethod
    def from_state(
        cls, settings: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]], encoder: TextEncoder
    ) -> SequenceClassifier:
        """See `SequenceEncoder.from_state`; `encoder` is only used if it is the ready model that the settings name."""
        if isinstance(encoder, SequenceEncoder) and settings == {"model": encoder.name} and not arrays:
            return cls(encoder)
        return cls(SequenceEncoder.from_state(settings, arrays))


def sequence_encoder(name: str | Path, device: str | None = None) -> SequenceEncoder:
    """The process's one encoder of this name and device: all scopes that name it share it."""
    return _shared(str(name), device)  # a cache sees a default and the same value given as two different calls


@lru_cache(maxsize=8)
def _shared(name: str, device: str | None) -> SequenceEncoder:
    return SequenceEncoder(name, device)


def reading_window(model: Any, tokenizer: Any) -> int:
    """Most tokens, special ones included, that this model can be given; 512 if neither of the two sets a limit."""
    limits = [tokenizer.model_max_length, getattr(model.config.get_text_config(), "max_position_embeddings", None)]
    for name, module in model.named_modules():
        # RoBERTa and its kin count positions from behind the pad id: 514 positions are 512 tokens.
        if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding):
            limits.append(module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1))
    return min((int(limit) for limit in limits if limit and 0 < limit < _NO_LIMIT), default=512)


def load_pretrained(name: str, path: str, expected_missing: Iterable[str] | None = None, **config: Any) -> Any:
    """A sequence classification model in float32 from safetensors, without code of its own, all weights accounted for.

    Args:
        name: what the user called it, for messages.
        path: hub id or folder.
        expected_missing: parts of names of the weights that may be missing or of another shape (the head, where it is
            yet to be trained); None = none may.
        **config: replaced in the model's configuration.

    Raises:
        ModelLoadError: there is none, it has no safetensors, or it is no such model.
    """
    from transformers import AutoModelForSequenceClassification

    try:
        model, info = AutoModelForSequenceClassification.from_pretrained(
            path,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=expected_missing is not None,
            **config,
        )
    except Exception as error:  # truncated files end in SafetensorError, struct.error, KeyError, ...
        raise ModelLoadError(
            f"Cannot load the sequence classifier {name!r}: {first_line(error)} "
            "Give a Hugging Face id or a folder with model.safetensors; pickled weights are not read."
        ) from error
    # Weights that are not there come back random, with no more than a line in the log.
    absent = {*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])}
    absent = {key for key in absent if not any(part in key for part in expected_missing or ())}
    if absent:
        raise ModelLoadError(
            f"{name!r} is no trained sequence classifier of its type: {len(absent)} of its weights are missing, for "
            f"example {min(absent)!r}. Give one that was fine-tuned for classification."
            if expected_missing is None
            else f"{name!r} lacks {len(absent)} of its weights, for example {min(absent)!r}. Give a complete encoder."
        )
    return model


def load_tokenizer(name: str, path: str) -> Any:
    """The tokenizer beside it; raises `ModelLoadError` if there is none."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(path, trust_remote_code=False)
    except Exception as error:
        raise ModelLoadError(
            f"Cannot load the tokenizer of the sequence classifier {name!r}: {first_line(error)} "
            "Give a Hugging Face id or a folder that holds one."
        ) from error


def _load(name: str, device: str) -> Loaded:
    folder = Path(name).expanduser()
    path = str(folder) if folder.is_dir() else name
    if not folder.is_dir() and (name.startswith((".", "/", "~")) or name.count("/") > 1):
        raise ModelLoadError(f"There is no folder {name!r}. Check the path of the sequence classifier.")
    model = load_pretrained(name, path)
    try:
        return Loaded.of(model, load_tokenizer(name, path), device)
    except ConfigError as error:
        raise ModelLoadError(f"{name!r} cannot be used: {error}") from error


def _forget_label(config: Any) -> int | None:
    """Index of the forget label; None for a single logit. Raises `ConfigError` if no label can be told to be it."""
    if config.num_labels == 1:
        return None
    labels = {int(index): str(label) for index, label in config.id2label.items()}
    named = [index for index, label in labels.items() if label.lower() == FORGET]
    if len(named) == 1:
        return named[0]
    if config.num_labels == 2 and not named:
        return 1
    raise ConfigError(
        f"it has {config.num_labels} labels ({', '.join(labels.values())}), and which of them means {FORGET!r} cannot "
        f"be told. Give a model with two labels, the second of which is it, or call one {FORGET!r} in its id2label."
    )


def _round_weights(model: Any) -> None:
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                rounded = tensor.half()
                if not rounded.isfinite().all():
                    raise ConfigError(
                        f"The weight {name!r} has values that float16 cannot hold, so it cannot be saved. Train with a "
                        "lower learning rate, or start from another model."
                    )
                tensor.copy_(rounded)


def _config_as_stored(model: Any) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(model.config.to_json_string(use_diff=False))
    config.pop("_name_or_path", None)  # may be a path of this machine
    return config


def _tokenizer_as_stored(tokenizer: Any) -> str:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ConfigError(
            f"{type(tokenizer).__name__} is a slow tokenizer, which cannot be saved in an artifact. "
            "Choose a model with a tokenizer.json."
        )
    from tokenizers import Tokenizer

    copied = Tokenizer.from_str(backend.to_str())
    copied.no_truncation()  # left over from its last call
    copied.no_padding()
    return copied.to_str()


def _stored_tokenizer(settings: Mapping[str, Any]) -> Any:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    make: Any = PreTrainedTokenizerFast
    try:
        config = dict(settings["tokenizer_config"])
        special = config.pop("special_tokens")
        return make(tokenizer_object=Tokenizer.from_str(settings["tokenizer"]), **config, **special)
    except Exception as error:  # the Rust side raises plain Exceptions
        raise ModelLoadError(f"The stored tokenizer cannot be read: {first_line(error)} Fit again.") from error


def _stored_model(settings: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Any:
    from transformers import AutoConfig, AutoModelForSequenceClassification

    make: Any = AutoModelForSequenceClassification.from_config
    try:
        config = dict(settings["config"])
        weights = {}
        for name, array in arrays.items():
            if not name.startswith(PREFIX):
                raise ValueError(f"unexpected array {name!r}.")
            wide = array.astype(np.float32) if np.issubdtype(array.dtype, np.floating) else array.copy()
            weights[name.removeprefix(PREFIX)] = torch.from_numpy(wide)
        with torch.random.fork_rng(devices=[]):  # the weights are drawn, then replaced: nobody's random numbers change
            model = make(
                AutoConfig.for_model(config.pop("model_type"), **config), trust_remote_code=False, dtype=torch.float32
            )
        model.load_state_dict(weights, strict=True)
    except Exception as error:
        raise ModelLoadError(
            f"The stored sequence classifier cannot be built: {first_line(error)} Fit again."
        ) from error
    return model
