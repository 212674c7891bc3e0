"""Keys are read, told apart and compared as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from unlearned.errors import ConfigError
from unlearned.server.keys import Access, Key, Keys


def test_keys_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    import hmac

    compared = []
    own = hmac.compare_digest
    monkeypatch.setattr("hmac.compare_digest", lambda a, b: (compared.append((a, b)), own(a, b))[1])
    keys = Keys(("one", "two"), ("three",))
    for given in ("Bearer one", "Bearer x", None):
        compared.clear()
        keys.access(given)
        assert len(compared) == 3  # never fewer because one matched
        assert all(len(a) == len(b) == 32 for a, b in compared)


def test_a_key_is_known_by_its_label_and_an_administrators_is_good_for_everything() -> None:
    keys = Keys(("anna:one", "two"), ("three", Key("root", "four:five")))
    for given, expected in (
        ("Bearer one", (Access.CLIENT, "anna")),
        ("bearer   two ", (Access.CLIENT, "client-2")),
        ("BEARER three", (Access.ADMIN, "admin-1")),
        ("Bearer four:five", (Access.ADMIN, "root")),
        ("Bearer anna:one", (Access.NONE, None)),
        ("Basic one", (Access.NONE, None)),
        ("one", (Access.NONE, None)),
        ("Bearer", (Access.NONE, None)),
        ("Bearer \udcff", (Access.NONE, None)),
        (None, (Access.NONE, None)),
    ):
        assert keys.holder(given) == expected, given
    assert keys.any
    assert not Keys().any
    assert Keys().access("Bearer ") is Access.NONE


def test_labels_and_keys_are_there_once_and_secrets_are_not_shown() -> None:
    for client, admin in ((["a:x", "a:y"], []), (["a:x"], ["a:y"]), (["same"], ["same"]), (["a:x", "b:x"], [])):
        with pytest.raises(ConfigError):
            Keys(client, admin)
    assert "secret" not in repr(Keys(("secret",), (Key("a", "secret2"),)))
    assert "secret" not in repr(Key("a", "secret"))


def test_key_files_hold_a_key_a_line_and_remarks(tmp_path: Path) -> None:
    (tmp_path / "keys").write_bytes("\ufeff# ours\r\n\r\nanna: one\r\n two\r\n".encode())
    keys = Keys.from_files(tmp_path / "keys", None)
    assert [keys.holder(f"Bearer {key}")[1] for key in ("one", "two")] == ["anna", "client-2"]
    assert keys.admin == ()


@pytest.mark.parametrize("text", ["", "# only\n", "a key\n", "ключ\n", "anna:\n", ":one\n", "one\nx y: two\n"])
def test_lines_that_are_no_keys_are_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        Keys.from_files(tmp_path / "keys", None)
    assert "keys" in str(refused.value)
    for secret in ("a key", "ключ", "two"):
        assert secret not in str(refused.value)


def test_a_file_that_is_not_there_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="none"):
        Keys.from_files(tmp_path / "none", None)
