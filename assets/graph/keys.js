// The keyboard, and its list that `?` shows. Streamlit has keys of its own ("r" reruns the page),
// so what is used here goes no further.

const KEYS = [
  ["/", "Find operators", (view) => view.search.input.focus()],
  ["f", "Fit: the whole graph", (view) => view.camera.fit()],
  ["+", "Zoom in", (view) => view.camera.in()],
  ["-", "Zoom out", (view) => view.camera.out()],
  ["n", "Next operator on the critical path", (view) => view.choice.along(1)],
  ["p", "Previous operator on the critical path", (view) => view.choice.along(-1)],
  ["e", "Next edge of the chosen operator", (view) => view.choice.nextEdge()],
  ["j", "Jump to the far end of that edge; again: back", (view) => view.choice.jump()],
  ["x", "Expand or collapse the chosen group", (view) => view.groups.toggle()],
  ["c", "Next way of colouring", (view) => view.colours.next()],
  ["Escape", "Let go of search and choice", (view) => view.letGo()],
  ["?", "This list", (view) => view.help()],
];
const PLAYER_KEYS = [
  [" ", "Play or pause", (view) => view.player.toggle()],
  [",", "Step back", (view) => view.player.go(view.player.frame - 1)],
  [".", "Step on", (view) => view.player.go(view.player.frame + 1)],
];
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const NAMES = { " ": "Space", Escape: "Esc" };

function keysOf(view) {
  return view.player ? [...KEYS, ...PLAYER_KEYS] : KEYS;
}

function onKey(view, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches("input, select");
  if (typing) return event.stopPropagation();
  if (event.target.matches("button") && (event.key === " " || event.key === "Enter")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const found = keysOf(view).find(([name]) => name === key || (key === "=" && name === "+"));
  if (!found && !(key in ARROWS)) return;
  event.preventDefault();
  event.stopPropagation();
  if (found) found[2](view);
  else view.camera.pan(...ARROWS[key]);
}

function keyRows(view) {
  const rows = [...keysOf(view), ["arrows", "Move about"]];
  return rows.map(([key, does]) => [[NAMES[key] ?? key.toUpperCase()], does]);
}
