"""Which language is a text in, and does the encoder read it?

An encoder that was trained on English puts a question in Hindi anywhere. Such a text is neither in nor out of scope: it
is unread, and the verdict says so. What then happens is the scope's policy.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from unlearned.classify.base import TextEncoder
from unlearned.classify.small_words import by_small_words

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

ENGLISH_AT_MOST = 0.02
"""A text is foreign if English is at most this likely against the most likely language (TOFU, MMLU dev and SST-2 train:
0 of 3,200 English texts are; every one of 120 Spanish, French and German questions is, by a factor of ten)."""

LEAST_LETTERS = 12
"""Fewest Latin letters of a text that is judged. Other alphabets show by themselves, but for names: 4."""

READS = 0.7
"""Cosine between a sentence and its translation from which an encoder counts as reading that language."""

PROBE = "Which books did this author write, and where was she born?"
_TRANSLATIONS = {
    "ar": "ما الكتب التي كتبتها هذه المؤلفة، وأين ولدت؟",
    "de": "Welche Bücher hat diese Autorin geschrieben, und wo wurde sie geboren?",
    "es": "¿Qué libros escribió esta autora y dónde nació?",
    "fr": "Quels livres cette autrice a-t-elle écrits, et où est-elle née ?",
    "hi": "इस लेखिका ने कौन सी किताबें लिखीं, और उनका जन्म कहाँ हुआ था?",
    "id": "Buku apa saja yang ditulis penulis ini, dan di mana ia lahir?",
    "it": "Quali libri ha scritto questa autrice e dove è nata?",
    "ja": "この作家はどんな本を書き、どこで生まれましたか？",
    "ko": "이 작가는 어떤 책을 썼고 어디에서 태어났나요?",
    "nl": "Welke boeken heeft deze schrijfster geschreven en waar is ze geboren?",
    "pl": "Jakie książki napisała ta autorka i gdzie się urodziła?",
    "pt": "Que livros escreveu esta autora e onde ela nasceu?",
    "ru": "Какие книги написала эта писательница и где она родилась?",
    "tr": "Bu yazar hangi kitapları yazdı ve nerede doğdu?",
    "vi": "Nữ tác giả này đã viết những cuốn sách nào và sinh ra ở đâu?",
    "zh": "这位作家写了哪些书，她出生在哪里？",
}
# The identifier knows many more; small ones are mostly mistaken for English and the like.
_LANGUAGES = (
    "ar bg bn ca cs da de el en es et fa fi fr gu he hi hr hu hy id is it ja ka kk km kn ko lt lv mk ml mr ms "
    "my ne nl no pa pl pt ro ru si sk sl sq sr sv sw ta te th tl tr uk ur vi zh"
).split()


def language_of(text: str) -> str:
    """ISO 639-1 code; "en" for short and for doubtful texts."""
    letters = [character for character in text if character.isalpha()]
    other_scripts = sum(character > "\u02af" for character in letters)
    if not other_scripts and (told := by_small_words(text)) is not None:
        return told
    if other_scripts < 4 and len(letters) < LEAST_LETTERS:
        return "en"
    likelihoods = dict(_identifier().rank(text))
    best = max(likelihoods, key=lambda language: likelihoods[language])
    return best if likelihoods["en"] < ENGLISH_AT_MOST * likelihoods[best] else "en"


def languages_read(encoder: TextEncoder) -> frozenset[str]:
    """The languages, besides English, in which the encoder puts a sentence next to its English original.

    Measured, not declared: 17 sentences are encoded when this is first asked of an encoder. If it reads most of the
    languages that are tried, it is taken to read the others, too. A sequence classifier, which gives probabilities and
    no vectors, cannot be measured and counts as reading English only.
    """
    with _LOCK:
        if encoder not in _READ:
            vectors = encoder.encode([PROBE, *_TRANSLATIONS.values()])
            similarities = vectors[1:] @ vectors[0] if vectors.shape[1] > 1 else np.zeros(len(vectors) - 1)
            read = {code for code, cos in zip(_TRANSLATIONS, similarities, strict=True) if cos >= READS}
            most = len(read) >= 0.8 * len(_TRANSLATIONS)
            _READ[encoder] = frozenset(read | (set(_LANGUAGES) - set(_TRANSLATIONS) if most else set()))
        return _READ[encoder]


_READ: WeakKeyDictionary[TextEncoder, frozenset[str]] = WeakKeyDictionary()
_LOCK = threading.Lock()


@lru_cache(maxsize=1)
def _identifier() -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(_LANGUAGES)
    return identifier
