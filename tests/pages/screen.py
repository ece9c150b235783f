"""What AppTest has no accessor for: our own HTML, metrics by their label."""

from __future__ import annotations


def texts(app):
    """Everything that a page shows as our own HTML, its style sheet left out."""
    bodies = (element.proto.body for element in app.get("html"))
    return "\n".join(body for body in bodies if not body.startswith("<style"))


def metrics(app):
    """Values by label."""
    return {metric.label: metric.value for metric in app.metric}


def button(app, label):
    """The button with this label."""
    return next(found for found in app.button if found.label == label)
