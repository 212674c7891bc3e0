"""What was measured by a command before says where it is now."""

from __future__ import annotations

from unlearned.cli.bench.moved import MOVED, moved


def test_each_names_what_was_asked_for_and_what_to_run() -> None:
    for name, command in MOVED.items():
        said = moved(name)
        assert f"`unlearned bench {name}`" in said
        assert said.endswith(f"python -m bench {command}")
        assert "\n" not in said
