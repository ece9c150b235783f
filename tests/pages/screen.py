"""What AppTest has no accessor for: our own HTML, metrics by their label."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET


def texts(app):
    """Everything that a page shows as our own HTML, its style sheet left out."""
    bodies = (element.proto.body for element in app.get("html"))
    return "\n".join(body for body in bodies if not body.startswith("<style"))


def tables(app):
    """Rows of our own tables, each by the headings of its columns."""
    bodies = [e.proto.body for e in app.get("html") if "<table>" in e.proto.body]
    return [_rows(ET.fromstring(body)) for body in bodies]


def _rows(table):
    lines = [["".join(cell.itertext()) for cell in line] for line in table.iter("tr")]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


def metrics(app):
    """Values by label."""
    return {metric.label: metric.value for metric in app.metric}


def button(app, label):
    """The button with this label."""
    return next(found for found in app.button if found.label == label)


def parts(app):
    """Data of our own components, by the component's name."""
    found = {}
    for element in app.get("bidi_component"):
        if element.proto.json:
            sent = json.loads(element.proto.json)
            found.setdefault(element.proto.component_name, []).append(sent)
    return found


def program(app):
    """The program that the Code page shows."""
    (listing,) = parts(app)["ramiel_shelf"]
    return "\n".join("".join(line[2::2]) for line in listing["value"]["lines"])
