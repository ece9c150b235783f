// Workers as lanes, operators as bars on a common time axis. A bar is given to another worker by
// dragging it there, or by the keyboard; Python plans anew, and the bars move to their new times.

const FAR = 5; // px that a pointer moves before it drags
const TWICE_MS = 400; // two clicks on one bar within it choose its chain
const EDGE = 28; // px from the border within which a drag scrolls
const [ROW, LOW_ROW] = [40, 26]; // px
const HINT = "Drag operators to another worker. Shift adds, a double click takes a whole chain, "
  + "the name of a worker all that it does.";

const KEYS = [
  ["← →", "Previous or next operator of a worker"],
  ["↑ ↓", "Operator of the next worker at that time"],
  ["Enter", "Choose it, or let it go"],
  ["C", "Choose its whole chain"],
  ["W", "Choose all that its worker does"],
  ["Space", "Pick up what is chosen; ↑ ↓ then take it to a worker, Space drops it there"],
  ["Esc", "Put it back; let go of all"],
  ["Ctrl Z", "Undo the last move"],
  ["+ - F", "Zoom in, zoom out, all of the time"],
  ["?", "This list"],
];

export default function ({ parentElement, data, setStateValue }) {
  const root = parentElement.querySelector(".lanes");
  root.wanted = data;
  get(data.lanes).then((plan) => {
    if (root.wanted !== data) return; // a newer one came meanwhile
    root.view ??= new LanesView(root);
    root.view.tell = unlessLeaving(setStateValue);
    root.view.show(data, plan);
  });
  return () => { root.wanted = null; root.view?.close(); };
}

class LanesView extends TimeSheet {
  constructor(root) {
    super(root);
    this.bars = new Map(); // elements by name: they outlive reruns, and so move to where they go
    this.chosen = new Set();
    this.at = null; // the operator that the keyboard is at
    this.held = null; // what is carried: { names, lane }
    this.press = null; // the pointer that is down
    this.choice = new Agreed((told) => this.tell("chosen", told));
    this.deed = new Agreed((told) => this.tell("deed", told)); // none once Python has done it
    this.listen();
  }

  listen() {
    const { scroll } = this;
    scroll.onpointerdown = (event) => this.down(event);
    scroll.onpointermove = (event) => (this.press ? this.drag(event) : this.hover(event));
    scroll.onpointerup = (event) => this.up(event);
    scroll.onpointercancel = () => this.cancel(); // the browser scrolls instead
    this.root.onkeydown = (event) => this.key(event);
  }

  // ---- what Python sends

  show(data, plan) {
    const before = this.plan;
    this.data = data;
    if (plan !== before) this.draw(plan);
    const isNews = !this.press && !this.held && this.choice.hear(data.chosen);
    if (isNews) this.mark(data.chosen.value);
    const answered = this.deed.hear(data.deed);
    this.root.classList.toggle("awaiting", this.awaits);
    this.find("[data-do=undo]").disabled = !data.undo;
    this.showTotal();
    if (answered && before) this.say(this.change(before.makespan, plan.makespan));
    else if (isNews || !before) this.say(this.about());
  }

  change(before, after) {
    const share = before ? 100 * (after / before - 1) : 0;
    const size = `${Math.abs(share).toFixed(2)} %`;
    const how = Math.abs(share) < 0.005 ? "no change" : `${size} ${share < 0 ? "less" : "more"}`;
    return `Predicted ${this.amount(before)} → ${this.amount(after)}: ${how}.`;
  }

  showTotal() {
    const { makespan } = this.plan;
    const share = 100 * (makespan / (this.data.planned || makespan) - 1);
    const against = Math.abs(share) < 0.005 ? "as the planner’s"
      : `${share > 0 ? "+" : "−"}${Math.abs(share).toFixed(2)} % against the planner’s`;
    const total = this.find(".total");
    total.replaceChildren(element("b", "", this.amount(makespan)), ` predicted, ${against}`);
    total.dataset.makespan = makespan;
  }

  // ---- drawing

  draw(plan) {
    this.plan = plan;
    this.index = new Map(plan.name.map((name, i) => [name, i]));
    this.lay(plan.makespan, plan.unit, plan.workers > MANY ? LOW_ROW : ROW, plan.colours);
    this.orders = Array.from({ length: plan.workers }, () => []);
    plan.worker.forEach((worker, i) => this.orders[worker].push(i));
    for (const order of this.orders) order.sort((a, b) => plan.start[a] - plan.start[b] || a - b);
    for (const [name, bar] of this.bars) if (!this.index.has(name)) { bar.remove(); this.bars.delete(name); }
    for (const old of this.tracks.querySelectorAll(".between, .end")) old.remove();
    this.tracks.prepend(...plan.between.map((bar) => this.between(...bar)), this.end(plan.makespan));
    const moved = new Set(plan.moved);
    plan.name.forEach((name, i) => this.place(name, i, moved.has(i)));
    for (const name of this.chosen) if (!this.index.has(name)) this.chosen.delete(name);
    if (!this.index.has(this.at)) this.at = null;
    this.drawRows();
    this.drawAxis();
  }

