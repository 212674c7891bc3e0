"""Versions of the code that makes numbers. What was kept under another version is done anew.

Whoever changes what a stage computes raises its number here; whoever changes what a benchmark asks or scores raises
`version` in its `Spec`. A comment or a moved line changes no number, and so throws nothing away. A test finds code that
has changed while its version has not, and names the command that records it: `python tests/number_code.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

STAGES: Mapping[str, int] = {
    "detection": 2,
    "generation": 1,
    "fitting": 2,
    "training": 1,
}
"""Detection finds what of a prompt is in scope. Generation is all that a model and what stands in front of it do with
prompts. Fitting makes detectors and learns strengths. Training changes weights."""

ASKING = ("detection", "generation")
"""What an answer goes through."""

FITTING = (*ASKING, "fitting")
"""What a fitted artifact has gone through."""

TRAINING = (*FITTING, "training")
"""What a method that changes weights, and a soft prompt, have gone through."""


def versions(*stages: str) -> dict[str, int]:
    """Stage -> its version."""
    return {stage: STAGES[stage] for stage in stages}
