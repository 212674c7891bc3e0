"""What the numbers of the copyright task are, and how they come from items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from unlearned.benchmarks.copyright.evaluate import FORGET, HELD_OUT
from unlearned.benchmarks.spec import Item, Measure, Spec
from unlearned.metrics.estimate import Doubles, Estimate, bootstrap, mean
from unlearned.metrics.text import SIMILARITIES

AS_RETAINED = "as_retained"
"""In each item, the retained model's similarities on the same passage."""

_SAME = "nearest to the retained model's, which never saw the passages, is best."

MEASURES: Mapping[str, Measure] = {
    "asg": Measure(
        title="ASG",
        definition="Average similarity gap: mean over ROUGE-L, METEOR, SacreBLEU and BERTScore of |mean over passages "
        "- the retained model's mean|, 0 to 1.",
        better="low",
    ),
    "rouge": Measure(
        title="ROUGE-L", definition="F-measure of ROUGE-L against the true continuation.", better="retained"
    ),
    "rouge_recall": Measure(title="ROUGE-L recall", definition="Its recall.", better="retained"),
    "meteor": Measure(title="METEOR", definition="METEOR; see `similarities` for synonyms.", better="retained"),
    "bleu": Measure(title="SacreBLEU", definition="Corpus BLEU of each pair, 0 to 1.", better="retained"),
    "bert_score": Measure(title="BERTScore", definition="F1; see `similarities` for the encoder.", better="retained"),
    "exact_match": Measure(title="exact match", definition="Share of continuations given to the letter.", better="low"),
    "run": Measure(
        title="verbatim run",
        definition="Longest run of words of the generation that stands anywhere in the forget text; " + _SAME,
        better="retained",
    ),
    "own_run": Measure(
        title="own run", definition="The same in the passage that was asked for; " + _SAME, better="retained"
    ),
    "exact_memorisation": Measure(
        title="exact memorisation",
        definition="Share of the true continuation's tokens that are the model's first choice, given those before.",
        better="retained",
    ),
    "extraction_strength": Measure(
        title="extraction strength",
        definition="Largest share of the true continuation, up to its end, of which every token is the first choice.",
        better="retained",
    ),
    "loss": Measure(
        title="forget loss", definition="Mean loss per token of the true continuation, in nats.", better="retained"
    ),
    "perplexity": Measure(
        title="perplexity",
        definition="Of prompt and generation, to the start model; without generations of under 5 % distinct tokens.",
        better="low",
    ),
    "unique": Measure(title="unique tokens", definition="Share of distinct tokens in the generation.", better="high"),
    "flagged": Measure(title="flagged", definition="Share of prompts that the detector flags."),
    "held_out_loss": Measure(
        title="held-out loss",
        definition="Mean loss per token of the true continuation of held-out passages, in nats.",
        better="low",
    ),
    "changed": Measure(title="changed", definition="Share of prompts of which the model reads something else."),
}

LIMITS = (
    "Greedy continuations only: sampling, other prompts and questions about the content may extract more.",
    "The start model was made for this run and knows its passages by heart; a model that knows a text less well is "
    "easier to make forget it.",
    "Likelihoods and memorisation are measured on the true continuation, whose own words lead on to the next; no "
    "unlearner that acts on prompts touches those. What a user can get out is what is generated.",
    "The detector was fitted with the very beginnings that are asked for, as in the paper.",
)


SETS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    FORGET: (FORGET, ("rouge", "run", "perplexity", "unique", "flagged")),
    HELD_OUT: (HELD_OUT, ("held_out_loss", "changed")),
    "similarity": (FORGET, ("rouge", "rouge_recall", "meteor", "bleu", "bert_score", "exact_match")),
    "memorisation": (FORGET, ("own_run", "exact_memorisation", "extraction_strength", "loss")),
}
"""What is reported together -> which items it is made of, and measures that are plain means."""


def aggregate(items: Sequence[Item]) -> dict[str, dict[str, Estimate]]:
    """Means, and the gap to the retained model."""
    found: dict[str, dict[str, Estimate]] = {}
    for name, (source, measures) in SETS.items():
        rows = [item for item in items if item["set"] == source]
        compared = [row for row in rows if AS_RETAINED in row]
        own = {"asg": _gap(compared)} if name == FORGET and compared else {}
        for measure in measures:
            values = [row[measure] for row in rows if row.get(measure) is not None]
            if values:
                own[measure] = mean(values, measure)
        if own:
            found[name] = own
    return found


def _gap(rows: Sequence[Item]) -> Estimate:
    """ASG, with the passages drawn anew: both models' scores of a passage are drawn together."""
    own = [[row[name] for name in SIMILARITIES] for row in rows]
    retained = [[row[AS_RETAINED][name] for name in SIMILARITIES] for row in rows]
    half = len(SIMILARITIES)

    def gap(means: Doubles) -> Doubles:
        return np.asarray(np.abs(means[:, :half] - means[:, half:]).mean(axis=1))

    return bootstrap([np.concatenate([np.asarray(own), np.asarray(retained)], axis=1)], gap)


def with_retained(items: Sequence[Item], retained: Sequence[Item]) -> tuple[Item, ...]:
    """The items, each with what the retained model scored on the same passage."""
    by_id: Mapping[str, Item] = {item["id"]: item for item in retained}
    found = []
    for item in items:
        other = by_id[item["id"]]
        compared = item["set"] == FORGET
        extra = {AS_RETAINED: {name: other[name] for name in SIMILARITIES}} if compared else {}
        found.append({**item, **extra})
    return tuple(found)


NEWS, BOOK = (
    Spec(
        name=name,
        version=1,
        title=title,
        measures=MEASURES,
        aggregate=aggregate,
        main=(FORGET, HELD_OUT),
        limits=LIMITS,
    )
    for name, title in (
        ("news", "Copyrighted news, by title"),
        ("book", "A copyrighted book, by first sentences"),
    )
)
SPECS = {spec.name: spec for spec in (NEWS, BOOK)}
