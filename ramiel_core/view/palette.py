"""Colours, chosen once: clusters, the critical path, kinds of work.

A cluster's fill is the same in the light and the dark theme, and always stands beside the
cluster's number, so that nothing is told by colour alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

from ramiel_core.ir import BarKind

CRITICAL = "#e11d48"
"""Border and edge of the critical path: 4.7 to 1 on white, 3.9 to 1 on Streamlit's dark ground."""

BARS: Mapping[BarKind, str] = MappingProxyType(
    {"compute": "#4f7df3", "copy": "#e8a33d", "wait": "#98a2b3", "dispatch": "#a56be8"}
)
NO_CLUSTER = "#c4cad4"
ACCENT = "#4f7df3"
MUTED = "#8a94a6"
GRID = "rgba(128, 136, 150, 0.22)"  # seen on white and on black

DARK_TEXT = "#0b0f19"
LIGHT_TEXT = "#ffffff"

# OKLCH: equal lightness looks equally light at every hue, so that no cluster shouts. Red is left
# out, for the critical path. Neighbours in this order lie far apart.
_HUES = (255.0, 70.0, 155.0, 310.0, 195.0, 350.0, 110.0, 285.0)
_RINGS = ((0.79, 0.105), (0.68, 0.11), (0.88, 0.075))  # lightness and chroma of each further round
_STEP = 45.0  # degrees from one hue to the next, on average
_GOLDEN = 0.618034  # later rounds turn by this part of a step, so that hues never repeat


def fill(cluster: int) -> str:
    """Colour of a cluster, ``#rrggbb``; distinct for the first 64 numbers.

    >>> fill(0) != fill(1)
    True
    """
    ring, place = divmod(cluster, len(_HUES))
    lightness, chroma = _RINGS[ring % len(_RINGS)]
    hue = _HUES[place] + _STEP * (ring * _GOLDEN % 1)
    return _hex(_srgb(lightness, chroma, math.radians(hue)))


def text_on(colour: str) -> str:
    """Choose the better readable of dark and light text on a ``#rrggbb`` ground.

    >>> text_on("#ffffff"), text_on("#000000")
    ('#0b0f19', '#ffffff')
    """
    return max((DARK_TEXT, LIGHT_TEXT), key=lambda text: contrast(text, colour))


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two ``#rrggbb`` colours as WCAG 2 defines it: 1 to 21.

    >>> round(contrast("#000000", "#ffffff"), 1)
    21.0
    """
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _srgb(lightness: float, chroma: float, hue: float) -> tuple[float, float, float]:
    """OKLCH to sRGB (B. Ottosson, 2020), clipped to 0..1."""
    a, b = chroma * math.cos(hue), chroma * math.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        _gamma(4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short),
        _gamma(-1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short),
        _gamma(-0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short),
    )


def _gamma(linear: float) -> float:
    value = 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
    return min(1.0, max(0.0, value))


def _hex(rgb: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in rgb)


# Scales leave out the middle lightness, on which neither dark nor light text reaches 4.5 to 1, and
# red, which is the critical path's.
RISING = tuple(
    _hex(_srgb(lightness, chroma, math.radians(hue)))
    for lightness, chroma, hue in (
        (0.95, 0.045, 110),
        (0.88, 0.09, 130),
        (0.79, 0.105, 160),
        (0.69, 0.095, 195),
        (0.5, 0.11, 250),
        (0.41, 0.13, 275),
        (0.33, 0.13, 295),
    )
)
"""From little to much, light to dark."""
DIVERGING = tuple(
    _hex(_srgb(lightness, chroma, math.radians(hue)))
    for lightness, chroma, hue in (
        (0.45, 0.13, 260),
        (0.7, 0.1, 250),
        (0.86, 0.05, 245),
        (0.94, 0.005, 90),
        (0.87, 0.08, 80),
        (0.76, 0.13, 65),
        (0.48, 0.1, 50),
    )
)
"""From far below over equal to far above."""
