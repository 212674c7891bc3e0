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


def test_a_file_without_a_key_is_refused(tmp_path: Path) -> None:
    for text in ("", "\n\n", "# only a remark\n"):
        (tmp_path / "keys").write_text(text)
        with pytest.raises(ConfigError, match="keys holds no key"):
            Keys.from_files(tmp_path / "keys", None)


def test_a_file_that_is_not_there_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="none"):
        Keys.from_files(tmp_path / "none", None)


def test_labels_of_keys(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("# ours\nanna: sk-1\nsk:with:colons\nplain\n")
    keys = Keys.from_files(None, tmp_path / "keys")
    assert keys.holder("Bearer sk-1") == (Access.ADMIN, "anna")
    assert keys.holder("Bearer with:colons") == (Access.ADMIN, "sk")
    assert keys.holder("Bearer plain") == (Access.ADMIN, "admin-3")
    assert keys.holder("Bearer anna: sk-1") == (Access.NONE, None)
    assert "sk-1" not in repr(keys)
    assert "sk-1" not in repr(keys.admin)
    with pytest.raises(ConfigError, match="'anna'"):
        Keys(("anna:x",), ("anna:y",))


def test_one_key_cannot_be_two_peoples_or_of_two_kinds() -> None:
    for client, admin in ((("anna:x", "bert:x"), ()), (("x",), ("anna:x",))):
        with pytest.raises(ConfigError, match="are the same key"):
            Keys(client, admin)


@pytest.mark.parametrize(
    "line",
    [
        "anna:",
        ":sk-1",
        "anna : sk-1",
        "Anna Berg:sk-1",
        "Bearer sk-1",
        "anna\tsk-1",
        "anna:sk-1 # her laptop",
        "anna:schlüssel",
    ],
)
def test_a_line_that_no_client_could_send_is_named_by_its_number_and_not_shown(tmp_path: Path, line: str) -> None:
    (tmp_path / "keys").write_text(f"# keys\nanna:sk-0\n{line}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"keys, line 3: no key") as refused:
        Keys.from_files(None, tmp_path / "keys")
    assert "sk-1" not in str(refused.value)
