// Until another page answers, Streamlit sends every change of a component to the page it was on,
// which calls that page back: a click on a link was lost when a graph told, a moment later, where
// it had come to rest. So once a link is pressed nothing is told, until the other page is there or
// the user acts elsewhere.

const leaving = (globalThis.ramielLeaving ??= watchLinks());

function watchLinks() {
  const found = { from: null }; // path of the page that is being left
  const look = ({ target }) => {
    found.from = target.closest("[data-testid=stPageLink]") ? location.pathname : null;
  };
  // From the press on: what a page draws anew before the release gets no click.
  for (const event of ["pointerdown", "pointerup", "click"]) document.addEventListener(event, look, true);
  document.addEventListener("keydown", () => { found.from = null; }, true); // Enter on a link clicks it
  return found;
}

function unlessLeaving(tell) {
  return (...told) => {
    if (leaving.from === location.pathname) return;
    leaving.from = null;
    tell(...told);
  };
}
