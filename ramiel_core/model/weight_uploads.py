"""Files of weights that users uploaded or name: stored, and found again."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ramiel_core.cache import write_whole
from ramiel_core.errors import ModelError
from ramiel_core.model.kept import DIGITS, Uploads, plain
from ramiel_core.model.kinds import is_readable
from ramiel_core.model.state_dict import short

UPLOADS = Uploads("weights", 5)


def located(text: str, *, uploaded_only: bool = False) -> Path:
    """Where the file lies that a job or an address names.

    Parameters
    ----------
    text : str
        A path, or what `keep` returned.
    uploaded_only : bool
        For addresses, which must not read whatever lies on the host.

    Raises
    ------
    ModelError
        Where it is not there, or no longer.
    """
    uploaded = UPLOADS.path_of(text)
    if uploaded is not None:
        if not is_readable(uploaded):
            raise ModelError(
                f"the uploaded weights {short(uploaded.name)} are no longer here; upload them "
                f"again on the page Model."
            )
        return uploaded
    if uploaded_only:
        raise ModelError(
            f"the address names the weights {short(text)!r}; pages load uploaded ones only, so "
            f"upload them on the page Model."
        )
    path = Path(text)
    if not is_readable(path):
        raise ModelError(
            f"there is no file of weights {text[-80:]!r} that can be read; check its path."
        )
    return path.absolute()


def keep(name: str, content: bytes | memoryview) -> str:
    """Store uploaded weights by their content; returns the name under which they are found."""
    folder = UPLOADS.folder / hashlib.sha256(content).hexdigest()[:DIGITS]
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / plain(Path(name).name, "weights.pth")
    write_whole(path, content)
    folder.touch()
    UPLOADS.forget_old()
    return UPLOADS.name_of(path)
