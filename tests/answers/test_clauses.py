"""An answer read clause by clause beside the model: what is found does not depend on when it is found."""

from __future__ import annotations

import random
import threading
from concurrent.futures import Future
from typing import Any

import pytest

from unlearned.answers.clauses import LONGEST, Clauses
from unlearned.answers.content import ContentReader
from unlearned.classify.base import Features
from unlearned.classify.neighbours import NeighboursClassifier
from unlearned.classify.scope import Scope
from unlearned.classify.sentences import sentence_encoder
from unlearned.errors import DetectionError

FORGET = ["Who is Harry Potter?", "Harry Potter is a wizard.", "Tell me about Hogwarts."]
OTHERS = ["What is the capital of France?", "How do I bake bread?", "The weather is fine."]
CLEAN = ["Mix flour and water.", "Wait an hour.", "Bake it at two hundred degrees.", "Serve it warm."]
TOLD = "Harry Potter is a wizard."


@pytest.fixture(scope="module")
def scope() -> Scope:
    encoder = sentence_encoder()
    examples = (Features.of(texts, encoder) for texts in (FORGET, OTHERS))
    return Scope(name="hp", classifier=NeighboursClassifier.fit(encoder, *examples, {}), threshold=0.5)


class Late(ContentReader):
    """The same verdicts, each handed over when it is let go."""

    def __init__(self, scopes: Any) -> None:
        super().__init__(scopes)
        self.waiting: list[tuple[Future[bool], Future[bool]]] = []

    def read(self, clause: str, **about: str) -> Future[bool]:
        late: Future[bool] = Future()
        self.waiting.append((super().read(clause, **about), late))
        return late

    def let_go(self) -> None:
        found, late = self.waiting.pop(0)
        late.set_result(found.result())


def read(content: ContentReader, *, waits: bool = False) -> Clauses:
    return Clauses(content, "Say something.", "", lambda letter: chr(letter).encode(), waits=waits)


def letters(*sentences: str) -> list[int]:
    return [ord(letter) for letter in " ".join(sentences)]


def first_hit(clauses: Clauses, tokens: list[int]) -> int | None:
    hits = (clauses.push(token) for token in tokens)
    hit = next((hit for hit in hits if hit is not None), None)
    return clauses.finish() if hit is None else hit


def test_the_first_clause_in_scope_is_found_whenever_the_verdicts_come(scope: Scope) -> None:
    said = letters(CLEAN[0], TOLD, CLEAN[1], TOLD, CLEAN[2])
    place = len(letters(CLEAN[0])) + 1
    assert first_hit(read(ContentReader([scope]), waits=True), said) == place
    for seed in range(20):
        chance, content = random.Random(seed), Late([scope])
        clauses, hit = read(content), None
        for n, token in enumerate(said):
            while content.waiting and (clauses.first <= n + 1 - LONGEST or chance.random() < 0.05):
                content.let_go()
            hit = clauses.push(token)
            assert clauses.first <= place, seed
            if hit is not None:
                break
        if hit is None:
            while content.waiting:
                content.let_go()
            hit = clauses.settle()
        assert hit == place, seed


def test_the_model_goes_on_while_a_clause_is_read_and_no_token_is_held_beyond_the_bound(scope: Scope) -> None:
    content = Late([scope])
    clauses, said = read(content), letters(CLEAN[0], CLEAN[1])
    for token in said:
        assert clauses.push(token) is None
    assert len(content.waiting) == 1
    assert clauses.first == 0
    content.let_go()
    assert clauses.first == len(letters(CLEAN[0])) + 1

    clauses, said = read(content), letters(*CLEAN)[: LONGEST + 1]
    pushed = threading.Event()

    def push_all() -> None:
        for token in said:
            clauses.push(token)
        pushed.set()

    content.waiting.clear()
    worker = threading.Thread(target=push_all)
    worker.start()
    assert not pushed.wait(0.3)  # the token after the last one that may be held
    while not pushed.wait(0.01):
        if content.waiting:
            content.let_go()
    worker.join()


def test_a_text_without_an_end_of_a_clause_is_read_all_the_same(scope: Scope) -> None:
    said = [ord("x")] * (LONGEST - 1)
    clauses = read(ContentReader([scope]), waits=True)
    assert [clauses.push(token) for token in said] == [None] * len(said)
    assert clauses.first == 0
    clauses.push(ord("x"))
    assert clauses.first == LONGEST


def test_what_cannot_be_read_stops_the_answer(scope: Scope) -> None:
    class Broken:
        name = "broken"

        def encode(self, texts: Any) -> Any:
            raise OSError("the disk is gone")

    classifier = NeighboursClassifier(Broken(), scope.classifier.forget, scope.classifier.negatives)  # type: ignore[attr-defined]
    clauses = read(ContentReader([Scope(name="hp", classifier=classifier, threshold=0.5)]))
    with pytest.raises(DetectionError):
        first_hit(clauses, letters(*CLEAN))


def test_a_clause_whose_reading_failed_is_read_again(scope: Scope) -> None:
    class Flaky:
        name = "flaky"
        fails = True

        def encode(self, texts: Any) -> Any:
            if self.fails:
                raise OSError("the disk is gone")
            return sentence_encoder().encode(texts)

    encoder = Flaky()
    classifier = NeighboursClassifier(encoder, scope.classifier.forget, scope.classifier.negatives)  # type: ignore[attr-defined]
    content = ContentReader([Scope(name="hp", classifier=classifier, threshold=0.5)])
    with pytest.raises(DetectionError):
        content.read(TOLD).result()
    encoder.fails = False
    assert content.read(TOLD).result()
    assert content.read(TOLD) is content.read(TOLD)
