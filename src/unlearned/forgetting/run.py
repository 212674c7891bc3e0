"""`forget`: from a name to an artifact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from unlearned.artifact.artifact import Artifact
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import FitError
from unlearned.examples import evenly
from unlearned.forgetting.claims import Claims, ask, neighbours_said
from unlearned.forgetting.documents import read_documents
from unlearned.forgetting.forms import asked, question_forms
from unlearned.forgetting.prompts import (
    PromptSet,
    fingerprint,
    save_answers,
    save_prompts,
    saved_answers,
    saved_prompts,
    write_prompts,
)
from unlearned.forgetting.subject import Subject, as_subject
from unlearned.learn.config import FitConfig
from unlearned.learn.fit import fit
from unlearned.methods.record import weights_sha256
from unlearned.names.forms import Kind
from unlearned.progress import Progress, Tell

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SHORT = 8
"""Questions that are asked with the last name alone."""

MAX_EXAMPLES = 16
"""Prompts that the strength is learned on, unless the config says otherwise."""

_PLURALS = {
    "person": "people",
    "work": "works",
    "place": "places",
    "organisation": "organisations",
    "product": "products",
}


@dataclass(frozen=True, slots=True)
class Written:
    """The prompts for a subject, and what was found on the way."""

    subject: Subject
    """The subject, with what was found out about its names."""

    prompts: PromptSet
    known: bool
    """Whether the model seems to know the subject."""

    summary: str
    """What was found, for people; without any name."""


def forget(
    names: str | Sequence[str],
    *,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    kind: Kind = "person",
    aliases: Sequence[str] = (),
    about: Sequence[str] = (),
    not_about: Sequence[str] = (),
    documents: Sequence[str | Path] = (),
    scope: str = "subject",
    folder: str | Path | None = None,
    config: FitConfig | None = None,
    on_progress: Progress | None = None,
    on_found: Tell | None = None,
) -> Artifact:
    """Learn to forget whom or what a name stands for: write the prompts, then `fit` on them.

    The prompts come from the model's own answers about the subject, and from documents if there are any.

    Args:
        names: one name in full, or several of one subject: "Hogwarts", "Harry Potter".
        model: the original model; asked what it says about the subject, and only run.
        tokenizer: the model's tokenizer.
        kind: person, work, place, organisation or product.
        aliases: nicknames and the like, of the first name.
        about: who is meant, where several have the name: "dentist in Villach".
        not_about: who is not, in full: "Jordan Smith, the cricketer".
        documents: UTF-8 text files about the subject; what their sentences say becomes questions.
        scope: name of the scope; the artifact holds it in plain letters.
        folder: where the prompts are kept as JSONL, readable by their owner only, so that an interrupted run goes on
            from there; None keeps nothing.
        config: of the fit; by default one that takes `MAX_EXAMPLES` prompts for the strength.
        on_progress: called with (phase, done, total).
        on_found: called with a line that says whether the model knows the subject.

    Returns:
        An artifact of one scope.

    Raises:
        ConfigError: a name is empty, one letter, or a common word without `about`.
        DataError: a document is no text.
        FitError: the model answers nothing, or documents were given and none of them names the subject.

    Examples:
        >>> from unlearned import forget, load_model
        >>> model, tokenizer = load_model("embedded")
        >>> artifact = forget("Thomas A. Edison", model=model, tokenizer=tokenizer, scope="request-4711")
        >>> artifact.save_pretrained("artifacts/edison")
    """
    subject = as_subject(names, kind=kind, aliases=aliases, about=about, not_about=not_about)
    written = write(
        model, tokenizer, subject, documents, folder=None if folder is None else Path(folder), on_progress=on_progress
    )
    if on_found is not None:
        on_found(written.summary)
    return fit_prompts(
        model, tokenizer, written.subject, written.prompts, scope=scope, config=config, on_progress=on_progress
    )


def write(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    subject: Subject,
    documents: Sequence[str | Path] = (),
    *,
    folder: Path | None = None,
    on_progress: Progress | None = None,
) -> Written:
    """The first half of `forget`: the prompts. What the folder has of the same subject is taken from there."""
    report = on_progress or (lambda phase, done, total: None)
    texts = read_documents(documents)
    lexicon = subject.lexicon()
    if texts and not any(lexicon.places(text) for text in texts):
        raise FitError("None of the documents names the subject. Check the name, or add --alias (aliases=...).")
    engine = TransformersEngine(model, tokenizer)
    forms = question_forms(subject.kind)
    questions = forms.about(subject.spelt())
    last = subject.last_name_alone()
    short = [] if last is None else [asked(form, last) for form in evenly(list(forms.forms), SHORT)]
    weights = weights_sha256(model)
    made_of = fingerprint(subject, texts, forms, weights)
    kept = None if folder is None else saved_prompts(folder, made_of)
    said = None if folder is None else saved_answers(folder, weights)
    if said is None or [question for question, _ in said[0].answers] != questions:
        claims = ask(engine, questions, short=short, batch_size=len(questions), report=report)
        said = claims, neighbours_said(engine, subject.names[0], _PLURALS[subject.kind])
        if folder is not None:
            save_answers(folder, *said, weights)
    prompts = kept or write_prompts(subject, said[0], texts, said[1])
    if folder is not None and kept is None:
        save_prompts(folder, prompts, made_of)
    return Written(_with_last_name(subject, said[0]), prompts, said[0].known, said[0].summary())


def _with_last_name(subject: Subject, claims: Claims) -> Subject:
    """Add the last name as an alias where the model knows it so: few ask about "William Shakespeare" in full."""
    last = subject.last_name_alone()
    if last is None or not claims.means_by_last_name(subject.lexicon()):
        return subject
    return replace(subject, aliases=(*subject.aliases, last))


def fit_prompts(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    subject: Subject,
    prompts: PromptSet,
    *,
    scope: str,
    config: FitConfig | None = None,
    on_progress: Progress | None = None,
) -> Artifact:
    """The second half of `forget`: exactly what `fit` does with these prompts and names."""
    config = config or FitConfig(max_examples=MAX_EXAMPLES)
    return fit(
        model,
        tokenizer,
        prompts.forget,
        prompts.retain,
        scope=scope,
        exempt=prompts.exempt,
        config=replace(config, names=subject.scope_names),
        on_progress=on_progress,
    )
