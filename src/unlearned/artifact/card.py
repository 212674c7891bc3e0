"""The `README.md` of an artifact: what it does, how it was made, how to use it."""

from __future__ import annotations

from unlearned.artifact.doubts import doubts
from unlearned.artifact.evidence import EvidenceRecord, summary
from unlearned.artifact.schema import CorruptionRecord, ScopeRecord, UnlearnerRecord
from unlearned.classify.scoring import SHORT, short_threshold


def card(record: UnlearnerRecord, vectors_bytes: int, evidence: EvidenceRecord | None = None) -> str:
    """A model card in Markdown with the front matter that the hub reads."""
    names = ", ".join(f"`{scope.name}`" for scope in record.scopes)
    scopes = "\n".join(_scope(scope) for scope in record.scopes)
    model = record.base_model
    base = f"base_model: {model.id}\n" if model else ""
    subject = f"`{model.id}`" if model else "a language model (its strength has still to be learned)"
    size = f"`{model.id}`, embeddings of size {model.embedding_size}" if model else "none yet"
    return f"""---
library_name: unlearned
{base}tags:
- unlearning
- embedding-corrupted-prompts
---

# Unlearning artifact: {names}

Meant to make {subject} answer as if it had never seen {names}. The model's weights are not changed: prompts in a
forget scope are recognised, and the input embeddings of their tokens are changed before the model reads them
(Embedding-Corrupted Prompts, arXiv:2406.07933): the words that identify the subject become a stranger's, which are
turned back in the answer, or noise hides them. Every other prompt reaches the model as it is.

```python
from unlearned import Unlearned, load

llm = Unlearned(model, tokenizer, load("path/to/this/folder"))
llm.generate(["..."], max_new_tokens=64)
```

{_said(record)}{scopes}
{_checked(evidence)}## Limits

The knowledge stays in the weights: who runs the model without `unlearned` can ask for it. Questions that neither name
nor paraphrase anything of the forget prompts pass the detector, and so do those in languages that its encoder does not
read (they are noted). The numbers above are of small samples, on this model. "Distance that remains" is a mean over the
prompts of the fit, no share of answers.

## Record

| | |
|---|---|
| base model | {size} |
| text encoder | `{record.encoder.name}` |
| created | {record.created} |
{_made(record)}| arrays | {vectors_bytes / 1e6:.1f} MB |
| libraries | {", ".join(f"{name} {number}" for name, number in record.libraries.items())} |

`unlearner.json` holds the key of noise and strangers, so only its owner may read the file: who has it can reproduce the
corruption, and test whether a given word is one of the enrolled names. The arrays are sentence embeddings of the forget
and retain prompts, weights of hashed pieces of their words, and keyed hashes of names; treat them as you would treat
those prompts. No other file holds a secret.
"""


def _said(record: UnlearnerRecord) -> str:
    rows = [("Covers", record.about), ("Reference", record.reference)]
    said = "\n".join(f"- {name}: {_one_line(text)}" for name, text in rows if text)
    return f"{said}\n\n" if said else ""


def _made(record: UnlearnerRecord) -> str:
    rows = []
    for step in record.made:
        data = ", ".join(f"{one.rows} {one.role} rows (sha256 {one.sha256[:16]})" for one in step.data)
        by = f" by {_one_line(step.by)}" if step.by else ""
        rows.append(f"| {step.step} | {step.at}{by}; {data} |\n")
    return "".join(rows)


def _checked(evidence: EvidenceRecord | None) -> str:
    if evidence is None:
        return "\nNot checked yet on prompts that it was not fitted with (`unlearned check`).\n\n"
    rows = "\n".join(f"| {name} | {value} |" for name, value in summary(evidence))
    failed = "".join(f"- **{failure}**\n" for failure in evidence.failures)
    verdict = f"Bounds that were not kept:\n\n{failed}" if failed else "All bounds of the check were kept.\n"
    by = f" by {_one_line(evidence.by)}" if evidence.by else ""
    return f"""
## Checked

At {evidence.at}{by}, on `{evidence.model}`, by `unlearned check`. {verdict}
| | |
|---|---|
{rows}

"""


def _one_line(text: str) -> str:
    """A value as a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("`", "'")


def _scope(scope: ScopeRecord) -> str:
    rows = [
        f"## Scope `{scope.name}`",
        "",
        "| | |",
        "|---|---|",
        f"| classifier | {scope.classifier.kind}, threshold {scope.threshold:.4f} |",
    ]
    if scope.short_penalty:
        rows.append(
            f"| threshold of texts up to {SHORT} bytes | {short_threshold(scope.threshold, scope.short_penalty):.4f} |"
        )
    if scope.exemptions:
        rows.append(f'| exemptions | {scope.exemptions} "not this one" examples |')
    if scope.matters is not None:
        rows.append(f"| follow-ups | count from a cosine of {scope.matters:.2f} to what forget prompts ask |")
    if scope.calibration is not None:
        c = scope.calibration
        rows += [
            f"| missed in calibration | {c.missed} of {c.forget_count} (95 %: {_interval(c.fnr_interval)}) |",
            f"| false alarms in calibration | {c.flagged} of {c.negative_count} (95 %: {_interval(c.fpr_interval)}) |",
        ]
        if c.close_count:
            rows.append(f"| of these among close prompts | {c.close_flagged} of {c.close_count} |")
    if scope.corruption is not None:
        rows.append(f"| corruption | {_corruption(scope.corruption)}, on `{scope.selector}` |")
    if scope.names is not None:
        rows.append(f"| words with strangers of their own | {sum(scope.names.values())}, kept as keyed hashes |")
    if (held := scope.answers) is not None:
        quotes = "" if held.quotes is None else f", quotes of more than {held.quotes.bound} words"
        rows.append(f"| held back in answers | {held.policy}: {held.names} names, sealed{quotes} |")
    if scope.strength is not None:
        s = scope.strength
        rows += [f"| why this corruption | {s.reason} |"] if s.reason else []
        rows += [
            f"| {m.name} | {m.plain:.3f} without corruption, {m.surrogate:.3f} expected of a model that never saw the "
            f"data, {m.found:.3f} found |"
            for m in s.measures
        ]
        rows.append(f"| distance that remains | {s.chosen.distance:.0%} |")
        if s.reference_perplexity is not None and s.chosen.perplexity is not None:
            rows.append(
                f"| answers | perplexity {s.chosen.perplexity:.1f} ({s.reference_perplexity:.1f} about invented "
                f"subjects without corruption), {s.chosen.degenerate:.0%} empty or repeating |"
            )
    found = doubts(scope.calibration, scope.strength)
    rows += ["", *(f"- **Warning.** {doubt}" for doubt in found)] if found else []
    return "\n".join(rows) + "\n"


def _corruption(corruption: CorruptionRecord) -> str:
    strength = f", strength {corruption.strength:.4g} ({corruption.unit})" if corruption.strength is not None else ""
    dims = f", {corruption.dims} dimensions" if corruption.dims is not None else ", all dimensions"
    return f"{corruption.function}{strength}{dims}"


def _interval(bounds: tuple[float, float]) -> str:
    return f"{bounds[0]:.2%} to {bounds[1]:.2%}"
