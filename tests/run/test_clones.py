"""Workers that repeat operators return the same bits."""

from __future__ import annotations

from tests.run import clones, fresh


def test_clones_return_the_models_own_bits():
    found = fresh.call(clones.outputs)

    assert found["plain"]
    assert found["cloned"]
    assert any(name.startswith(("gelu", "getitem")) for name in found["clones"])
    assert found["in_place"]
    assert not {name.partition("_clone")[0] for name in found["clones"]} & set(found["in_place"])
