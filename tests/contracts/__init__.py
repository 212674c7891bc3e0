"""What every part of a kind must hold, written once: subclass the contract and give it the part."""

import pytest

pytest.register_assert_rewrite("contracts.engine_contract")
