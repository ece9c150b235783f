"""Branches forked by hand compute what torchvision's modules compute."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models.googlenet import Inception
from torchvision.models.inception import InceptionA, InceptionB, InceptionC, InceptionD, InceptionE

from benchmarks.forked_branches import BRANCHES, fork_branches

SMALL = {
    Inception: (8, 4, 4, 4, 4, 4, 4),
    InceptionA: (8, 4),
    InceptionB: (8,),
    InceptionC: (8, 4),
    InceptionD: (8,),
    InceptionE: (8,),
}


def test_every_module_with_branches_is_tried_here():
    assert SMALL.keys() == BRANCHES.keys()


@pytest.mark.parametrize("kind", SMALL, ids=lambda kind: kind.__name__)
def test_a_module_computes_the_same_with_its_branches_forked(kind: type[nn.Module]):
    torch.manual_seed(0)
    module, x = nn.Sequential(kind(*SMALL[kind])).eval(), torch.randn(1, 8, 9, 9)
    with torch.no_grad():
        wanted = module(x)
        forked = fork_branches(module)
        found = forked(x)

    assert str(forked[0].graph).count("prim::fork") >= 2
    torch.testing.assert_close(found, wanted)


def test_a_model_without_such_modules_says_so():
    with pytest.raises(RuntimeError, match="no branches by hand"):
        fork_branches(nn.Sequential(nn.ReLU()))
