""": 6 operators on 2 workers, 9 ms predicted with unit costs.

Written by Ramiel. `w` holds the weights by name; `receive` waits for another
worker's value, `send` hands one over through shared memory, `shared` is the
buffer there of a value that is computed in place.
"""

import torch
import torch.nn.functional as F


def cluster_0(w, receive, send, shared):
    """3 operators, 9 ms of computing."""
    a = torch.stack([torch.ones(2)]).sum(0)
    b = torch.stack([torch.ones(2), a]).sum(0)
    del a
    c = torch.stack([torch.ones(2), b]).sum(0)
    send("c", c)  # to the caller
    del b, c


def cluster_1(w, receive, send, shared):
    """3 operators, 6 ms of computing."""
    d = torch.stack([torch.ones(2)]).sum(0)
    e = torch.stack([torch.ones(2), d]).sum(0)
    del d
    f = torch.stack([torch.ones(2), e]).sum(0)
    send("f", f)  # to the caller
    del e, f


def result(c, f):
    """What the model returns, of the values sent to the caller."""
    return c, f
