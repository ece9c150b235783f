"""What was uploaded is found again by the name that `keep` gives it."""

from __future__ import annotations

from ramiel_core.model import uploads
from tests.onnx_files import sound


def test_one_content_under_two_names_is_two_uploads_and_under_one_name_one():
    content = sound()

    one, two, again = (uploads.keep(name, content) for name in ("a.onnx", "b.onnx", "a.onnx"))

    assert one == again != two
    paths = [uploads.path_of(name) for name in (one, two)]
    assert [path and path.read_bytes() for path in paths] == [content, content]
