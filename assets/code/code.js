// The emitted program: a line that computes or sends an operator's value selects that operator.

export default function ({ parentElement, data, setStateValue }) {
  const root = parentElement.querySelector(".code");
  root.style.height = `${data.height}px`;
  root.wanted = data;
  get(data.listing).then((listing) => {
    if (root.wanted !== data) return; // a newer one came meanwhile
    root.tell = unlessLeaving((name) => setStateValue("selected", name));
    if (root.listing !== listing) write(root, listing);
    if (data.selected !== root.asked) select(root, data.selected);
  });
}

function write(root, listing) {
  root.listing = listing;
  root.asked = undefined;
  const lines = root.querySelector(".lines");
  lines.replaceChildren(...listing.lines.map(([operator, ...pieces], i) => {
    const line = document.createElement("div");
    line.className = "line";
    line.id = `line-${i}`;
    for (let at = 0; at < pieces.length; at += 2) {
      const piece = document.createElement("span");
      if (pieces[at]) piece.className = pieces[at];
      piece.textContent = pieces[at + 1]; // never markup: names come from the user's model
      line.append(piece);
    }
    line.append("\n");
    if (operator !== null) {
      line.dataset.operator = operator;
      line.setAttribute("role", "option");
      line.onclick = () => choose(root, line);
    }
    return line;
  }));
  lines.onkeydown = (event) => onKey(root, event);
  const text = listing.lines.map(([, ...pieces]) => pieces.filter((_, i) => i % 2).join("")).join("\n");
  const copy = root.querySelector(".copy");
  copy.onclick = async () => {
    await navigator.clipboard.writeText(`${text}\n`);
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  };
}

function choose(root, line) {
  const name = line.dataset.operator;
  const again = line.getAttribute("aria-selected") === "true";
  root.asked = again ? null : name; // a second click lets go
  mark(root, root.asked);
  at(root, line);
  root.tell(root.asked);
}

function select(root, name) {
  root.asked = name;
  const first = mark(root, name);
  if (first) {
    at(root, first);
    const lines = root.querySelector(".lines"); // scrollIntoView would move the whole page
    lines.scrollTop = first.offsetTop - lines.clientHeight / 3;
  }
  root.tell(name ?? null); // so that the next click is told apart from this one
}

function mark(root, name) {
  let first;
  for (const line of root.querySelectorAll("[role=option]")) {
    const chosen = line.dataset.operator === name;
    line.setAttribute("aria-selected", String(chosen));
    if (chosen) first ??= line;
  }
  return first;
}

// The line that the keyboard is at.
function at(root, line) {
  root.querySelector(".line.at")?.classList.remove("at");
  line.classList.add("at");
  root.querySelector(".lines").setAttribute("aria-activedescendant", line.id);
}

function onKey(root, event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key] ?? 0;
  const options = [...root.querySelectorAll("[role=option]")];
  const now = root.querySelector(".line.at");
  if (!step && !(event.key === "Enter" && now)) return;
  event.preventDefault();
  event.stopPropagation();
  if (!step) return choose(root, now);
  const next = options[Math.min(Math.max(options.indexOf(now) + step, 0), options.length - 1)];
  if (!next) return;
  at(root, next);
  next.scrollIntoView({ block: "nearest" });
}
