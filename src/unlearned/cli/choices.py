"""Names that options take, known without importing what they name: a slip of the pen costs no seconds."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence

from unlearned.errors import ConfigError, UnknownNameError

CLASSIFIERS = ("kernel", "neighbours", "logistic", "encoder")
CALIBRATIONS = ("errors", "fpr", "conformal")
OTHER_LANGUAGES = ("pass", "corrupt")
ANSWERS = ("off", "names", "names+quotes", "names+quotes+content")
SIDES = ("left", "right", "middle")
CORRUPTIONS = (
    "rand_noise_first_n", "rand_noise_rand_n", "rand_noise_top_k", "set_rand_noise_first_n", "zero_out_first_n",
    "zero_out_top_k", "flip_sign_first_n", "flip_sign_top_k", "add_value_first_n", "sub_value_first_n",
    "add_value_least_k", "sub_value_top_k", "shuffle", "reverse_order", "semantic", "adversarial",
    "entity_substitution", "auto", "best",
)  # fmt: skip
UNITS = ("embedding_std", "absolute")
OBJECTIVES = ("facts", "likelihood", "truth_ratio", "accuracy", "rouge", "refusal")
SURROGATES = ("unrelated", "invented")
OPTIMISERS = ("bracketing", "finite_difference", "tpe")
SELECTORS = ("spans", "attribution", "entities", "all_but_last")
DTYPES = ("auto", "float32", "float16", "bfloat16")
ENGINES = ("transformers", "vllm")


def check_name(kind: str, name: str, names: Sequence[str]) -> None:
    """Raise `UnknownNameError`, with the nearest name, for one that is none of these."""
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise UnknownNameError(f"Unknown {kind} {name!r}.{hint} Known: {', '.join(names)}.")


def one_of(kind: str, names: Sequence[str]) -> Callable[[str | None], str | None]:
    """An option's callback: the value, if it is one of the names."""

    def callback(value: str | None) -> str | None:
        if value is not None:
            check_name(kind, value, names)
        return value

    return callback


def several_of(kind: str, names: Sequence[str]) -> Callable[[str | None], str | None]:
    """The same for names that are separated by commas."""

    def callback(value: str | None) -> str | None:
        if value is None:
            return None
        given = [name.strip() for name in value.split(",") if name.strip()]
        if not given:
            raise ConfigError(f"Give at least one {kind}: {', '.join(names)}.")
        for name in given:
            check_name(kind, name, names)
        return value

    return callback


def surrogate(value: str) -> str:
    """Of `--surrogate`: a name or a number."""
    try:
        float(value)
    except ValueError:
        check_name("surrogate", value, SURROGATES)
    return value


def menu(names: Sequence[str]) -> str:
    """As the help shows them."""
    return "|".join(names)