  place(name, i, moved) {
    const { plan } = this;
    let bar = this.bars.get(name);
    if (!bar) {
      bar = element("div", "op");
      bar.append(element("span", "", name));
      bar.setAttribute("role", "option");
      bar.dataset.name = name;
      bar.id = `op-${this.bars.size}`;
      this.bars.set(name, bar);
      this.tracks.append(bar);
    }
    const [fill, text] = plan.fills[plan.chain[i]];
    this.put(bar, plan.worker[i] * this.row, plan.start[i], plan.end[i]);
    Object.assign(bar.style, { background: fill, color: text });
    bar.classList.toggle("moved", moved);
    bar.setAttribute("aria-selected", String(this.chosen.has(name)));
    bar.setAttribute("aria-label", `${name}, worker ${plan.worker[i]}, ${this.amount(plan.end[i] - plan.start[i])}`
      + `, chain ${plan.chain[i]}${moved ? ", on another worker than the planner’s" : ""}`);
  }

  between(kind, worker, start, end) {
    const bar = element("i", `between ${kind}`);
    this.put(bar, worker * this.row, start, end);
    return bar;
  }

  lanes() {
    return this.plan.workers + (this.data.more ? 1 : 0);
  }

  drawRows() {
    const { plan } = this;
    const rows = Array.from({ length: this.lanes() }, (_, lane) => {
      const row = element("div", "row");
      const head = element("div", "head", lane < plan.workers ? `worker ${lane}` : "+ new");
      if (lane < plan.workers) {
        const busy = this.orders[lane].reduce((sum, i) => sum + plan.end[i] - plan.start[i], 0);
        const share = `${Math.round(100 * (busy / plan.makespan || 0))} % busy`;
        if (this.row === ROW) head.append(element("small", "", share));
        head.title = `worker ${lane}: ${this.orders[lane].length} operators, ${share}. Drag it onto another worker.`;
        head.dataset.worker = lane;
      } else row.classList.add("new");
      row.append(head);
      return row;
    });
    this.find(".rows").replaceChildren(...rows);
  }

  reveal(name) {
    const i = this.index.get(name);
    this.revealTime(this.plan.start[i], this.plan.end[i]);
    this.revealRow(this.plan.worker[i] * this.row);
  }

  // ---- choosing

  mark(names) {
    this.chosen = new Set(names.filter((name) => this.index.has(name)));
    for (const [name, bar] of this.bars) bar.setAttribute("aria-selected", String(this.chosen.has(name)));
  }

  choose(names) {
    this.mark([...names]);
    this.choice.say([...this.chosen]);
    this.say(this.about());
  }

  toggle(name) {
    const names = new Set(this.chosen);
    if (!names.delete(name)) names.add(name);
    this.choose(names);
  }

  chainOf(name) {
    const chain = this.plan.chain[this.index.get(name)];
    return this.plan.name.filter((_, i) => this.plan.chain[i] === chain);
  }

  allOf(worker) {
    return this.orders[worker].map((i) => this.plan.name[i]);
  }

  several() {
    const on = this.root.classList.toggle("adding");
    this.find("[data-do=several]").setAttribute("aria-pressed", String(on));
  }

  // ---- carrying to another worker

  pickUp(names, lane) {
    if (this.awaits) return this.say("The last move is being planned; try again in a moment.");
    this.held = { names: [...names], lane: null };
    for (const name of names) this.bars.get(name).classList.add("held");
    this.root.classList.add("carrying");
    this.over(lane);
  }

  over(lane) {
    const to = Math.min(Math.max(lane, 0), this.lanes() - 1);
    if (to === this.held.lane) return;
    this.held.lane = to;
    [...this.find(".rows").children].forEach((row, i) => row.classList.toggle("over", i === to));
    for (const old of this.tracks.querySelectorAll(".preview")) old.remove();
    this.tracks.append(...this.held.names.map((name) => {
      const i = this.index.get(name);
      const bar = element("i", "preview");
      this.put(bar, to * this.row, this.plan.start[i], this.plan.end[i]);
      return bar;
    }));
    this.find(".ghost").textContent = `${many(this.held.names.length)} → ${this.laneName(to)}`;
    this.say(`Carrying ${many(this.held.names.length)}, over ${this.laneName(to)}. Space drops, Escape puts back.`);
  }

  laneName(lane) {
    return lane < this.plan.workers ? `worker ${lane}` : "a new worker";
  }

