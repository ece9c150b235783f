// The box that is chosen, agreed on with Python, and the edge at it that a jump would follow.

const NEAR_EDGE = 7; // px on the screen within which a click means an edge

class Choice {
  constructor(view) {
    this.view = view;
    this.selected = null; // the box that holds what is chosen
    this.armed = null; // the edge that a jump would follow
    this.chosen = new Agreed((told) => view.tell("selected", told));
    view.network.on("click", ({ pointer }) => this.click(pointer));
  }

  // ---- what Python means

  hear(sent) {
    return this.chosen.hear(sent);
  }

  // A new graph opens on what was chosen in it.
  open() {
    this.armed = null;
    this.selected = this.view.scene.idOf(this.chosen.value);
  }

  follow() {
    const id = this.view.scene.idOf(this.chosen.value);
    if (id === this.selected) return;
    this.selected = id;
    this.armed = null;
    if (id !== null) this.view.camera.centre(id);
  }

  // ---- what the user means

  click({ DOM, canvas }) {
    const id = this.view.network.getNodeAt(DOM);
    const edge = id === undefined ? this.edgeAt(canvas) : null;
    if (edge) return this.arm(edge);
    this.pick(id === this.selected ? null : id); // a second click lets go
  }

  pick(id = null) {
    this.selected = id;
    this.arm(null);
    this.chosen.say(id);
  }

  go(id) {
    this.pick(id);
    this.view.camera.centre(id);
  }

  along(step) {
    const { path, boxes } = this.view.scene;
    if (!path.length) return;
    const at = path.findIndex((box) => boxes[box].id === this.selected);
    const next = at < 0 ? (step > 0 ? 0 : path.length - 1) : Math.min(Math.max(at + step, 0), path.length - 1);
    this.go(boxes[path[next]].id);
  }

  // ---- edges

  arm(edge) {
    if (edge && this.selected === null) this.pick(this.view.scene.boxes[edge.from].id);
    this.armed = edge;
    this.say();
    this.view.network.redraw();
  }

  nextEdge() {
    if (this.selected === null) return this.say("Choose an operator first; E then goes through its edges.");
    const edges = this.view.scene.touching[this.view.nodes.get(this.selected).i];
    if (!edges.length) return this.say("This operator has no edges.");
    this.arm(edges[(edges.indexOf(this.armed) + 1) % edges.length]);
  }

  jump() {
    if (!this.armed) this.nextEdge();
    const edge = this.armed;
    if (!edge) return;
    this.go(this.farEnd(edge).id);
    this.arm(edge); // a second jump leads back
  }

  farEnd({ from, to }) {
    const { boxes } = this.view.scene;
    return boxes[to].id === this.selected ? boxes[from] : boxes[to];
  }

  // The edge whose route passes nearest to a place, if any is near.
  edgeAt({ x, y }) {
    let [best, least] = [null, NEAR_EDGE / this.view.network.getScale()];
    for (const edge of this.view.scene.edges) {
      for (const [px, py] of along(edge.route)) {
        const away = Math.hypot(px - x, py - y);
        if (away < least) [best, least] = [edge, away];
      }
    }
    return best;
  }

  // ---- what stands at the foot of the picture, for the eye and for a screen reader

  say(text = this.about()) {
    const said = this.view.find(".said");
    said.textContent = text;
    said.hidden = !text;
    this.view.groups.offer(this.view.nodes.get(this.selected));
  }

  about() {
    const { view, armed } = this;
    const box = view.nodes.get(this.selected);
    if (armed) {
      const [from, to] = [armed.from, armed.to].map((i) => view.title(view.scene.boxes[i]));
      return `${from} → ${to}. J jumps to ${view.title(this.farEnd(armed))}.`;
    }
    return box ? `${view.title(box)}${box.critical ? ", on the critical path" : ""}` : "";
  }
}

// Places along a route, close enough to each other to click on.
function* along(route) {
  for (let i = 0; i + 7 < route.length; i += 6) {
    const [ax, ay, bx, by, cx, cy, dx, dy] = route.slice(i, i + 8);
    const steps = Math.max(4, Math.ceil(Math.hypot(dx - ax, dy - ay) / 8));
    for (let step = 0; step <= steps; step++) {
      const [t, u] = [step / steps, 1 - step / steps];
      const mix = (a, b, c, d) => a * u ** 3 + 3 * b * u * u * t + 3 * c * u * t * t + d * t ** 3;
      yield [mix(ax, bx, cx, dx), mix(ay, by, cy, dy)];
    }
  }
}
