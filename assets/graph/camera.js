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
    this.network.on("zoom", () => { this.limit(); this.moved(); });
    this.network.on("dragEnd", () => this.moved());
    this.network.on("animationFinished", () => this.moved());
    this.resized = new ResizeObserver(() => this.resize());
    this.resized.observe(this.stage);
  }

  close() {
    clearTimeout(this.resting);
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

  move(where, ms) {
    const animation = ms && !still.matches ? { duration: ms } : false;
    this.network.moveTo({ ...where, animation });
    if (!animation) this.moved();
  }

  moved() {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => {
      const { shape, viewport } = this.view.data;
      if (!this.opened || !viewport) return;
      const { x, y } = this.network.getViewPosition();
      const round = (value) => Math.round(value * 1000) / 1000;
      this.view.tell("viewport", { shape, x: round(x), y: round(y), scale: round(this.network.getScale()) });
    }, REST_MS);
  }

  resize() {
    if (!this.stage.clientWidth) return; // a hidden tab has no size yet
    const [scale, position] = [this.network.getScale(), this.network.getViewPosition()];
    this.network.setSize("100%", "100%");
    this.view.search.hint();
    if (!this.opened) {
      this.open();
      return clearTimeout(this.resting); // nobody has moved yet: no need for Python to run again
    }
    this.network.moveTo({ scale, position }); // vis-network would shrink it with its frame
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
    const scale = Math.min(MOST_SCALE, Math.max(this.fitScale() * 0.7, this.network.getScale() * factor));
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
    const [scale, { x, y }] = [this.network.getScale(), this.network.getViewPosition()];
    this.move({ position: { x: x + right * PAN / scale, y: y + down * PAN / scale } });
  }

  centre(id, animated = true) {
    const { x, y } = this.view.nodes.get(id);
    const scale = Math.max(this.network.getScale(), READABLE);
    this.move({ position: { x, y }, scale }, animated && 300);
  }
}
