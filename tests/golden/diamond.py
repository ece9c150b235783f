""": 4 operators on 2 workers, 7 ms predicted with unit costs.

Written by Ramiel. `w` holds the weights by name; `receive` waits for another
worker's value, `send` hands one over through shared memory, `shared` is the
buffer there of a value that is computed in place.
"""

import torch
import torch.nn.functional as F


def cluster_0(w, receive, send, shared):
    """3 operators, 7 ms of computing."""
    a = torch.stack([torch.ones(2)]).sum(0)
    send("a", a)  # to cluster 1
    b = torch.stack([torch.ones(2), a]).sum(0)
    del a
    c = receive("c")  # from cluster 1
    d = torch.stack([torch.ones(2), b, c]).sum(0)
    send("d", d)  # to the caller
    del b, c, d


def cluster_1(w, receive, send, shared):
    """1 operator, 2 ms of computing."""
    a = receive("a")  # from cluster 0
    c = torch.stack([torch.ones(2), a]).sum(0)
    send("c", c)  # to cluster 0
    del a, c


def result(d):
    """What the model returns, of the values sent to the caller."""
    return d