  drop() {
    const { names, lane } = this.held;
    this.putDown();
    if (names.every((name) => this.plan.worker[this.index.get(name)] === lane)) {
      return this.say(`${many(names.length)} stayed on ${this.laneName(lane)}.`);
    }
    for (const name of names) this.bars.get(name).style.top = `${lane * this.row}px`;
    this.deed.say({ names, worker: lane });
    this.root.classList.add("awaiting");
    this.say(`${many(names.length)} to ${this.laneName(lane)}: planning…`);
  }

  get awaits() {
    return Boolean(this.deed.value);
  }

  putDown() {
    for (const name of this.held.names) this.bars.get(name)?.classList.remove("held");
    for (const old of this.tracks.querySelectorAll(".preview")) old.remove();
    for (const row of this.find(".rows").children) row.classList.remove("over");
    this.root.classList.remove("carrying");
    this.find(".ghost").hidden = true;
    this.held = null;
  }

  cancel() {
    this.endLasso();
    this.press = null;
    if (!this.held) return;
    this.putDown();
    this.say("Put back.");
  }

  undo() {
    if (this.data.undo && !this.awaits) this.deed.say("undo");
  }

  // ---- mouse, pen and finger

  down(event) {
    if (event.button !== 0) return;
    if (this.held) this.cancel();
    this.hover(null);
    const op = event.target.closest(".op")?.dataset.name;
    const head = event.target.closest(".head");
    if (head && head.dataset.worker === undefined) return;
    this.press = { x: event.clientX, y: event.clientY, op, worker: head && Number(head.dataset.worker) };
    this.press.adds = event.shiftKey || event.ctrlKey || event.metaKey || this.root.classList.contains("adding");
    // A finger on the ground scrolls, unless several are to be chosen.
    this.press.lassoes = !op && !head && (event.pointerType !== "touch" || this.root.classList.contains("adding"));
    this.scroll.setPointerCapture(event.pointerId);
  }

  drag(event) {
    const { press } = this;
    const [dx, dy] = [event.clientX - press.x, event.clientY - press.y];
    if (!press.moved && Math.hypot(dx, dy) < FAR) return;
    if (press.lassoes) { press.moved = true; return this.drawLasso(event); }
    if (!press.op && press.worker === null) return;
    if (!press.moved) {
      press.moved = true;
      if (press.op && !this.chosen.has(press.op)) this.choose(press.adds ? [...this.chosen, press.op] : [press.op]);
      if (!press.op) this.choose(this.allOf(press.worker));
      this.pickUp(this.chosen, this.laneAt(event.clientY));
    }
    if (!this.held) return;
    this.over(this.laneAt(event.clientY));
    this.drawGhost(event);
    this.scrollAtEdge(event);
  }

  up(event) {
    const { press } = this;
    if (!press) return;
    this.press = null;
    if (this.held) return this.drop();
    if (press.lasso) return this.endLasso(press);
    if (press.moved) return;
    if (press.worker !== null) return this.choose(this.allOf(press.worker));
    if (!press.op) return this.chosen.size && !press.adds && this.choose([]);
    this.atOp(press.op);
    const twice = this.last?.op === press.op && event.timeStamp - this.last.when < TWICE_MS;
    this.last = twice ? null : { op: press.op, when: event.timeStamp };
    if (twice) return this.choose([...(press.adds ? this.chosen : []), ...this.chainOf(press.op)]);
    if (press.adds) return this.toggle(press.op);
    this.choose(this.chosen.size === 1 && this.chosen.has(press.op) ? [] : [press.op]);
  }

  laneAt(clientY) {
    return Math.floor((clientY - this.tracks.getBoundingClientRect().y) / this.row);
  }

  drawGhost(event) {
    const ghost = this.find(".ghost");
    const box = this.find(".frame").getBoundingClientRect();
    ghost.hidden = false;
    ghost.style.left = `${Math.min(event.clientX - box.x + 14, box.width - ghost.offsetWidth - 4)}px`;
    ghost.style.top = `${event.clientY - box.y - 40}px`;
  }

  scrollAtEdge(event) {
    const box = this.scroll.getBoundingClientRect();
    if (event.clientY > box.bottom - EDGE) this.scroll.scrollTop += 8;
    if (event.clientY < box.top + 2 * EDGE) this.scroll.scrollTop -= 8;
  }

  drawLasso(event) {
    const { press } = this;
    const box = this.tracks.getBoundingClientRect();
    if (!press.lasso) {
      press.lasso = this.tracks.appendChild(element("i", "lasso"));
      [press.fromX, press.fromY] = [press.x - box.x, press.y - box.y];
    }
    const [x, y] = [event.clientX - box.x, event.clientY - box.y];
    press.box = [Math.min(x, press.fromX), Math.min(y, press.fromY), Math.max(x, press.fromX), Math.max(y, press.fromY)];
    const [left, top, right, bottom] = press.box;
    Object.assign(press.lasso.style, {
      left: `${left}px`, top: `${top}px`, width: `${right - left}px`, height: `${bottom - top}px`,
    });
  }

