"""Every exception Ramiel raises on purpose: what happened, where, and what to do.

Each takes one string, so that it pickles on its way from a worker. Wrap a cause with
``raise ... from cause``.
"""


class RamielError(Exception):
    """Something a user can act on; its text is one sentence or two, fit to be shown as it is."""


class ModelError(RamielError):
    """A model is unknown, or cannot be turned into an operator graph."""


class UnsupportedError(ModelError):
    """A model file is sound as far as it was read, but uses what Ramiel does not import."""


class GraphError(RamielError):
    """An operator graph contradicts itself: a cycle, a missing producer, a negative cost."""


class PlanError(RamielError):
    """A plan does not fit its graph, or was asked for with impossible settings."""


class ProgramError(RamielError):
    """An emitted program does not fit its plan, or does not compile."""


class RunError(RamielError):
    """A run failed: an operator raised, a limit passed, a job broke off."""


class WorkerDiedError(RunError):
    """A worker process ended before its cluster did."""


def first_line(error: BaseException) -> str:
    """What a foreign error says first, as part of a sentence; its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def keeps_state(model: str, kept: str) -> ModelError:
    """That a model writes over something of its own while it runs, and what to do."""
    return ModelError(
        f"{model} writes over its own {kept!r} when it runs, so that each inference depends on "
        f"those before it, which workers cannot repeat; take what it keeps as an input and return "
        f"it anew."
    )
