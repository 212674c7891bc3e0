"""What a request says beside its prompt: words that it makes the model say, by a grammar, a schema or a choice.

"Hello." with an answer that must begin with a forget question is that question: the model reads what it has said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from vllm.exceptions import VLLMValidationError

FORMS = ("regex", "grammar", "structural_tag", "whitespace_pattern")
"""Constraints, of which only the letters between their signs can be read."""

FEW = 12
"""Most letters that a set of letters may have to count as a way of spelling."""

SPELLED = 3
"""Sets of few letters from which on a pattern may spell words that cannot be read."""

NOT_SAID = ("description", "title", "$comment", "examples", "default")
"""Keys of a schema whose words nobody has to say."""

_CODE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))")
_PIECE = re.compile(
    r"""\\(?:(?P<kind>[dDwWsSbBnrtfvpP]) | (?P<letter>.))
    | \[(?P<not>\^)?(?P<set>(?:[^\]\\]|\\.)+)\]
    | (?P<either>\((?:\?:)?\w(?:\|\w)+\))
    | \{\d*,?\d*\} | \(\?[:=!<P]* | ::= | (?P<or>\|) | [\[\](){}^$*+?"']""",
    re.VERBOSE | re.DOTALL,
)


def words_of(params: Any) -> str:
    """Everything that the constraints of a request may make the model say; empty without any.

    Args:
        params: vLLM's sampling parameters.

    Raises:
        VLLMValidationError: (400) a constraint spells its words in a way that cannot be read.
    """
    if getattr(params, "trace_decode_token_ids", None) is not None:
        raise VLLMValidationError("Answers that are given cannot be checked.", parameter="trace_decode_token_ids")
    given = getattr(params, "structured_outputs", None)
    if given is None:
        return ""
    parts = [_readable(text) for name in FORMS if (text := getattr(given, name, None))]
    parts += [str(choice) for choice in given.choice or ()]
    schema = given.json
    if isinstance(schema, str):
        try:
            schema = json.loads(schema)
        except ValueError:
            parts.append(schema)
            schema = None
    parts += _strings(schema)
    return "\n".join(parts)


def _strings(value: Any, key: str = "") -> Iterator[str]:
    """All texts of a schema, its keys among them, in order."""
    if isinstance(value, str):
        yield _readable(value) if key == "pattern" else value
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name in NOT_SAID and isinstance(inner, (str, list)):
                continue
            yield _readable(str(name)) if key == "patternProperties" else str(name)
            yield from _strings(inner, str(name))
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _strings(inner)


def _readable(pattern: str) -> str:
    """The letters of a pattern or a grammar, without its signs; alternatives stand on lines of their own."""
    few = 0

    def said(piece: re.Match[str]) -> str:
        nonlocal few
        if piece["set"] and not piece["not"]:
            members = _members(piece["set"])
            if len(members) == 1:
                return members
            few += len(members) <= FEW and any(map(str.isalpha, members))
        few += piece["either"] is not None
        if piece["or"]:
            return "\n"
        return piece["letter"] or (" " if piece["kind"] or piece["set"] or piece["either"] else "")

    words = _PIECE.sub(said, _CODE.sub(lambda code: chr(int(code[1] or code[2], 16)), pattern))
    if few >= SPELLED:
        raise VLLMValidationError(
            "Words that are spelled by sets of letters cannot be checked. Write the letters themselves.",
            parameter="structured_outputs",
        )
    return words


def _members(own: str) -> str:
    """The characters of a set, more than `FEW` of them where they are many."""
    found, signs = "", re.findall(r"\\.|.", own, re.DOTALL)
    while signs:
        first = last = signs.pop(0)
        if len(signs) > 1 and signs[0] == "-":
            last = signs[1]
            del signs[:2]
        if len(first) > 1 and first[1].isalpha():  # a kind of letters
            return "*" * (FEW + 1)
        found += "".join(map(chr, range(ord(first[-1]), min(ord(last[-1]), ord(first[-1]) + FEW) + 1)))
    return found
