// The keyboard on the lanes: from operator to operator, and what is carried from lane to lane.

const KEYS = [
  [["←", "→"], "Previous or next operator of a worker"],
  [["↑", "↓"], "Operator of the next worker at that time"],
  [["Enter"], "Choose it, or let it go"],
  [["C"], "Choose its whole chain"],
  [["W"], "Choose all that its worker does"],
  [["Space"], "Pick up what is chosen; ↑ ↓ then take it to a worker, Space drops it there"],
  [["Esc"], "Put it back; let go of all"],
  [["Ctrl", "Z"], "Undo the last move"],
  [["+", "-", "F"], "Zoom in, zoom out, all of the time"],
  [["?"], "This list"],
];

class Steps {
  constructor(view) {
    this.view = view;
    view.root.onkeydown = (event) => this.key(event);
  }

  key(event) {
    const { view } = this;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") return view.used(event, () => view.undo());
    view.key(event, view.carry.held ? this.whileHeld() : this.whileFree());
  }

  whileHeld() {
    const { view, view: { carry, pointer } } = this;
    const by = (step) => () => { carry.over(carry.held.lane + step); view.revealRow(carry.held.lane * view.row); };
    const drop = () => { pointer.press = null; carry.drop(); };
    return { ArrowUp: by(-1), ArrowDown: by(1), " ": drop, Enter: drop, Escape: () => pointer.cancel() };
  }

  whileFree() {
    const { view } = this;
    const here = (does) => () => (view.at === null ? this.go(0, 0) : does(view.at));
    return {
      ArrowLeft: here(() => this.along(-1)), ArrowRight: here(() => this.along(1)),
      ArrowUp: here(() => this.across(-1)), ArrowDown: here(() => this.across(1)),
      Enter: here((name) => view.toggle(name)),
      c: here((name) => view.choose(view.chainOf(name))),
      w: here((name) => view.choose(view.allOf(view.workerOf(name)))),
      " ": here((name) => this.lift(name)),
      Escape: () => { view.help(false); view.choose([]); },
      ...view.zoomKeys(),
      "?": () => view.help(),
    };
  }

  lift(name) {
    const { view } = this;
    if (!view.chosen.has(name)) view.choose([name]);
    view.carry.pickUp(view.chosen, view.workerOf(name));
  }

  along(step) {
    const { view } = this;
    const i = view.index.get(view.at);
    const worker = view.plan.worker[i];
    this.go(worker, view.orders[worker].indexOf(i) + step);
  }

  // To the operator of the next worker whose middle is nearest in time.
  across(step) {
    const { view: { plan, orders, at, index } } = this;
    const i = index.get(at);
    const worker = Math.min(Math.max(plan.worker[i] + step, 0), plan.workers - 1);
    if (worker === plan.worker[i]) return;
    const away = (j) => Math.abs(plan.start[i] + plan.end[i] - plan.start[j] - plan.end[j]);
    const order = orders[worker];
    this.go(worker, order.reduce((best, j, place) => (away(j) < away(order[best]) ? place : best), 0));
  }

  go(worker, place) {
    const { view } = this;
    const order = view.orders[worker];
    view.atOp(view.plan.name[order[Math.min(Math.max(place, 0), order.length - 1)]]);
    view.reveal(view.at);
    view.say(view.bars.get(view.at).getAttribute("aria-label"));
  }
}
