"""`python -m ramiel_core`: the same engine as the app's, for a shell."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ramiel_core.errors import ModelError, PlanError, RamielError
from ramiel_core.shell.arguments import BAD_INPUT, parser
from ramiel_core.shell.commands import FAILED

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code: 0, 1 for a failed run, 2 for bad input."""
    options = parser().parse_args(arguments)
    try:
        code: int = options.command(options)
    except (ModelError, PlanError) as error:
        print(f"ramiel: {error}", file=sys.stderr)
        return BAD_INPUT
    except RamielError as error:
        print(f"ramiel: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("ramiel: cancelled; its workers have ended.", file=sys.stderr)
        return 130
    return code


if __name__ == "__main__":
    sys.exit(main())
