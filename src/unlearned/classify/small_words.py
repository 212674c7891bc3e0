"""Which language a short question is in, by its small words: letters alone tell too little in four words.

Question words, articles, pronouns and forms of "be" are few, stand in almost every sentence, and names hold few.
"""

from __future__ import annotations

import re

_WORDS = {
    "de": (
        "wer wie wann warum wo woher wohin wem wen wessen welche welcher welches welchem welchen wieso "
        "weshalb der das den dem des ein eine einen einem einer ist sind war waren hat haben wird wurde kann "
        "ich du er sie es wir ihr mir dir mich nicht und oder über für mit von vom zu zum zur im auf aus bei "
        "nach nenne erkläre gib sag schreibe"
    ),
    "fr": (
        "qui que quoi quand où pourquoi comment combien quel quelle quels quelles est-ce le la les un une des "
        "du de au aux est sont était a-t-il a-t-elle ont je tu il elle nous vous ils elles ce cette ces mon "
        "ton son sa ses et ou dans pour avec sur pas ne cite citez donne donnez explique parle dis écris"
    ),
    "es": (
        "quién quiénes qué cuándo dónde cómo cuánto cuánta cuántos cuál cuáles por el la los las un una unos "
        "del al es son era fue ha han yo tú él ella nosotros ellos su sus este esta y o en para con sin no de "
        "que dame dime háblame explica escribe cuéntame nombra buen"
    ),
    "it": (
        "chi che cosa quando dove perché come quanto quanti quale quali il lo la gli le un uno una dei del "
        "della al è sono era ha hanno io tu lui lei noi loro suo sua questo questa e o in per con di da non "
        "si dimmi dammi parlami spiega scrivi riassumi due nata"
    ),
    "pt": (
        "quem que quando onde como quanto quantos qual quais porquê o a os as um uma uns do da dos das no na "
        "é são era foi tem eu tu ele ela nós eles seu sua este esta e ou em para com sem não de me fale-me "
        "diga-me conte explique faço"
    ),
    "nl": (
        "wie wat wanneer waar waarom hoe welke welk hoeveel de het een is zijn was waren heeft hebben wordt "
        "werd kan ik je jij hij zij ze we wij mij me niet en of over voor met van te op in uit bij naar noem "
        "leg vertel geef schrijf vat"
    ),
    "pl": (
        "kto kim co kiedy gdzie dlaczego czemu jak ile jaki jaka jakie jakim który która które jest są był "
        "była było ma mają ja ty on ona my oni jego jej ten ta to i lub w we na z ze do dla od o się nie "
        "podaj wyjaśnij opowiedz mi"
    ),
    "tr": (
        "kim kimdir ne nedir neden niçin nasıl nerede nereye hangi kaç zaman bu şu o bir ve veya ile için mi "
        "mı mu mü değil ben sen biz bana sana onun var yok oldu doğdu öldü yaz say anlat açıkla ver"
    ),
}
_ENGLISH = frozenset(
    (
        "the who whom whose what when where why how which is are was were do does did has have had will would "
        "can could i you he she it we they me him her us them my your his its our this that these those a an "
        "and or of to in on at for with from by about as not no tell give name explain write list please best "
        "any some all"
    ).split()
)
_IN_NAMES = frozenset(
    (
        "kim chi que la le les il lo gli el los las der das dem den des de du di do da dos dove como come jak "
        "ma mi o a as e i un una uno no na ne on in van wat my y es me se son mon to te ten ta bu bir bana "
        "sana ben biz var sag say ver"
    ).split()
)
"""Words of other languages with which names, titles and English sentences begin, too."""

_LANGUAGES_OF: dict[str, frozenset[str]] = {}
for _code, _line in _WORDS.items():
    for _word in _line.split():
        _LANGUAGES_OF[_word] = _LANGUAGES_OF.get(_word, frozenset()) | {_code}
_WORD = re.compile(r"(?<!\w)[^\W\d_]+(?:[-'’][^\W\d_]+)*(?!\w)")
MOST = 12
"""Words of a short text; a longer one shows its language by itself."""


def by_small_words(text: str) -> str | None:
    """ISO 639-1 code of a short text for which small words of one language speak, and more than of English.

    None: nothing is clear.
    """
    words = [word.lower().replace("’", "'") for word in _WORD.findall(text)]
    if not 2 <= len(words) <= MOST:
        return None
    counts: dict[str, int] = {}
    for word in dict.fromkeys(words):
        for code in _LANGUAGES_OF.get(word, ()):
            counts[code] = counts.get(code, 0) + 1
    if not counts:
        return None
    best = max(counts, key=lambda code: counts[code])
    # Such a word at the beginning is enough, unless a name begins with it: "Kim Kardashian age?", "Das Boot plot".
    if best not in _LANGUAGES_OF.get(words[0], ()):
        return None
    opens = words[0] not in _ENGLISH | _IN_NAMES
    english = sum(word in _ENGLISH for word in dict.fromkeys(words))
    return best if counts[best] + opens >= 2 and counts[best] > english else None
