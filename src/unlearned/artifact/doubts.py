"""What speaks against using a scope: said by `fit`, `inspect`, the card and a server at its start."""

from __future__ import annotations

from unlearned.artifact.schema import CalibrationRecord, StrengthRecord

FEW_PROMPTS = 20
MOST_MISSED = 0.1
"""Share of the forget prompts."""

MOST_DISTANCE = 0.2
"""Share of the gap between the original model and one that never saw the data."""

MOST_CLOSE_FLAGGED = 0.1
"""Share of the close prompts."""

MOST_DEGENERATE = 0.1
"""Share of the answers that are empty or repeat themselves."""

LEAST_PERPLEXITY = 0.5
"""Times that of answers about invented subjects: below it, answers are stock phrases."""


def doubts(calibration: CalibrationRecord | None, strength: StrengthRecord | None) -> list[str]:
    """One sentence each, with the numbers; empty for a scope that nothing speaks against."""
    return [*_of_detection(calibration), *_of_strength(strength)]


def _of_detection(c: CalibrationRecord | None) -> list[str]:
    if c is None:
        return []
    found = []
    if c.forget_count < FEW_PROMPTS:
        found.append(f"Fitted on {c.forget_count} forget prompts: forty or more detect better.")
    if c.missed > MOST_MISSED * c.forget_count:
        share = c.missed / c.forget_count
        found.append(f"Missed {c.missed} of its own {c.forget_count} forget prompts ({share:.0%}): such prompts pass.")
    if c.close_count == 0:
        found.append("Fitted without close prompts that must stay: what is near the scope may be flagged.")
    elif c.close_count and (c.close_flagged or 0) > MOST_CLOSE_FLAGGED * c.close_count:
        found.append(f"Flags {c.close_flagged} of {c.close_count} close prompts that must stay.")
    return found


def _of_strength(s: StrengthRecord | None) -> list[str]:
    if s is None:
        return []
    found, chosen = [], s.chosen
    if chosen.distance > MOST_DISTANCE:
        found.append(f"{chosen.distance:.0%} of what the model knows is left in its answers.")
    if chosen.degenerate > MOST_DEGENERATE:
        found.append(f"{chosen.degenerate:.0%} of the answers are empty or repeat themselves.")
    if s.reference_perplexity and chosen.perplexity and chosen.perplexity < LEAST_PERPLEXITY * s.reference_perplexity:
        found.append(
            f"Answers are stock phrases: perplexity {chosen.perplexity:.1f}, where answers about invented subjects "
            f"have {s.reference_perplexity:.1f}."
        )
    return found
