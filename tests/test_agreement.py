"""How outputs are compared: every bit, every kind of tensor, any nesting."""

from __future__ import annotations

import pytest
import torch

from ramiel_core.agreement import agreement, largest_difference, same_bits

NAN = float("nan")
TENSORS = {
    "float": torch.tensor([1.0, -2.0]),
    "bfloat16": torch.tensor([1.0, 2.0], dtype=torch.bfloat16),
    "double": torch.tensor([[1.0]], dtype=torch.float64),
    "integer": torch.tensor([1, -9]),
    "byte": torch.tensor([1, 9], dtype=torch.uint8),
    "boolean": torch.tensor([True, False]),
    "scalar": torch.tensor(3.0),
    "empty": torch.empty(0, 3),
    "strided": torch.arange(12.0).reshape(3, 4).T[::2],
    "not a number": torch.tensor([NAN, 1.0]),
    "infinite": torch.tensor([float("inf"), 1.0]),
    "complex": torch.tensor([1 + 2j]),
}


@pytest.mark.parametrize("kind", TENSORS)
def test_a_tensor_equals_its_copy_and_differs_from_it_by_nothing(kind: str):
    tensor = TENSORS[kind]

    assert same_bits(tensor, tensor.clone())
    if kind not in ("not a number", "infinite"):
        assert largest_difference(tensor, tensor.clone()) == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (torch.tensor([1.0]), torch.tensor([1.0000001])),
        (torch.tensor([0.0]), torch.tensor([-0.0])),
        (torch.tensor([1.0]), torch.tensor([1.0], dtype=torch.float64)),
        (torch.tensor([1.0]), torch.tensor([[1.0]])),
        (torch.tensor([1.0]), [torch.tensor([1.0])]),
        ((torch.tensor([1.0]),), [torch.tensor([1.0])]),
        ({"a": torch.tensor([1.0])}, {"b": torch.tensor([1.0])}),
        ([torch.tensor([1.0]), 1], [torch.tensor([1.0]), 2]),
        ([torch.tensor([1.0]), None], [torch.tensor([1.0]), 0]),
        (torch.tensor([True]), torch.tensor([False])),
    ],
)
def test_what_differs_in_one_bit_type_shape_or_nesting_is_not_equal(one, other):
    assert not same_bits(one, other)


def test_the_largest_difference_is_a_share_of_the_largest_value():
    one = {"a": torch.tensor([1.0, 10.0]), "b": torch.zeros(2)}
    other = {"a": torch.tensor([1.0, 9.0]), "b": torch.zeros(2)}

    assert largest_difference(other, one) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (torch.zeros(0), torch.ones(3)),  # nothing where something was wanted
        (torch.zeros(3), torch.zeros(1, 3)),
        (torch.tensor([1.0, NAN]), torch.tensor([1.0, 2.0])),
        (torch.tensor([1.0]), torch.tensor([1.0 + 1j])),
    ],
)
def test_what_is_no_number_or_of_another_shape_is_within_no_tolerance(found, wanted):
    assert agreement(found, wanted, tolerance=0.5)[0] is False
