// What every component does with what Python sends: wait until all of it is on the shelf, then hand
// it to a view, which outlives reruns on its element, and with it zoom, position and search.

const LEAST = 480; // px, the height of what has one

function shownBy(View, selector, keysOf) {
  return ({ parentElement, data, setStateValue }) => {
    const root = parentElement.querySelector(selector);
    const run = (root.run = {});
    root.since ??= performance.now(); // read by benchmarks/graph_page.py
    if (data.height) root.style.height = `min(${data.height}px, max(${LEAST}px, 100vh - 14rem))`; // in the window
    Promise.all(keysOf(data).map(get)).then((things) => {
      if (root.run !== run) return; // a newer one came meanwhile
      root.view ??= new View(root, things);
      root.view.tell = unlessLeaving(setStateValue);
      root.view.show(data, things);
    });
    // Streamlit ends a run when its element is gone, and also one that newer data has overtaken,
    // before or after the newer run begins: that must not take away what stays in the page.
    return () => {
      if (root.isConnected) return;
      root.run = null;
      root.view?.close();
      root.view = null;
    };
  };
}
