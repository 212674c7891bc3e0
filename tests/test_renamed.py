"""Old public names work for one release, and say what to write instead."""

from __future__ import annotations

import importlib

import pytest

from tests.cases import every

OLD = {
    "unlearned:Generation": "unlearned:Answer",
    **{f"unlearned.stages:{name}": f"unlearned.types:{name}" for name in ("Prompt", "Verdict", "text_only")},
}
"""Module and name of before -> those of today."""


@every("old, new", OLD.items())
def test_an_old_public_name_works_and_names_the_new_one(old: str, new: str) -> None:
    (old_module, _, old_name), (module, _, name) = old.partition(":"), new.partition(":")
    with pytest.warns(DeprecationWarning, match=rf"{module}\b.*old name goes with the next minor release"):
        found = getattr(importlib.import_module(old_module), old_name)
    assert found is getattr(importlib.import_module(module), name)


@every("module", sorted({old.partition(":")[0] for old in OLD}))
def test_a_module_with_old_names_has_no_others(module: str) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'no_such_name'"):
        _ = importlib.import_module(module).no_such_name
