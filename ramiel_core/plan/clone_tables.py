"""Numbered operators and their clones: who runs them, in which order, and what could be cloned."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ramiel_core.ir import Graph, OpNode, Plan
from ramiel_core.plan.distance import distance_to_end
from ramiel_core.plan.renamed import reading
from ramiel_core.plan.tables import Tables


@dataclass(frozen=True)
class CloneTables:
    """Numbered operators with their workers and the order in which they run; clones come last."""

    tables: Tables
    repeatable: tuple[bool, ...]
    returned: frozenset[int]  # read by whoever called the model
    worker_of: tuple[int, ...]
    order: tuple[int, ...]
    originals: tuple[int, ...] = ()  # of the clones, which are numbered on from the operators

    @classmethod
    def of(cls, graph: Graph, plan: Plan) -> CloneTables:
        """Number the operators of a plan that has no clones yet."""
        tables = Tables.of(graph, distance_to_end(graph))
        number = {name: v for v, name in enumerate(tables.names)}
        worker_of = plan.worker_of()
        return cls(
            tables,
            tuple(graph[name].repeatable for name in tables.names),
            frozenset(number[name] for name in graph.outputs if name in number),
            tuple(worker_of[name] for name in tables.names),
            _joint_order(tables, [[number[n] for n in names] for names in plan.clusters]),
        )

    def makespan_ms(self, workers: int) -> float:
        """What is predicted of it."""
        return self.tables.makespan_ms(self.worker_of, workers, self.order)

    def crossings(self) -> Iterator[tuple[int, list[int]]]:
        """Each value that leaves its worker, and the workers that read it; as the plan runs."""
        for value in self.order:
            readers = {self.worker_of[r] for r in self.tables.consumers[value]}
            if elsewhere := sorted(readers - {self.worker_of[value]}):
                yield value, elsewhere

    def steps(self, value: int, workers: Sequence[int], sends: float) -> Iterator[CloneTables]:
        """Ways to do without some crossings of this value, all of them worth a prediction.

        One may cost as much as `sends` sends of the value.
        """
        for worker in workers:
            alone, together = (value,), tuple(sorted(self._missing(value, worker)))
            for values in (alone, together) if alone != together else (alone,):
                if self._is_cheap(values, value, sends) and self._is_read_beside(value, [worker]):
                    yield self._with_clones(values, value, worker)
        several = len(workers) > 1 and self._is_cheap((value,), value, sends)
        if several and self._is_read_beside(value, workers):
            placed = self
            for worker in workers:
                placed = placed._with_clones((value,), value, worker)
            yield placed

    def _is_cheap(self, values: Sequence[int], value: int, sends: float) -> bool:
        cost_ms = sum(self.tables.cost_ms[v] for v in values)
        within = cost_ms <= sends * self.tables.send_ms[value]
        return within and all(self.repeatable[v] for v in values)

    def _is_read_beside(self, value: int, workers: Sequence[int]) -> bool:
        """Whether these workers read a value, and somebody else does so, too."""
        readers = {self.worker_of[r] for r in self.tables.consumers[value]}
        others = readers.difference(workers) or value in self.returned
        return readers.issuperset(workers) and bool(others)

    def _missing(self, value: int, worker: int) -> set[int]:
        """The operator of `value`, and all that it depends on and `worker` does not have."""
        missing, todo = set(), [value]
        while todo:
            v = todo.pop()
            if v not in missing:
                missing.add(v)
                todo += [p for p in self._reads(v) if not self._has(worker, p)]
        return missing

    def _reads(self, value: int) -> Iterator[int]:
        """What an operator reads, of the originals: a clone serves its own worker only."""
        first = len(self.tables.names) - len(self.originals)
        for p in self.tables.producers[value]:
            yield p if p < first else self.originals[p - first]

    def _has(self, worker: int, value: int) -> bool:
        here = self._clone_at(worker, value) is not None
        readers = self.tables.consumers[value]
        return here or worker in (self.worker_of[v] for v in (value, *readers))

    def _clone_at(self, worker: int, value: int) -> int | None:
        first = len(self.tables.names) - len(self.originals)
        of_it = (first + i for i, v in enumerate(self.originals) if v == value)
        return next((v for v in of_it if self.worker_of[v] == worker), None)

    def _with_clones(self, values: Sequence[int], value: int, worker: int) -> CloneTables:
        """Operators `values` repeated by `worker`, whose readers of `value` read the clone."""
        t, count = self.tables, len(self.tables.names)
        number = {v: count + i for i, v in enumerate(values)}
        known = {v: c for v in set(self.originals) if (c := self._clone_at(worker, v)) is not None}
        producers, consumers = [*t.producers], [list(readers) for readers in t.consumers]
        moved = [r for r in consumers[value] if self.worker_of[r] == worker]
        for reader in moved:
            producers[reader] = tuple(number[value] if p == value else p for p in producers[reader])
        consumers[value] = [r for r in consumers[value] if r not in moved]
        consumers += [[] for _ in values]
        consumers[number[value]] = moved
        for v in values:
            reads = tuple(number.get(p, known.get(p, p)) for p in self._reads(v))
            producers.append(reads)
            for p in reads:
                consumers[p].append(number[v])
        tables = replace(
            t,
            names=(*t.names, *(t.names[v] for v in values)),
            cost_ms=(*t.cost_ms, *(t.cost_ms[v] for v in values)),
            send_ms=(*t.send_ms, *(t.send_ms[v] for v in values)),
            fetch_ms=(*t.fetch_ms, *(t.fetch_ms[v] for v in values)),
            producers=tuple(producers),
            consumers=tuple(map(tuple, consumers)),
        )
        at = min(self.order.index(r) for r in moved)  # as late as possible: nobody else needs it
        inserted = sorted(number.values(), key=lambda c: self.order.index(values[c - count]))
        return replace(
            self,
            tables=tables,
            repeatable=(*self.repeatable, *(False for _ in values)),
            worker_of=(*self.worker_of, *(worker for _ in values)),
            order=(*self.order[:at], *inserted, *self.order[at:]),
            originals=(*self.originals, *values),
        )

    def names(self) -> tuple[str, ...]:
        """Of all operators, the clones' own ones among them."""
        first = len(self.tables.names) - len(self.originals)
        found = list(self.tables.names[:first])
        taken = set(found)
        for original in self.originals:
            made, i = "", 0
            while not made or made in taken:
                i += 1
                made = f"{found[original]}_clone{i}"
            taken.add(made)
            found.append(made)
        return tuple(found)

    def clusters(self, workers: int) -> tuple[tuple[str, ...], ...]:
        """Names by worker, in run order."""
        names = self.names()
        mine = ([v for v in self.order if self.worker_of[v] == k] for k in range(workers))
        return tuple(tuple(names[v] for v in cluster) for cluster in mine)

    def graph(self, graph: Graph) -> Graph:
        """`graph` with the clones behind their originals, and read instead of them."""
        names = self.names()
        first = len(names) - len(self.originals)
        copies: dict[str, list[int]] = {}
        for i, original in enumerate(self.originals):
            copies.setdefault(names[original], []).append(first + i)
        number = {name: v for v, name in enumerate(names)}
        nodes: list[OpNode] = []
        for node in graph.nodes:
            for v in (number[node.name], *copies.get(node.name, ())):
                here = self.tables.producers[v]
                reads = {names[self.originals[p - first]]: names[p] for p in here if p >= first}
                nodes.append(reading(node, reads, names[v]))
        return replace(graph, nodes=tuple(nodes))


def _joint_order(tables: Tables, clusters: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """One topological order in which every cluster keeps its own."""
    left = [deque(cluster) for cluster in clusters]
    done: set[int] = set()
    order: list[int] = []
    while any(left):
        for queue in left:
            while queue and done.issuperset(tables.producers[queue[0]]):
                done.add(queue[0])
                order.append(queue.popleft())
    return tuple(order)
