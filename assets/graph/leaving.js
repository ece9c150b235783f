// Until another page answers, Streamlit sends every change of a component to the page it was on,
// which calls that page back: a click on a link was lost when a graph told, a moment later, where
// it had come to rest. So once a link is clicked nothing is told, until the user acts again.

const leaving = (globalThis.ramielLeaving ??= watchLinks());

function watchLinks() {
  const found = { now: false };
  const stays = () => { found.now = false; };
  document.addEventListener("pointerdown", stays, true);
  document.addEventListener("keydown", stays, true);
  document.addEventListener("click", ({ target }) => {
    if (target.closest("[data-testid=stPageLink]")) found.now = true;
  }, true);
  return found;
}

function unlessLeaving(tell) {
  return (...told) => { if (!leaving.now) tell(...told); };
}