  endLasso(press = null) {
    this.tracks.querySelector(".lasso")?.remove();
    if (!press) return;
    const { plan } = this;
    const scale = this.longest / this.tracks.clientWidth;
    const [left, top, right, bottom] = press.box;
    const caught = plan.name.filter((_, i) => plan.start[i] <= right * scale && plan.end[i] >= left * scale
      && plan.worker[i] * this.row <= bottom && (plan.worker[i] + 1) * this.row >= top);
    this.choose(press.adds ? [...this.chosen, ...caught] : caught);
  }

  hover(event) {
    const name = event?.target.closest(".op")?.dataset.name;
    if (name === undefined) return this.hideTip();
    const i = this.index.get(name);
    const { op, worker, start, end, chain } = this.plan;
    this.showTip(event, name, [["kind", op[i]], ["takes", this.amount(end[i] - start[i])],
      ["from", this.amount(start[i])], ["worker", String(worker[i])], ["chain", String(chain[i])]]);
  }

  // ---- keyboard

  key(event) {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") return this.used(event, () => this.undo());
    super.key(event, this.held ? this.whileHeld() : this.whileFree());
  }

  whileHeld() {
    const by = (step) => () => { this.over(this.held.lane + step); this.revealRow(this.held.lane * this.row); };
    const drop = () => { this.press = null; this.drop(); };
    return { ArrowUp: by(-1), ArrowDown: by(1), " ": drop, Enter: drop, Escape: () => this.cancel() };
  }

  whileFree() {
    const here = (does) => () => (this.at === null ? this.go(0, 0) : does(this.at));
    return {
      ArrowLeft: here(() => this.along(-1)), ArrowRight: here(() => this.along(1)),
      ArrowUp: here(() => this.across(-1)), ArrowDown: here(() => this.across(1)),
      Enter: here((name) => this.toggle(name)),
      c: here((name) => this.choose(this.chainOf(name))),
      w: here((name) => this.choose(this.allOf(this.plan.worker[this.index.get(name)]))),
      " ": here((name) => this.lift(name)),
      Escape: () => { this.help(false); this.choose([]); },
      ...this.zoomKeys(),
      "?": () => this.help(),
    };
  }

  lift(name) {
    if (!this.chosen.has(name)) this.choose([name]);
    this.pickUp(this.chosen, this.plan.worker[this.index.get(name)]);
  }

  along(step) {
    const i = this.index.get(this.at);
    const worker = this.plan.worker[i];
    this.go(worker, this.orders[worker].indexOf(i) + step);
  }

  // To the operator of the next worker whose middle is nearest in time.
  across(step) {
    const { plan } = this;
    const i = this.index.get(this.at);
    const worker = Math.min(Math.max(plan.worker[i] + step, 0), plan.workers - 1);
    if (worker === plan.worker[i]) return;
    const away = (j) => Math.abs(plan.start[i] + plan.end[i] - plan.start[j] - plan.end[j]);
    const order = this.orders[worker];
    this.go(worker, order.reduce((best, j, place) => (away(j) < away(order[best]) ? place : best), 0));
  }

  go(worker, place) {
    const order = this.orders[worker];
    this.atOp(this.plan.name[order[Math.min(Math.max(place, 0), order.length - 1)]]);
    this.reveal(this.at);
    this.say(this.bars.get(this.at).getAttribute("aria-label"));
  }

  atOp(name) {
    this.bars.get(this.at)?.classList.remove("at");
    this.at = name;
    const bar = this.bars.get(name);
    bar.classList.add("at");
    this.scroll.setAttribute("aria-activedescendant", bar.id);
  }

  help(open = this.find(".keys").hidden) {
    this.find(".keys").replaceChildren(...KEYS.flatMap(([keys, does]) => {
      const name = element("dt");
      name.append(...keys.split(" ").map((key) => element("kbd", "", key)));
      return [name, element("dd", "", does)];
    }));
    this.find(".keys").hidden = !open;
    this.find("[data-do=help]").setAttribute("aria-expanded", String(open));
  }

  // ---- words, for the eye and for a screen reader

  about() {
    if (!this.chosen.size) return HINT;
    const of = [...this.chosen].map((name) => this.index.get(name));
    const work = of.reduce((sum, i) => sum + this.plan.end[i] - this.plan.start[i], 0);
    const workers = [...new Set(of.map((i) => this.plan.worker[i]))].sort((a, b) => a - b);
    const what = of.length === 1 ? this.plan.name[of[0]] : many(of.length);
    return `${what} chosen, ${this.amount(work)}, on worker ${workers.join(", ")}.`;
  }

  say(text) {
    this.find(".said").textContent = text;
  }
}
