"""MUSE's four numbers, and how they come from items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from unlearned.benchmarks.muse.evaluate import FORGET_QA, MEMBERS, RETAIN_QA, STRANGERS, VERBATIM
from unlearned.benchmarks.spec import Item, Measure, Spec
from unlearned.metrics.estimate import Estimate, mean
from unlearned.metrics.membership import RETAINED_AUC, auc, privleak

AS_RETAINED = "min_k_retained"
"""In each item of the membership sets, the retained model's score of the same text."""

SET = "muse"

MEASURES: Mapping[str, Measure] = {
    "verbmem": Measure(
        title="VerbMem",
        definition="100 x F-measure of ROUGE-L between the continuation of a forget text and the true one.",
        better="retained",
    ),
    "knowmem_forget": Measure(
        title="KnowMem, forget",
        definition="100 x F-measure of ROUGE-L of short answers about the forget texts, after ten examples.",
        better="retained",
    ),
    "privleak": Measure(
        title="PrivLeak",
        definition="100 x (AUC of the retained model - AUC) / (1 - AUC of the retained model), of Min-40 % on forget "
        "against holdout texts; near -100 the texts look learned, above 0 over-unlearned. Its interval takes the "
        "retained model's AUC as given.",
        better="retained",
    ),
    "knowmem_retain": Measure(
        title="KnowMem, retain",
        definition="The same of the texts that stay: the utility.",
        better="high",
    ),
    "changed": Measure(title="changed, retain", definition="Share of these questions that the model reads otherwise."),
}

LIMITS = (
    "MUSE scores whole texts for PrivLeak. Here they pass the unlearner as prompts; sent past it, they have the "
    "start model's likelihoods.",
    "The checkpoint rule of MUSE (first epoch that knows no more than the retained model) is not applied: methods end "
    "where their recipe ends.",
    "Sustainability, one request after the other, is not measured: `--forget-set sust-k` is one request by itself.",
)


def aggregate(items: Sequence[Item]) -> dict[str, dict[str, Estimate]]:
    """Means, and PrivLeak."""
    by_set = {name: [item for item in items if item["set"] == name] for name in {item["set"] for item in items}}
    found = {
        name: mean([100 * item["rouge"] for item in by_set[name]], name)
        for name in (VERBATIM, FORGET_QA)
        if name in by_set
    }
    if MEMBERS in by_set and STRANGERS in by_set:
        found["privleak"] = _privleak(by_set[MEMBERS], by_set[STRANGERS])
    if RETAIN_QA in by_set:
        found[RETAIN_QA] = mean([100 * item["rouge"] for item in by_set[RETAIN_QA]], RETAIN_QA)
        found["changed"] = mean([item["changed"] for item in by_set[RETAIN_QA]], "changed")
    return {SET: found}


def with_retained(items: Sequence[Item], retained: Sequence[Item]) -> tuple[Item, ...]:
    """The items, each text's with what the retained model scored."""
    scores = {item["id"]: item["min_k"] for item in retained if "min_k" in item}
    return tuple({**item, AS_RETAINED: scores[item["id"]]} if "min_k" in item else item for item in items)


def _privleak(members: Sequence[Item], strangers: Sequence[Item]) -> Estimate:
    own = auc(*([item["min_k"] for item in rows] for rows in (members, strangers)))
    retained = RETAINED_AUC
    if all(AS_RETAINED in item for item in (*members, *strangers)):
        retained = auc(*([item[AS_RETAINED] for item in rows] for rows in (members, strangers))).value
    interval, error = None, None
    if own.interval is not None and own.standard_error is not None:
        low, high = own.interval
        interval = privleak(high, retained), privleak(low, retained)
        error = own.standard_error * 100 / (1 - retained + 1e-10)
    return Estimate(privleak(own.value, retained), error, own.count, interval)


SPEC = Spec(
    name="muse",
    version=1,
    title="MUSE",
    measures=MEASURES,
    aggregate=aggregate,
    main=(SET,),
    limits=LIMITS,
)
