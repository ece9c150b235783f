// Where the user looks: how the graph opens, and how scale and position change.

const READABLE = 0.8; // scale at which a name can be read without effort
const MOST_SCALE = 3;
const SMALL_GRAPH = 80; // boxes up to which the whole graph opens in view
const MARGIN = 28; // px on the screen around a graph shown whole
const REST_MS = 350; // after a movement, until Python hears where the view is
const PAN = 90; // px, one press of an arrow
const ZOOM = 1.35; // one press of a button

class Camera {
  constructor(view) {
    this.view = view;
    this.network = view.network;
    this.stage = view.stage;
    this.opened = false;
    this.network.on("zoom", () => { this.leave(); this.limit(); this.moved(); });
    this.network.on("dragStart", () => this.leave());
    this.network.on("dragEnd", () => this.moved());
    this.resized = new ResizeObserver(() => this.resize());
    this.resized.observe(this.stage);
  }

  close() {
    clearTimeout(this.resting);
    this.stay();
    this.resized.disconnect();
  }

  // What there is to see.
  frame(boxes) {
    const [xs, ys] = [boxes.map((box) => box.x), boxes.map((box) => box.y)];
    const { width, height } = this.view;
    this.bounds = {
      left: Math.min(...xs) - width / 2, right: Math.max(...xs) + width / 2,
      top: Math.min(...ys) - height / 2, bottom: Math.max(...ys) + height / 2,
    };
  }

  now() {
    return { scale: this.network.getScale(), position: this.network.getViewPosition() };
  }

  // Where it is bound for, so that a second press goes on from the end of the first.
  goal() {
    return this.glide?.to ?? this.now();
  }

  // vis-network's own animation is wrong until its first frame, and a second one begun by then
  // leaves the first in place: it moves the view again at every later drawing.
  move(where, ms) {
    const to = { ...this.goal(), ...where };
    this.leave();
    if (ms && !still.matches) this.glide = { from: this.now(), to, ms, frame: requestAnimationFrame((at) => this.step(at)) };
    else this.place(to);
  }

  step(at) {
    const { from, to, ms, since = at } = this.glide;
    const done = Math.min((at - since) / ms, 1), share = done * done * (3 - 2 * done);
    if (done === 1) {
      this.glide = null;
      return this.place(to);
    }
    const between = (a, b) => a + (b - a) * share;
    this.network.moveTo({
      scale: between(from.scale, to.scale),
      position: { x: between(from.position.x, to.position.x), y: between(from.position.y, to.position.y) },
    });
    Object.assign(this.glide, { since, frame: requestAnimationFrame((next) => this.step(next)) });
  }

  place(where) {
    this.stay();
    this.network.moveTo(where);
    this.moved();
  }

  leave() {
    this.stay();
    this.view.groups.anchor = null;
  }

  stay() {
    if (this.glide) cancelAnimationFrame(this.glide.frame);
    this.glide = null;
  }

  moved() {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => {
      const { shape, viewport } = this.view.data;
      if (!this.opened || !viewport) return;
      const { scale, position: { x, y } } = this.now();
      const round = (value) => Math.round(value * 1000) / 1000;
      this.view.tell("viewport", { shape, x: round(x), y: round(y), scale: round(scale) });
    }, REST_MS);
  }

  resize() {
    if (!this.stage.clientWidth) return; // a hidden tab has no size yet
    const before = this.now();
    this.network.setSize("100%", "100%");
    this.view.search.hint();
    if (!this.opened) {
      this.open();
      return clearTimeout(this.resting); // nobody has moved yet: no need for Python to run again
    }
    this.network.moveTo(before); // vis-network would shrink it with its frame
  }

  open() {
    const { nodes, data, scene, choice } = this.view;
    if (!this.stage.clientWidth || !nodes.size) return;
    this.opened = true;
    const { scale, x, y, shape } = data.viewport ?? {};
    if (shape === data.shape) return this.move({ scale, position: { x, y } });
    const isSmall = nodes.size <= SMALL_GRAPH || this.fitScale() >= READABLE;
    if (this.view.player || isSmall) return this.fit(false);
    if (choice.selected !== null) return this.centre(choice.selected, false);
    const { left, top } = this.bounds;
    const half = (pixels) => (pixels / 2 - MARGIN) / READABLE;
    const [first] = scene.boxes; // wide graphs have nothing in their corner
    this.move({
      scale: READABLE,
      position: {
        x: Math.max(left + half(this.stage.clientWidth), first.x),
        y: top + half(this.stage.clientHeight),
      },
    });
  }

  // ---- how far

  fitScale() {
    const { left, right, top, bottom } = this.bounds;
    const room = (have, need) => (have - 2 * MARGIN) / Math.max(need, 1);
    return Math.min(room(this.stage.clientWidth, right - left),
      room(this.stage.clientHeight, bottom - top));
  }

  fit(animated = true) {
    const { left, right, top, bottom } = this.bounds;
    this.move({
      scale: Math.min(this.fitScale(), 1.15),
      position: { x: (left + right) / 2, y: (top + bottom) / 2 },
    }, animated && 300);
  }

  in() { this.zoomBy(ZOOM); }
  out() { this.zoomBy(1 / ZOOM); }

  zoomBy(factor) {
    const scale = Math.min(MOST_SCALE, Math.max(this.fitScale() * 0.7, this.goal().scale * factor));
    this.move({ scale }, 150);
  }

  limit() {
    const scale = this.network.getScale();
    const lowest = Math.min(this.fitScale() * 0.7, 1);
    if (scale < lowest) this.network.moveTo({ scale: lowest });
    if (scale > MOST_SCALE) this.network.moveTo({ scale: MOST_SCALE });
  }

  // ---- where to

  pan(right, down) {
    const { scale, position: { x, y } } = this.goal();
    this.move({ position: { x: x + right * PAN / scale, y: y + down * PAN / scale } });
  }

  centre(id, animated = true) {
    const { x, y } = this.view.nodes.get(id);
    const scale = Math.max(this.goal().scale, READABLE);
    this.move({ position: { x, y }, scale }, animated && 300);
  }
}
