"""Every text of every page can be read, in the light and in the dark theme."""

from __future__ import annotations

from pathlib import Path

CONTRAST = Path(__file__).with_name("contrast.js").read_text().partition("\n\n")[2]
LEAST = 4.5  # WCAG 2, level AA
PAGES = (
    "graph?operator=features_3_squeeze&colour=cost&",
    "merging?step=3&",
    "code?workers=2&",
    "benchmark?",
    "what_if?pin=features_0:0&",
)
DRAWN = """() => [...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')]
    .map((host) => host.shadowRoot)
    .every((root) => !root?.querySelector('.legend, .lines')
        || root.querySelector('.legend button, .line, .tracks .compute'))"""  # components come after the script has ended
THEME = """(theme) => theme === getComputedStyle(
    document.querySelector('[data-testid=stApp]')).colorScheme"""
STILL = """() => [document, ...[...document.querySelectorAll('*')].flatMap(({ shadowRoot }) => shadowRoot ?? [])]
    .flatMap((root) => root.getAnimations())
    .every(({ playState, effect }) => playState !== "running"
        || effect.getComputedTiming().endTime === Infinity)"""  # colours that fade are read at their end


def test_text_stands_out_from_its_ground(page):
    short = {}
    for path in PAGES:
        page.emulate_media(color_scheme="light")
        page.goto(f"/{path}model=squeezenet1_0")
        page.locator("h1").wait_for()
        page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
        page.wait_for_function(DRAWN)
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            page.wait_for_function(THEME, arg=theme)
            page.wait_for_function(STILL)
            short[path, theme] = page.evaluate(CONTRAST, LEAST)

    assert short == {key: [] for key in short}
