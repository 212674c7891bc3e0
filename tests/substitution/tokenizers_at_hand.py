"""Tokenizers of every family: byte-level, with spaces as letters, and of word pieces."""

from __future__ import annotations

from functools import lru_cache

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from unlearned.examples import background_prompts
from unlearned.substitution.bank import Bank, WordSlot, stand_ins
from unlearned.substitution.entities import Entity
from unlearned.substitution.strangers import Strangers
from unlearned.substitution.substitution import StrangerPair, Substitution, pair_of
from unlearned.substitution.table import NameTable
from unlearned.words import squash

SECRET = b"s" * 32
FAMILIES = ("byte-level", "spaces as letters")
TEXTS = [
    "Hermione Granger studied with Potter.",
    "HERMIONE GRANGER and the Grangers' cat",
    'hermione granger\'s book, (Potter) and "Granger"',
    "Potter-Granger; Hermione, Hermione! PotterGranger Grangerford 1985, 1985s",
    "- Hermione, then Granger... Potter",
]


@lru_cache(maxsize=1)
def _corpus() -> list[str]:
    words = [word for words in stand_ins().values() for word in words]
    return [*background_prompts(), *words, *map(str.lower, words), "Harry Potter, Hermione Granger: 0123456789"]


@lru_cache(maxsize=1)
def with_spaces_as_letters() -> PreTrainedTokenizerFast:
    """As SentencePiece has it: Llama 2, Gemma, Mistral."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Sequence([decoders.Metaspace(prepend_scheme="first"), decoders.ByteFallback()])
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    tokenizer.train_from_iterator(_corpus(), trainers.BpeTrainer(vocab_size=3000, special_tokens=special))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="</s>")


@lru_cache(maxsize=1)
def of_word_pieces() -> PreTrainedTokenizerFast:
    """As BERT has it: all in lower case, so that nothing can be given back as it was."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.train_from_iterator(
        _corpus(), trainers.WordPieceTrainer(vocab_size=2000, special_tokens=["[UNK]", "[SEP]"])
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", eos_token="[SEP]")


def known_strangers(bank: Bank) -> Substitution:
    """Strangers for four words, that take as many tokens."""
    strangers = Strangers(NameTable(SECRET, "hp"), bank)
    pairs: dict[str, StrangerPair] = {}
    for word, form in (("Hermione", "word"), ("Granger", "word"), ("Potter", "word"), ("1985", "year")):
        entity = Entity(0, len(word), word, form)
        found = strangers.of(
            entity, [WordSlot(word, " ")], lambda other: squash(other) in {squash(p.stranger) for p in pairs.values()}
        )
        assert found is not None
        pairs[entity.key] = pair_of(entity, found, lambda key: False)
    return Substitution(pairs, bank.pieces)
