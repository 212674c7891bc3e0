"""The sentence vectors of the packaged general prompts, worked out once per encoder and kept between fits."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np

from unlearned.classify.base import Floats, TextEncoder
from unlearned.classify.detect import windows_of
from unlearned.classify.normalize import normalize
from unlearned.classify.sentences import PROBE
from unlearned.embedded import cache_folder
from unlearned.examples import background_prompts
from unlearned.files import write_bytes
from unlearned.types import text_only

BATCH = 64


def background_vectors(encoder: TextEncoder) -> dict[str, Floats]:
    """Text -> (D,) vector, for every general prompt and every window of one, exactly as the encoder gives them.

    They are read from the user's cache if they were worked out there before by the same encoder: one of the same name
    that gives the same vector for a fixed sentence.
    """
    texts = _texts()
    probe = encoder.encode([PROBE])[0]
    digest = hashlib.sha256("\0".join([encoder.name, *texts]).encode() + probe.tobytes()).hexdigest()[:16]
    path = cache_folder() / f"background-{digest}.npy"
    vectors = _read(path, (len(texts), len(probe)))
    if vectors is None:
        vectors = np.concatenate([encoder.encode(texts[i : i + BATCH]) for i in range(0, len(texts), BATCH)])
        _write(path, vectors)
    return dict(zip(texts, vectors, strict=True))


def _texts() -> list[str]:
    prompts = [normalize(prompt) for prompt in background_prompts()]
    messages = [(prompt, segment) for prompt in map(text_only, prompts) for segment in prompt.segments]
    windows = [window.text for message in messages for window in windows_of(*message)]
    return sorted(
        dict.fromkeys([*prompts, *windows]), key=lambda text: (len(text), text)
    )  # alike lengths: less padding


def _read(path: Path, shape: tuple[int, int]) -> Floats | None:
    try:
        vectors = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):  # not there yet, or cut short
        return None
    return vectors if vectors.shape == shape and vectors.dtype == np.float32 else None


def _write(path: Path, vectors: Floats) -> None:
    content = io.BytesIO()
    np.save(content, vectors)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, content.getvalue())
    except OSError:  # a cache that cannot be written costs time, nothing else
        return
