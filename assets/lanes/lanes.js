// Workers as lanes, operators as bars on a common time axis. A bar is given to another worker by
// dragging it there, or by the keyboard; Python plans anew, and the bars move to their new times.

const FAR = 5; // px that a pointer moves before it drags
const TWICE_MS = 400; // two clicks on one bar within it choose its chain
const EDGE = 28; // px from the border within which a drag scrolls
const HEAD = 84; // px, the name of a lane
const [ROW, LOW_ROW, MANY] = [40, 26, 12]; // px; rows are lower from so many workers on
const MOST_ZOOM = 400;
const TICK = 90; // px at least from one number of the axis to the next
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

export default function ({ parentElement, data, setStateValue, setTriggerValue }) {
  const root = parentElement.querySelector(".lanes");
  root.wanted = data;
  get(data.lanes).then((plan) => {
    if (root.wanted !== data) return; // a newer one came meanwhile
    root.view ??= new LanesView(root, data.heard);
    root.view.tell = unlessLeaving(setStateValue);
    root.view.ask = unlessLeaving(setTriggerValue);
    root.view.show(data, plan);
  });
  return () => { root.wanted = null; root.view?.close(); };
}

class LanesView {
  constructor(root, heard) {
    this.root = root;
    this.find = (selector) => root.querySelector(selector);
    this.scroll = this.find(".scroll");
    this.tracks = this.find(".tracks");
    this.bars = new Map(); // elements by name: they outlive reruns, and so move to where they go
    this.chosen = new Set();
    this.at = null; // the operator that the keyboard is at
    this.held = null; // what is carried: { names, lane }
    this.press = null; // the pointer that is down
    this.sent = heard; // number of what Python was told last; what it answers to less is outdated
    this.awaited = null; // number of the move that Python has not answered
    this.zoom = 1;
    this.listen();
    this.resized = new ResizeObserver(() => this.drawAxis());
    this.resized.observe(this.scroll);
  }

  close() {
    this.resized.disconnect();
    delete this.root.view;
  }

