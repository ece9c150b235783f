// What is chosen, carried to another worker: what it would look like there, and the drop.

class Carry {
  constructor(view) {
    this.view = view;
    this.held = null; // what is carried: { names, lane }
  }

  pickUp(names, lane) {
    const { view } = this;
    if (view.awaits) return view.say("The last move is being planned; try again in a moment.");
    this.held = { names: [...names], lane: null };
    for (const name of names) view.bars.get(name).classList.add("held");
    view.root.classList.add("carrying");
    this.over(lane);
  }

  over(lane) {
    const { view, held } = this;
    const to = Math.min(Math.max(lane, 0), view.lanes() - 1);
    if (to === held.lane) return;
    held.lane = to;
    [...view.find(".rows").children].forEach((row, i) => row.classList.toggle("over", i === to));
    this.clearPreview();
    view.tracks.append(...held.names.map((name) => {
      const i = view.index.get(name);
      const bar = element("i", "preview");
      view.put(bar, to * view.row, view.plan.start[i], view.plan.end[i]);
      return bar;
    }));
    view.find(".ghost").textContent = `${many(held.names.length)} → ${view.laneName(to)}`;
    view.say(`Carrying ${many(held.names.length)}, over ${view.laneName(to)}. Space drops, Escape puts back.`);
  }

  drop() {
    const { view, held: { names, lane } } = this;
    this.putDown();
    if (names.every((name) => view.plan.worker[view.index.get(name)] === lane)) {
      return view.say(`${many(names.length)} stayed on ${view.laneName(lane)}.`);
    }
    for (const name of names) view.bars.get(name).style.top = `${lane * view.row}px`;
    view.deed.say({ names, worker: lane });
    view.root.classList.add("awaiting");
    view.say(`${many(names.length)} to ${view.laneName(lane)}: planning…`);
  }

  cancel() {
    if (!this.held) return;
    this.putDown();
    this.view.say("Put back.");
  }

  putDown() {
    const { view } = this;
    for (const name of this.held.names) view.bars.get(name)?.classList.remove("held");
    this.clearPreview();
    for (const row of view.find(".rows").children) row.classList.remove("over");
    view.root.classList.remove("carrying");
    view.find(".ghost").hidden = true;
    this.held = null;
  }

  clearPreview() {
    for (const old of this.view.tracks.querySelectorAll(".preview")) old.remove();
  }

  // What is carried, beside the pointer.
  drawGhost(event) {
    const ghost = this.view.find(".ghost");
    const box = this.view.find(".frame").getBoundingClientRect();
    ghost.hidden = false;
    ghost.style.left = `${Math.min(event.clientX - box.x + 14, box.width - ghost.offsetWidth - 4)}px`;
    ghost.style.top = `${event.clientY - box.y - 40}px`;
  }
}
