"""From logs to TOFU's numbers: utility of the model, quality of its forgetting, agreement with the retained model."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from unlearned.benchmarks.tofu.config import ScoreConfig
from unlearned.benchmarks.tofu.log import NORMALISED, SETS, SetLog, TofuLog, difference_of_splits, other_splits
from unlearned.metrics.agreement import Agreement, agreement
from unlearned.metrics.estimate import Doubles, Estimate, mean
from unlearned.metrics.probability import normalised_probability, probability
from unlearned.metrics.truth_ratio import Aggregator, log_truth_ratio, truth_ratio, truth_ratio_scores
from unlearned.metrics.utility import ForgetQuality, forget_quality, model_utility_estimate

UTILITY_SETS = ("retain", "real_authors", "world_facts")
MEASURES = ("prob", "rouge", "truth_ratio")
NO_RETAINED = "no log of the retained model was given"


@dataclass(frozen=True, kw_only=True, slots=True)
class TofuScores:
    """What one model scores."""

    config: ScoreConfig
    components: dict[str, Estimate]
    """`{retain,real_authors,world_facts,forget}_{prob,rouge,truth_ratio}`; all but `forget`'s are the utility."""

    model_utility: Estimate
    forget_ratio: Estimate
    """Mean of R itself on the forget set, not folded; a few large values carry it."""

    forget_prob_mean: Estimate
    """Mean of P(true) / [P(true) + P(wrong)] on the forget set."""

    forget_quality: ForgetQuality | None
    """None without a log of the retained model."""

    agreement: Agreement | None
    """Question by question with the retained model, of log R; None where `agreement_missing` says why."""

    agreement_missing: str | None

    forget_quality_warning: str | None = None
    """Why the forget quality means nothing: the logs are of different splits."""

    def as_json(self) -> dict[str, Any]:
        """Flat; a value that does not exist is None, and so is the logarithm of a p-value that is 0."""
        estimates = {
            "model_utility": self.model_utility,
            "truth_ratio": self.components["forget_truth_ratio"],
            **self.components,
            "forget_truth_ratio_raw": self.forget_ratio,
            "forget_truth_ratio_prob_mean": self.forget_prob_mean,
        }
        if self.agreement is not None:
            estimates |= {
                "agreement_log_distance": self.agreement.distance,
                "agreement_log_shift": self.agreement.shift,
            }
            if self.agreement.spearman is not None:
                estimates["agreement_spearman"] = self.agreement.spearman
        quality, rank = self.forget_quality, self.agreement.signed_rank if self.agreement else None
        log10 = None if quality is None or math.isinf(quality.log10) else quality.log10
        return {
            **dict.fromkeys(("agreement_spearman", "agreement_log_distance", "agreement_log_shift")),
            **{name: estimate.value for name, estimate in estimates.items()},
            "forget_quality": None if quality is None else quality.p_value,
            "log10_forget_quality": log10,
            "forget_quality_warning": self.forget_quality_warning,
            "ks_statistic": None if quality is None else quality.statistic,
            "agreement_wilcoxon_p": None if rank is None else rank.p_value,
            "agreement_wilcoxon_statistic": None if rank is None else rank.statistic,
            "agreement_missing": self.agreement_missing,
            "counts": {
                **{name: self.components[f"{name}_prob"].count for name in SETS},
                "retained_forget": None if quality is None else quality.counts[1],
            },
            "standard_errors": {name: estimate.standard_error for name, estimate in estimates.items()},
            "intervals": {name: estimate.interval for name, estimate in estimates.items()},
            "settings": asdict(self.config),
        }


def score_log(log: TofuLog, retained: TofuLog | None = None, config: ScoreConfig | None = None) -> TofuScores:
    """Compute everything that the logs allow.

    Source: `aggregate_eval_stat.py` of the `locuslab/tofu` repository; agreement, errors and intervals are added here.

    Args:
        log: of the model to judge.
        retained: of the model trained without the forget set, on the same forget split; only its forget set is read.
        config: how.

    Raises:
        DataError: the two logs are of different forget splits with as many rows. With different numbers of rows, the
            test of forget quality is done all the same, as the published script does, and agreement is left out.
    """
    config = config or ScoreConfig()
    log = log.first(config.ds_size)
    columns = {name: _columns(name, getattr(log, name), config) for name in SETS}
    logs = log_truth_ratio(log.forget.paraphrased_losses, log.forget.wrong_losses, mean=config.mean)
    quality: ForgetQuality | None = None
    agrees: Agreement | None = None
    missing: str | None = NO_RETAINED
    warning: str | None = None
    if retained is not None:
        quality, agrees, missing = _compared(log.forget, retained.first(config.ds_size).forget, config)
        # Of whole logs: the first rows of two splits may be others.
        warning = other_splits(log.forget, retained.forget)
    return TofuScores(
        config=config,
        components={
            f"{name}_{measure}": mean(column)
            for name in (*UTILITY_SETS, "forget")
            for measure, column in zip(MEASURES, columns[name].T, strict=True)
        },
        model_utility=model_utility_estimate(
            [columns[name] for name in UTILITY_SETS], draws=config.draws, seed=config.seed
        ),
        forget_ratio=mean(truth_ratio(log.forget.paraphrased_losses, log.forget.wrong_losses, mean=config.mean)),
        forget_prob_mean=mean(truth_ratio_scores(logs, "prob_mean")),
        forget_quality=quality,
        agreement=agrees,
        agreement_missing=missing,
        forget_quality_warning=warning,
    )


def _columns(name: str, log: SetLog, config: ScoreConfig) -> Doubles:
    """(N, 3) per question: probability, ROUGE-L recall, truth-ratio score."""
    logs = log_truth_ratio(log.paraphrased_losses, log.wrong_losses, mean=config.mean)
    aggregator: Aggregator = "min" if name == "forget" else "clip"
    likely = (
        normalised_probability(log.answer_losses, log.wrong_losses)
        if name in NORMALISED
        else probability(log.answer_losses)
    )
    return np.stack([likely, log.rouge_recall, truth_ratio_scores(logs, aggregator)], axis=1)


def _compared(
    unlearned: SetLog, retained: SetLog, config: ScoreConfig
) -> tuple[ForgetQuality, Agreement | None, str | None]:
    missing = difference_of_splits(unlearned, retained)
    first, second = (
        log_truth_ratio(log.paraphrased_losses, log.wrong_losses, mean=config.mean) for log in (unlearned, retained)
    )
    tested = [truth_ratio_scores(logs, "min") if config.fold else logs for logs in (first, second)]
    quality = forget_quality(*tested, method=config.method)
    return quality, None if missing else agreement(first, second), missing
