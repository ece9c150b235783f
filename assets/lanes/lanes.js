// Workers as lanes, operators as bars on a common time axis. What is chosen is given to another
// worker by pointer or keyboard; Python plans anew, and the bars move to their new times.

const [ROW, LOW_ROW] = [40, 26]; // px
const HINT = "Drag operators to another worker. Shift adds, a double click takes a whole chain, "
  + "the name of a worker all that it does.";

class LanesView extends TimeSheet {
  constructor(root) {
    super(root);
    this.bars = new Map(); // elements by name: they outlive reruns, and so move to where they go
    this.made = 0; // bars, which number them
    this.chosen = new Set();
    this.at = null; // the operator that the keyboard is at
    this.choice = new Agreed((told) => this.tell("chosen", told));
    this.deed = new Agreed((told) => this.tell("deed", told)); // none once Python has done it
    this.carry = new Carry(this);
    this.pointer = new Pointer(this);
    this.steps = new Steps(this);
  }

  // ---- what Python sends

  show(data, [plan]) {
    const before = this.plan;
    this.data = data;
    if (plan !== before) this.draw(plan);
    const isNews = !this.pointer.press && !this.carry.held && this.choice.hear(data.chosen);
    if (isNews) this.mark(data.chosen.value);
    const answered = this.deed.hear(data.deed);
    this.root.classList.toggle("awaiting", this.awaits);
    this.find("[data-do=undo]").disabled = !data.undo;
    this.showTotal();
    if (answered && before) this.say(this.change(before.makespan, plan.makespan));
    else if (isNews || !before) this.say(this.about());
  }

  get awaits() {
    return Boolean(this.deed.value);
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
    this.resize();
  }

  resize() {
    super.resize();
    if (!this.plan) return;
    const { name, start, end } = this.plan;
    name.forEach((each, i) => this.bars.get(each).classList.toggle("narrow", !this.legible(start[i], end[i])));
  }

  place(name, i, moved) {
    const { plan } = this;
    const bar = this.bars.get(name) ?? this.bar(name);
    const [fill, text] = plan.fills[plan.chain[i]];
    this.put(bar, plan.worker[i] * this.row, plan.start[i], plan.end[i]);
    Object.assign(bar.style, { background: fill, color: text });
    bar.classList.toggle("moved", moved);
    bar.setAttribute("aria-selected", String(this.chosen.has(name)));
    bar.setAttribute("aria-label", `${name}, worker ${plan.worker[i]}, ${this.amount(plan.end[i] - plan.start[i])}`
      + `, chain ${plan.chain[i]}${moved ? ", on another worker than the planner’s" : ""}`);
  }

  bar(name) {
    const bar = element("div", "op");
    bar.append(element("span", "", name));
    bar.setAttribute("role", "option");
    bar.dataset.name = name;
    bar.id = `op-${this.made++}`;
    this.bars.set(name, bar);
    this.tracks.append(bar);
    return bar;
  }

  between(kind, worker, start, end) {
    const bar = element("i", `between ${kind}`);
    this.put(bar, worker * this.row, start, end);
    return bar;
  }

  drawRows() {
    this.find(".rows").replaceChildren(...Array.from({ length: this.lanes() }, (_, lane) => {
      const isNew = lane >= this.plan.workers;
      const row = element("div", isNew ? "row new" : "row");
      row.append(isNew ? element("div", "head", "+ new") : this.head(lane));
      return row;
    }));
  }

  head(lane) {
    const { plan } = this;
    const head = element("div", "head", `worker ${lane}`);
    const busy = this.orders[lane].reduce((sum, i) => sum + plan.end[i] - plan.start[i], 0);
    const share = `${Math.round(100 * (busy / plan.makespan || 0))} % busy`;
    if (this.row === ROW) head.append(element("small", "", share));
    head.title = `worker ${lane}: ${many(this.orders[lane].length)}, ${share}. Drag it onto another worker.`;
    head.dataset.worker = lane;
    return head;
  }

  // ---- who does what

  lanes() {
    return this.plan.workers + (this.data.more ? 1 : 0);
  }

  laneName(lane) {
    return lane < this.plan.workers ? `worker ${lane}` : "a new worker";
  }

  workerOf(name) {
    return this.plan.worker[this.index.get(name)];
  }

  chainOf(name) {
    const chain = this.plan.chain[this.index.get(name)];
    return this.plan.name.filter((_, i) => this.plan.chain[i] === chain);
  }

  allOf(worker) {
    return this.orders[worker].map((i) => this.plan.name[i]);
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

  // Whether a tap adds to what is chosen.
  get adds() {
    return this.root.classList.contains("adding");
  }

  several() {
    const on = this.root.classList.toggle("adding");
    this.find("[data-do=several]").setAttribute("aria-pressed", String(on));
  }

  atOp(name) {
    this.bars.get(this.at)?.classList.remove("at");
    this.at = name;
    const bar = this.bars.get(name);
    bar.classList.add("at");
    this.scroll.setAttribute("aria-activedescendant", bar.id);
  }

  reveal(name) {
    const i = this.index.get(name);
    this.revealTime(this.plan.start[i], this.plan.end[i]);
    this.revealRow(this.plan.worker[i] * this.row);
  }

  undo() {
    if (this.data.undo && !this.awaits) this.deed.say("undo");
  }

  // ---- words, for the eye and for a screen reader

  hover(event) {
    const name = event?.target.closest(".op")?.dataset.name;
    if (name === undefined) return this.hideTip();
    const i = this.index.get(name);
    const { op, worker, start, end, chain } = this.plan;
    this.showTip(event, name, [["kind", op[i]], ["takes", this.amount(end[i] - start[i])],
      ["from", this.amount(start[i])], ["worker", String(worker[i])], ["chain", String(chain[i])]]);
  }

  help(open) {
    showKeys(this, KEYS, open);
  }

  about() {
    if (!this.chosen.size) return HINT;
    const of = [...this.chosen].map((name) => this.index.get(name));
    const work = of.reduce((sum, i) => sum + this.plan.end[i] - this.plan.start[i], 0);
    const workers = [...new Set(of.map((i) => this.plan.worker[i]))].sort((a, b) => a - b);
    const what = of.length === 1 ? this.plan.name[of[0]] : many(of.length);
    return `${what} chosen, ${this.amount(work)}, on worker ${workers.join(", ")}.`;
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

  say(text) {
    this.find(".said").textContent = text;
  }
}

export default shownBy(LanesView, ".lanes", ({ lanes }) => [lanes]);
