""": 10 operators on 2 workers, 21 ms predicted with unit costs.

Written by Ramiel. `w` holds the weights by name; `receive` waits for another
worker's value, `send` hands one over through shared memory, `shared` is the
buffer there of a value that is computed in place.
"""

import torch
import torch.nn.functional as F


def cluster_0(w, receive, send, shared):
    """9 operators, 20 ms of computing."""
    a = torch.stack([torch.ones(2)]).sum(0)
    send("a", a)  # to cluster 1
    b1 = torch.stack([torch.ones(2), a]).sum(0)
    del a
    c1 = torch.stack([torch.ones(2), b1]).sum(0)
    del b1
    d1 = torch.stack([torch.ones(2), c1]).sum(0)
    del c1
    s1 = receive("s1")  # from cluster 1
    add1 = torch.stack([torch.ones(2), d1, s1]).sum(0)
    del d1, s1
    b2 = torch.stack([torch.ones(2), add1]).sum(0)
    c2 = torch.stack([torch.ones(2), b2]).sum(0)
    del b2
    d2 = torch.stack([torch.ones(2), c2]).sum(0)
    del c2
    add2 = torch.stack([torch.ones(2), d2, add1]).sum(0)
    send("add2", add2)  # to the caller
    del add1, d2, add2


def cluster_1(w, receive, send, shared):
    """1 operator, 2 ms of computing."""
    a = receive("a")  # from cluster 0
    s1 = torch.stack([torch.ones(2), a]).sum(0)
    send("s1", s1)  # to cluster 0
    del a, s1


def result(add2):
    """What the model returns, of the values sent to the caller."""
    return add2
