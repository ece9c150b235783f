// Mouse, pen and finger on the lanes: a click chooses, a drag carries, a drag over the ground chooses
// all that it touches.

const FAR = 5; // px that a pointer moves before it drags
const TWICE_MS = 400; // two clicks on one bar within it choose its chain
const EDGE = 28; // px from the border within which a drag scrolls

class Pointer {
  constructor(view) {
    this.view = view;
    this.press = null; // the button or finger that is down
    const { scroll } = view;
    scroll.onpointerdown = (event) => this.down(event);
    scroll.onpointermove = (event) => (this.press ? this.drag(event) : view.hover(event));
    scroll.onpointerup = (event) => this.up(event);
    scroll.onpointercancel = () => this.cancel(); // the browser scrolls instead
  }

  cancel() {
    this.clearLasso();
    this.press = null;
    this.view.carry.cancel();
  }

  down(event) {
    if (event.button !== 0) return;
    const { view } = this;
    if (view.carry.held) this.cancel();
    view.hover(null);
    const op = event.target.closest(".op")?.dataset.name;
    const head = event.target.closest(".head");
    if (head && head.dataset.worker === undefined) return;
    this.press = { x: event.clientX, y: event.clientY, op, worker: head && Number(head.dataset.worker) };
    this.press.adds = event.shiftKey || event.ctrlKey || event.metaKey || view.adds;
    // A finger on the ground scrolls, unless several are to be chosen.
    this.press.lassoes = !op && !head && (event.pointerType !== "touch" || view.adds);
    view.scroll.setPointerCapture(event.pointerId);
  }

  drag(event) {
    const { view, press } = this;
    if (!press.moved && Math.hypot(event.clientX - press.x, event.clientY - press.y) < FAR) return;
    if (press.lassoes) { press.moved = true; return this.drawLasso(event); }
    if (!press.op && press.worker === null) return;
    if (!press.moved) {
      press.moved = true;
      if (press.op && !view.chosen.has(press.op)) view.choose(press.adds ? [...view.chosen, press.op] : [press.op]);
      if (!press.op) view.choose(view.allOf(press.worker));
      view.carry.pickUp(view.chosen, this.laneAt(event));
    }
    if (!view.carry.held) return;
    view.carry.over(this.laneAt(event));
    view.carry.drawGhost(event);
    this.scrollAtEdge(event);
  }

  up(event) {
    const { view, press } = this;
    if (!press) return;
    this.press = null;
    if (view.carry.held) return view.carry.drop();
    if (press.lasso) return this.endLasso(press);
    if (press.moved) return;
    if (press.worker !== null) return view.choose(view.allOf(press.worker));
    if (!press.op) return view.chosen.size && !press.adds && view.choose([]);
    this.click(event, press);
  }

  click({ timeStamp }, { op, adds }) {
    const { view } = this;
    view.atOp(op);
    const twice = this.last?.op === op && timeStamp - this.last.when < TWICE_MS;
    this.last = twice ? null : { op, when: timeStamp };
    if (twice) return view.choose([...(adds ? view.chosen : []), ...view.chainOf(op)]);
    if (adds) return view.toggle(op);
    view.choose(view.chosen.size === 1 && view.chosen.has(op) ? [] : [op]);
  }

  laneAt({ clientY }) {
    return Math.floor((clientY - this.view.tracks.getBoundingClientRect().y) / this.view.row);
  }

  scrollAtEdge({ clientY }) {
    const { scroll } = this.view;
    const box = scroll.getBoundingClientRect();
    if (clientY > box.bottom - EDGE) scroll.scrollTop += 8;
    if (clientY < box.top + 2 * EDGE) scroll.scrollTop -= 8;
  }

  // ---- over the ground

  drawLasso({ clientX, clientY }) {
    const { press, view: { tracks } } = this;
    const box = tracks.getBoundingClientRect();
    if (!press.lasso) {
      press.lasso = tracks.appendChild(element("i", "lasso"));
      [press.fromX, press.fromY] = [press.x - box.x, press.y - box.y];
    }
    const [x, y] = [clientX - box.x, clientY - box.y];
    press.box = [Math.min(x, press.fromX), Math.min(y, press.fromY), Math.max(x, press.fromX), Math.max(y, press.fromY)];
    const [left, top, right, bottom] = press.box;
    Object.assign(press.lasso.style, {
      left: `${left}px`, top: `${top}px`, width: `${right - left}px`, height: `${bottom - top}px`,
    });
  }

  endLasso({ box: [left, top, right, bottom], adds }) {
    const { view, view: { plan, row } } = this;
    this.clearLasso();
    const scale = view.longest / view.tracks.clientWidth;
    const caught = plan.name.filter((_, i) => plan.start[i] <= right * scale && plan.end[i] >= left * scale
      && plan.worker[i] * row <= bottom && (plan.worker[i] + 1) * row >= top);
    view.choose(adds ? [...view.chosen, ...caught] : caught);
  }

  clearLasso() {
    this.view.tracks.querySelector(".lasso")?.remove();
  }
}