  listen() {
    for (const button of this.root.querySelectorAll(".bar button")) {
      button.onclick = () => this[button.dataset.do]();
    }
    const { scroll } = this;
    scroll.onpointerdown = (event) => this.down(event);
    scroll.onpointermove = (event) => (this.press ? this.drag(event) : this.hover(event));
    scroll.onpointerup = (event) => this.up(event);
    scroll.onpointercancel = () => this.cancel(); // the browser scrolls instead
    scroll.onpointerleave = () => this.hover(null);
    scroll.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      this.zoomBy(Math.exp(-event.deltaY / 200), event.clientX);
    }, { passive: false });
    this.root.onkeydown = (event) => this.key(event);
  }

  // ---- what Python sends

  show(data, plan) {
    const before = this.plan;
    this.data = data;
    if (plan !== before) this.draw(plan);
    const isNews = data.heard >= this.sent && !this.press && !this.held && this.mark(data.chosen);
    const answered = this.awaited !== null && data.heard >= this.awaited;
    if (answered) this.awaited = null;
    this.root.classList.toggle("awaiting", this.awaited !== null);
    this.find("[data-do=undo]").disabled = !data.undo;
    this.showTotal();
    if (answered && before) this.say(this.change(before.makespan, plan.makespan));
    else if (isNews || !before) this.say(this.about());
  }

  amount(value) {
    return `${Number(value.toPrecision(value >= 100 ? 5 : 4))} ${this.plan.unit}`;
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
    this.longest = plan.makespan * 1.02 || 1;
    this.index = new Map(plan.name.map((name, i) => [name, i]));
    this.row = plan.workers > MANY ? LOW_ROW : ROW;
    this.orders = Array.from({ length: plan.workers }, () => []);
    plan.worker.forEach((worker, i) => this.orders[worker].push(i));
    for (const order of this.orders) order.sort((a, b) => plan.start[a] - plan.start[b] || a - b);
    for (const [name, bar] of this.bars) if (!this.index.has(name)) { bar.remove(); this.bars.delete(name); }
    for (const old of this.tracks.querySelectorAll(".between, .end")) old.remove();
    this.tracks.prepend(...plan.between.map((bar) => this.between(...bar)), this.end());
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
    this.put(bar, plan.worker[i], plan.start[i], plan.end[i]);
    Object.assign(bar.style, { background: fill, color: text });
    bar.classList.toggle("moved", moved);
    bar.setAttribute("aria-selected", String(this.chosen.has(name)));
    bar.setAttribute("aria-label", `${name}, worker ${plan.worker[i]}, ${this.amount(plan.end[i] - plan.start[i])}`
      + `, chain ${plan.chain[i]}${moved ? ", on another worker than the planner’s" : ""}`);
  }

  put(bar, lane, start, end) {
    bar.style.top = `${lane * this.row}px`;
    bar.style.left = `${(100 * start) / this.longest}%`;
    bar.style.width = `${(100 * (end - start)) / this.longest}%`;
  }

  between(kind, worker, start, end) {
    const bar = element("i", `between ${kind}`);
    bar.style.background = this.plan.colours[kind];
    this.put(bar, worker, start, end);
    return bar;
  }

  end() {
    const line = element("i", "end");
    line.style.left = `${(100 * this.plan.makespan) / this.longest}%`;
    return line;
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
    this.root.style.setProperty("--critical", plan.colours.critical);
    this.root.style.setProperty("--row", `${this.row}px`);
    this.root.style.setProperty("--head", `${HEAD}px`);
    this.find(".rows").replaceChildren(...rows);
  }

  drawAxis() {
    if (!this.plan || !this.tracks.clientWidth) return; // a hidden tab has no size yet
    const least = (this.longest * TICK) / this.tracks.clientWidth;
    const power = 10 ** Math.floor(Math.log10(least));
    const step = [1, 2, 5, 10].map((n) => n * power).find((value) => value >= least);
    const ticks = [];
    for (let i = 0; i * step < this.longest; i++) {
      const tick = element("span", "", String(Number((i * step).toPrecision(12))));
      tick.style.left = `${(100 * i * step) / this.longest}%`;
      ticks.push(tick);
    }
    ticks[0].textContent = `0 ${this.plan.unit}`;
    this.find(".axis").replaceChildren(...ticks);
  }

  // ---- zoom

  in() { this.zoomBy(1.5); }
  out() { this.zoomBy(1 / 1.5); }
  fit() { this.zoomBy(1 / this.zoom); }

  // The time below `clientX`, or else in the middle, stays where it is.
  zoomBy(factor, clientX) {
    const { scroll } = this;
    const box = scroll.getBoundingClientRect();
    const x = (clientX ?? box.x + (HEAD + box.width) / 2) - box.x - HEAD;
    const place = (scroll.scrollLeft + x) / this.tracks.clientWidth;
    this.zoom = Math.min(MOST_ZOOM, Math.max(1, this.zoom * factor));
    this.root.style.setProperty("--zoom", this.zoom);
    scroll.scrollLeft = place * this.tracks.clientWidth - x;
    this.drawAxis();
  }

  // scrollIntoView would move the whole page.
  reveal(name) {
    const { scroll } = this;
    const i = this.index.get(name);
    const width = this.tracks.clientWidth;
    const [left, right] = [this.plan.start[i], this.plan.end[i]].map((time) => (time / this.longest) * width);
    const room = scroll.clientWidth - HEAD;
    if (left < scroll.scrollLeft || right > scroll.scrollLeft + room) scroll.scrollLeft = (left + right - room) / 2;
    this.revealLane(this.plan.worker[i]);
  }

  revealLane(lane) {
    const { scroll } = this;
    const [top, axis] = [lane * this.row, this.find(".axis").offsetHeight];
    const room = scroll.clientHeight - axis;
    if (top < scroll.scrollTop) scroll.scrollTop = top;
    if (top + this.row > scroll.scrollTop + room) scroll.scrollTop = top + this.row - room;
  }

  // ---- choosing

  // Says whether that changes anything.
  mark(names) {
    const before = this.chosen;
    this.chosen = new Set(names.filter((name) => this.index.has(name)));
    for (const [name, bar] of this.bars) bar.setAttribute("aria-selected", String(this.chosen.has(name)));
    return before.size !== this.chosen.size || [...before].some((name) => !this.chosen.has(name));
  }

  choose(names) {
    this.mark([...names]);
    this.tell("chosen", { number: ++this.sent, names: [...this.chosen] });
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
    if (this.awaited !== null) return this.say("The last move is being planned; try again in a moment.");
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
      this.put(bar, to, this.plan.start[i], this.plan.end[i]);
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
    this.awaited = ++this.sent;
    this.root.classList.add("awaiting");
    this.ask("move", { number: this.sent, names, worker: lane });
    this.say(`${many(names.length)} to ${this.laneName(lane)}: planning…`);
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
    if (!this.data.undo || this.awaited !== null) return;
    this.awaited = ++this.sent;
    this.ask("undo", { number: this.sent });
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
    const tip = this.find(".tip");
    tip.hidden = name === undefined;
    if (tip.hidden) return;
    const i = this.index.get(name);
    const { op, worker, start, end, chain } = this.plan;
    const says = [["kind", op[i]], ["takes", this.amount(end[i] - start[i])],
      ["from", this.amount(start[i])], ["worker", String(worker[i])], ["chain", String(chain[i])]];
    tip.replaceChildren(element("div", "head", name),
      ...says.flatMap(([key, value]) => [element("dt", "", key), element("dd", "", value)]));
    const box = this.find(".frame").getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(event.clientX - box.x + 14, box.width - tip.offsetWidth - 6))}px`;
    tip.style.top = `${event.clientY - box.y + 16}px`;
  }

  // ---- keyboard

  // Streamlit has keys of its own ("r" reruns the page), so what is used here goes no further.
  key(event) {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") return this.used(event, () => this.undo());
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("button") && (event.key === " " || event.key === "Enter")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const does = (this.held ? this.whileHeld() : this.whileFree())[key];
    if (does) this.used(event, does);
  }

  used(event, does) {
    event.preventDefault();
    event.stopPropagation();
    this.hover(null);
    does();
  }

  whileHeld() {
    const by = (step) => () => { this.over(this.held.lane + step); this.revealLane(this.held.lane); };
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
      "+": () => this.in(), "=": () => this.in(), "-": () => this.out(), f: () => this.fit(),
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

function many(count) {
  return `${count} operator${count === 1 ? "" : "s"}`;
}
