from __future__ import annotations

import numpy as np

from unlearned.metrics.recitation import Recited, words


def test_the_longest_run_of_words_is_found_anywhere_but_not_across_texts() -> None:
    texts = ["It ate the mayor's hat. Nobody laughed.", "The bell was silent"]
    recited = Recited(texts)
    assert recited.longest_run("And then it ate the MAYOR’S hat") == 5
    assert recited.longest_run("nobody laughed the bell was silent") == 4
    assert recited.longest_run("other words") == 0
    assert recited.longest_run("") == 0
    assert words("It's 3 o'clock — “now”!") == ["it's", "3", "o'clock", "now"]


def test_the_longest_run_is_that_of_the_naive_search() -> None:
    generator = np.random.default_rng(0)
    for _ in range(20):
        text, generated = ([str(n) for n in generator.integers(3, size=size)] for size in (40, 15))
        runs = [
            length
            for length in range(1, 16)
            for i in range(16 - length)
            for j in range(41 - length)
            if generated[i : i + length] == text[j : j + length]
        ]
        assert Recited([" ".join(text)]).longest_run(" ".join(generated)) == max(runs, default=0)
