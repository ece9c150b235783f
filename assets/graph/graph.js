// The operator graph. vis-network gives zoom, pan, hover and clicks; boxes and edges are drawn
// here, along the routes that layout.py found, in the colours of Streamlit's theme.

const READABLE = 0.8; // scale at which a name can be read without effort
const SMALL_GRAPH = 80; // boxes up to which the whole graph opens in view
const NUMBERS_ONLY = 0.34; // below this scale a box shows its badge alone
const BADGE = 30; // px, the part of a box that holds the number
const WIDE_BADGE = 44; // px, where it holds an amount
const MARGIN = 28; // px on the screen around a graph shown whole
const MAP = { width: 200, height: 130 };
const REST_MS = 350; // after a movement, until Python hears where the view is
const PAN = 90; // px, one press of an arrow
const NEAR_EDGE = 7; // px on the screen within which a click means an edge
const HINTS = ["conv  op:cat  cluster:3  cp:true  cost>1ms", "conv  op:cat  cost>1ms", "conv  op:cat", "Find"];

const still = matchMedia("(prefers-reduced-motion: reduce)");

export default function ({ parentElement, data, setStateValue }) {
  const root = parentElement.querySelector(".graph");
  root.style.height = `${data.height}px`;
  root.since ??= performance.now();
  root.wanted = data;
  present(root, data, setStateValue);
  return () => { root.wanted = null; root.view?.close(); };
}

// The view outlives reruns on its element, and with it zoom, position and search.
async function present(root, data, tell) {
  const keys = ["vis-network", data.facts, data.shape, ...(data.playback ? [data.playback] : [])];
  const [vis, facts, shape, playback] = await Promise.all(keys.map(get));
  if (root.wanted !== data) return; // a newer one came meanwhile
  root.view ??= new GraphView(root, vis);
  if (data.link) root.view.link ??= new Link(root.view, data.link);
  root.view.tell = unlessLeaving(tell);
  root.view.show(data, facts, shape, playback);
}

class GraphView {
  constructor(root, vis) {
    this.root = root;
    this.find = (selector) => root.querySelector(selector);
    this.stage = this.find(".stage");
    this.matches = [];
    this.match = -1;
    this.only = null; // the bucket that the legend singles out
    this.selected = null; // the box that holds what is chosen
    this.chosen = new Agreed((told) => this.tell("selected", told));
    this.hovered = null;
    this.armed = null; // the edge that a jump would follow
    this.fitted = new Map(); // names, shortened to the width of a box
    this.network = new vis.Network(this.stage, { nodes: [], edges: [] }, {
      autoResize: false, // it asks once a second; the observer below is told at once
      physics: false,
      layout: { improvedLayout: false },
      interaction: { hover: true, dragNodes: false, selectable: false, tooltipDelay: 0 },
      nodes: { shape: "custom", fixed: true, chosen: false, ctxRenderer: (at) => this.box(at) },
    });
    this.network.on("beforeDrawing", (ctx) => this.drawEdges(ctx));
    this.network.on("afterDrawing", () => this.drawn());
    this.network.on("click", (event) => this.click(event.pointer));
    this.network.on("doubleClick", ({ pointer }) => this.expand(this.network.getNodeAt(pointer.DOM)));
    this.network.on("hoverNode", ({ node, pointer }) => this.hover(node, pointer.DOM));
    this.network.on("blurNode", () => this.hover(null));
    this.network.on("zoom", () => { this.hover(null); this.limitZoom(); this.moved(); });
    this.network.on("dragStart", () => this.hover(null));
    this.network.on("dragEnd", () => this.moved());
    this.network.on("animationFinished", () => this.moved());
    this.listen();
    this.resized = new ResizeObserver(() => this.resize());
    this.resized.observe(this.stage);
  }

  close() {
    clearTimeout(this.resting);
    this.player?.pause();
    this.link?.close();
    this.resized.disconnect();
    this.network.destroy();
    delete this.root.view;
  }

  listen() {
    for (const button of this.root.querySelectorAll(".bar button")) {
      button.onclick = () => this[button.dataset.do]();
    }
    this.root.onkeydown = (event) => onKey(this, event);
    const input = this.find("input[type=search]");
    input.oninput = () => this.search(input.value);
    input.onkeydown = (event) => {
      if (event.key === "Enter") this.next(event.shiftKey ? -1 : 1);
      if (event.key === "Escape") { input.value = ""; this.search(""); this.stage.focus(); }
      event.stopPropagation();
    };
    this.find(".mode select").onchange = (event) => this.setMode(event.target.value);
    this.stage.onpointerleave = () => this.hover(null);
    this.stage.onpointerdown = () => this.stage.focus({ preventScroll: true });
    const map = this.find(".map");
    const steer = (event) => event.buttons && this.steer(event.offsetX, event.offsetY);
    map.onpointerdown = (event) => { map.setPointerCapture(event.pointerId); steer(event); };
    map.onpointermove = steer;
  }

  // ---- what Python sends

  show(data, facts, shape, playback) {
    const known = this.scene?.shape === shape && this.scene.facts === facts;
    this.data = data;
    this.expanded = new Set(data.expanded);
    [this.width, this.height] = shape.box;
    if (!known) this.scene = new Scene(facts, shape);
    this.scene.repaint(data.paint);
    this.nodes = this.scene.byId;
    this.offerModes();
    if (playback) this.playback(playback, data);
    this.recolour();
    const asked = this.chosen.hear(data.selected);
    if (!known) this.place();
    this.resize();
    if (asked) this.follow();
    this.search(this.find("input[type=search]").value);
    this.say();
  }

  playback(playback, data) {
    this.player ??= new Player(this);
    this.player.load(playback, data.frame);
  }

  place() {
    const { boxes } = this.scene;
    const xs = boxes.map((box) => box.x);
    const ys = boxes.map((box) => box.y);
    this.bounds = {
      left: Math.min(...xs) - this.width / 2, right: Math.max(...xs) + this.width / 2,
      top: Math.min(...ys) - this.height / 2, bottom: Math.max(...ys) + this.height / 2,
    };
    this.fitted.clear();
    this.hovered = this.armed = null;
    this.selected = this.idOf(this.chosen.value); // a new graph opens on what was chosen in it
    this.network.setData({ nodes: boxes.map(({ id, x, y }) => ({ id, x, y })), edges: [] });
    if (!this.anchored()) this.opened = false;
    this.paintMap();
  }

  // Expanding in place: what was under the pointer stays there.
  anchored() {
    const anchor = this.anchor;
    this.anchor = null;
    if (!anchor || !this.opened) return false;
    const box = this.scene.boxes[this.scene.boxOf[anchor.member]];
    const scale = this.network.getScale();
    const position = { x: box.x - anchor.dx / scale, y: box.y - anchor.dy / scale };
    this.network.moveTo({ scale, position });
    return true;
  }

  idOf(name) {
    if (name === null || name === undefined) return null;
    if (this.nodes.has(name)) return name;
    const member = this.scene.index.get(name);
    return member === undefined ? null : this.scene.boxes[this.scene.boxOf[member]].id;
  }

  follow() {
    const id = this.idOf(this.chosen.value);
    if (id === this.selected) return;
    this.selected = id;
    this.armed = null;
    if (id !== null) this.centre(id);
  }

  // ---- colours

  offerModes() {
    const select = this.find(".mode select");
    const modes = this.scene.modes();
    if (!this.data.playback) this.mode ??= this.data.colour;
    this.mode = modes.find(({ key }) => key === this.mode) ? this.mode : "cluster";
    select.replaceChildren(...modes.map(({ key, label }) => {
      const option = element("option", "", label);
      option.value = key;
      return option;
    }));
    if (!this.scene.facts.values.error) {
      const option = element("option", "", "Predicted against measured (measure first)");
      option.disabled = true;
      select.append(option);
    }
    select.value = this.mode;
  }

  setMode(key) {
    this.mode = key;
    this.only = null;
    this.find(".mode select").value = key;
    this.recolour();
    this.tell("colour", key);
  }

  nextMode() {
    const modes = this.scene.modes();
    const at = modes.findIndex(({ key }) => key === this.mode);
    this.setMode(modes[(at + 1) % modes.length].key);
  }

  recolour() {
    this.current = this.scene.modes().find(({ key }) => key === this.mode);
    this.scene.colour(this.current, this.player?.clusters());
    this.drawPaths();
    this.showLegend();
    if (this.bounds) this.paintMap();
    this.network.redraw();
  }

  // ---- moving about

  move(where, ms) {
    const animation = ms && !still.matches ? { duration: ms } : false;
    this.network.moveTo({ ...where, animation });
    if (!animation) this.moved();
  }

  moved() {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => {
      if (!this.opened || !this.data.viewport) return;
      const { x, y } = this.network.getViewPosition();
      const round = (value) => Math.round(value * 1000) / 1000;
      this.tell("viewport", { shape: this.data.shape, x: round(x), y: round(y), scale: round(this.network.getScale()) });
    }, REST_MS);
  }

  resize() {
    if (!this.stage.clientWidth) return; // a hidden tab has no size yet
    const [scale, position] = [this.network.getScale(), this.network.getViewPosition()];
    this.network.setSize("100%", "100%");
    this.hint();
    if (!this.opened) {
      this.open();
      return clearTimeout(this.resting); // nobody has moved yet: no need for Python to run again
    }
    this.network.moveTo({ scale, position }); // vis-network would shrink it with its frame
  }

  // The longest hint that is not cut off.
  hint() {
    const input = this.find("input[type=search]");
    const ctx = document.createElement("canvas").getContext("2d");
    ctx.font = getComputedStyle(input).font;
    const fits = (text) => ctx.measureText(text).width <= input.clientWidth;
    input.placeholder = HINTS.find(fits) ?? "";
  }

  fitScale() {
    const { left, right, top, bottom } = this.bounds;
    const room = (have, need) => (have - 2 * MARGIN) / Math.max(need, 1);
    return Math.min(room(this.stage.clientWidth, right - left),
      room(this.stage.clientHeight, bottom - top));
  }

  open() {
    if (!this.stage.clientWidth || !this.nodes.size) return;
    this.opened = true;
    const { scale, x, y, shape } = this.data.viewport ?? {};
    if (shape === this.data.shape) return this.move({ scale, position: { x, y } });
    const whole = this.fitScale();
    if (this.player || this.nodes.size <= SMALL_GRAPH || whole >= READABLE) return this.fit(false);
    if (this.selected !== null) return this.centre(this.selected, false);
    const { left, top } = this.bounds;
    const half = (pixels) => (pixels / 2 - MARGIN) / READABLE;
    const first = this.scene.boxes[0]; // wide graphs have nothing in their corner
    this.move({
      scale: READABLE,
      position: {
        x: Math.max(left + half(this.stage.clientWidth), first.x),
        y: top + half(this.stage.clientHeight),
      },
    });
  }

  fit(animated = true) {
    const { left, right, top, bottom } = this.bounds;
    this.move({
      scale: Math.min(this.fitScale(), 1.15),
      position: { x: (left + right) / 2, y: (top + bottom) / 2 },
    }, animated && 300);
  }

  in() { this.zoomBy(1.35); }
  out() { this.zoomBy(1 / 1.35); }

  zoomBy(factor) {
    const scale = Math.min(3, Math.max(this.fitScale() * 0.7, this.network.getScale() * factor));
    this.move({ scale }, 150);
  }

  pan(right, down) {
    const [scale, { x, y }] = [this.network.getScale(), this.network.getViewPosition()];
    this.move({ position: { x: x + right * PAN / scale, y: y + down * PAN / scale } });
  }

  limitZoom() {
    const scale = this.network.getScale();
    const lowest = Math.min(this.fitScale() * 0.7, 1);
    if (scale < lowest) this.network.moveTo({ scale: lowest });
    if (scale > 3) this.network.moveTo({ scale: 3 });
  }

  full() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.root.requestFullscreen();
  }

  centre(id, animated = true) {
    const { x, y } = this.nodes.get(id);
    const scale = Math.max(this.network.getScale(), READABLE);
    this.move({ position: { x, y }, scale }, animated && 300);
  }

  // ---- choosing

  click({ DOM, canvas }) {
    const id = this.network.getNodeAt(DOM);
    const edge = id === undefined ? this.edgeAt(canvas) : null;
    if (edge) return this.armEdge(edge);
    this.pick(id === this.selected ? null : id); // a second click lets go
  }

  pick(id = null) {
    this.selected = id;
    this.armed = null;
    this.say();
    this.network.redraw();
    this.chosen.say(id);
  }

  go(id) {
    this.pick(id);
    this.centre(id);
  }

  along(step) {
    const { path, boxes } = this.scene;
    if (!path.length) return;
    const at = path.findIndex((box) => boxes[box].id === this.selected);
    const next = at < 0 ? (step > 0 ? 0 : path.length - 1) : Math.min(Math.max(at + step, 0), path.length - 1);
    this.go(boxes[path[next]].id);
  }

  arm(step) {
    if (this.selected === null) return this.say("Choose an operator first; E then goes through its edges.");
    const edges = this.scene.touching[this.nodes.get(this.selected).i];
    if (!edges.length) return this.say("This operator has no edges.");
    const at = edges.indexOf(this.armed);
    this.armed = edges[(at + step + edges.length) % edges.length];
    this.say();
    this.network.redraw();
  }

  armEdge(edge) {
    if (this.selected === null) this.pick(this.scene.boxes[edge.from].id);
    this.armed = edge;
    this.say();
    this.network.redraw();
  }

  jump() {
    if (!this.armed) this.arm(1);
    const edge = this.armed;
    if (!edge) return;
    const { boxes } = this.scene;
    this.go(boxes[boxes[edge.to].id === this.selected ? edge.from : edge.to].id);
    this.armed = edge; // a second jump leads back
    this.say();
  }

  // The edge whose route passes nearest to a place, if any is near.
  edgeAt({ x, y }) {
    let [best, least] = [null, NEAR_EDGE / this.network.getScale()];
    for (const edge of this.scene.edges) {
      for (const [px, py] of along(edge.route)) {
        const away = Math.hypot(px - x, py - y);
        if (away < least) [best, least] = [edge, away];
      }
    }
    return best;
  }

  letGo() {
    this.help(false);
    this.find("input[type=search]").value = "";
    this.only = null;
    this.search("");
    this.showLegend();
    if (this.selected !== null) this.pick(null);
  }

  toggle() {
    const box = this.nodes.get(this.selected);
    if (!box) return this.say("Choose a group first; X then expands it.");
    if (box.group) return this.expand(box.id);
    const outer = this.scene.shape.within[box.members[0]];
    if (!outer) return this.say("This operator is in no group that was expanded.");
    this.expanded.delete(outer);
    this.regroup(box);
  }

  expand(id) {
    const box = this.nodes.get(id);
    if (!box?.group) return;
    this.expanded.add(id);
    this.regroup(box);
  }

  regroup(box) {
    const [scale, { x, y }] = [this.network.getScale(), this.network.getViewPosition()];
    this.anchor = { member: box.members[0], dx: (box.x - x) * scale, dy: (box.y - y) * scale };
    this.tell("expanded", [...this.expanded]);
  }

  // What stands at the foot of the picture, for the eye and for a screen reader.
  say(text = "") {
    const box = this.nodes.get(this.selected);
    const name = (i) => this.title(this.scene.boxes[i]);
    if (!text && this.armed) {
      const far = this.scene.boxes[this.armed.to].id === this.selected ? this.armed.from : this.armed.to;
      text = `${name(this.armed.from)} → ${name(this.armed.to)}. J jumps to ${name(far)}.`;
    } else if (!text && box) {
      text = `${this.title(box)}${box.critical ? ", on the critical path" : ""}`;
    }
    const said = this.find(".said");
    said.textContent = text;
    said.hidden = !text;
    const within = box && !box.group && this.scene.shape.within[box.members[0]];
    const button = this.find(".toggle");
    button.disabled = !box?.group && !within;
    button.querySelector("span").textContent = within ? "Collapse" : "Expand";
    button.hidden = !this.scene.boxes.some((each) => each.group) && !this.expanded.size;
  }

  title(box) {
    return box.group ? `${box.label} (${box.members.length} operators)` : box.id;
  }

  help(open = this.find(".keys").hidden) {
    listKeys(this, this.find(".keys"));
    this.find(".keys").hidden = !open;
    this.find("[data-do=help]").setAttribute("aria-expanded", String(open));
  }

  // ---- search and legend

  search(text) {
    const problem = this.find(".problem");
    let test = () => false;
    problem.hidden = true;
    try {
      const { cluster, paint, facts } = this.scene;
      test = parseQuery(text, facts, { cluster, worker: paint.worker });
    } catch (error) {
      if (!(error instanceof QueryError)) throw error;
      problem.textContent = error.message;
      problem.hidden = false;
    }
    const asked = text.trim() !== "";
    this.matches = asked ? this.scene.boxes.filter((box) => box.members.some(test)).map((box) => box.id) : [];
    this.found = asked ? new Set(this.matches) : null;
    const again = text === this.sought; // after a rerun
    this.match = again ? Math.min(this.match, this.matches.length - 1) : -1;
    this.sought = text;
    this.count();
    this.network.redraw();
  }

  next(step) {
    const total = this.matches.length;
    if (!total) return;
    this.match = this.match < 0 ? (step > 0 ? 0 : total - 1) : (this.match + step + total) % total;
    this.count();
    this.centre(this.matches[this.match]);
  }

  count() {
    const total = this.matches.length;
    const at = this.match < 0 ? "" : `${this.match + 1} of `;
    this.find("output").textContent = this.found ? (total ? `${at}${total}` : "none") : "";
  }

  showLegend() {
    const legend = this.find(".legend");
    const line = (text, colour, kind) => {
      const item = element("span", `line ${kind}`);
      const sample = element("i");
      sample.style.color = colour;
      item.append(sample, text);
      return item;
    };
    const chips = this.scene.legend(this.current);
    if (!chips.some(({ bucket }) => bucket === this.only)) this.only = null;
    legend.replaceChildren(element("span", "of", `${this.current.label}:`));
    if (this.scene.path.length) legend.append(line("critical path", this.scene.paint.critical, "critical"));
    if (this.scene.edges.some((edge) => edge.dropped)) {
      legend.append(line("edge implied by others", "inherit", "dropped"));
    }
    if (this.scene.paint.marked.length) legend.append(line(this.scene.paint.because, "inherit", "marked"));
    legend.append(...chips.map((entry) => this.chip(entry)));
  }

  chip({ bucket, fill, text, label, operators }) {
    const chip = element("button");
    const number = element("b", "", label);
    number.style.cssText = `background:${fill};color:${text}`;
    chip.append(number, `${operators} op${operators === 1 ? "" : "s"}`);
    chip.title = `${this.current.label} ${label}: show it alone`;
    chip.setAttribute("aria-pressed", String(this.only === bucket));
    chip.onclick = () => {
      this.only = this.only === bucket ? null : bucket;
      this.showLegend();
      this.network.redraw();
    };
    return chip;
  }

  // ---- drawing

  dimmed(box) {
    if (this.only !== null && !this.scene.holds(box, this.only)) return true;
    return Boolean(this.found && !this.found.has(box.id));
  }

  colour(name) {
    return getComputedStyle(this.root).getPropertyValue(`--st-${name}`).trim();
  }

  drawPaths() {
    const kinds = { dropped: [], plain: [], crosses: [], critical: [] };
    for (const edge of this.scene.edges) {
      const kind = ["dropped", "critical", "crosses"].find((name) => edge[name]) ?? "plain";
      kinds[kind].push(edge);
    }
    this.paths = Object.fromEntries(
      Object.entries(kinds).map(([kind, edges]) => [kind, path(edges)]));
  }

  drawEdges(ctx) {
    if (!this.paths) return;
    this.text = this.colour("text-color");
    this.font = this.colour("font") || "sans-serif";
    this.scale = this.network.getScale();
    const { critical, accent } = this.scene.paint;
    const filtered = this.found || this.only !== null;
    // `least` px on the screen, or a graph shown whole loses its edges.
    const stroke = ({ lines, heads }, colour, width, alpha, least = 0.8) => {
      ctx.globalAlpha = filtered ? alpha * 0.35 : alpha;
      ctx.strokeStyle = ctx.fillStyle = colour;
      ctx.lineWidth = Math.max(width, least / this.scale);
      ctx.stroke(lines);
      if (this.scale > 0.2) ctx.fill(heads);
    };
    ctx.save();
    ctx.lineJoin = "round";
    stroke(this.paths.dropped, this.text, 0.8, 0.3, 0.3);
    stroke(this.paths.plain, this.text, 1.3, 0.45);
    stroke(this.paths.crosses, this.text, 1.6, 0.8);
    stroke(this.paths.critical, critical, 3, 1, 1.6);
    const near = this.nodes.get(this.hovered ?? this.selected);
    if (near) stroke(path(this.scene.touching[near.i]), accent, 2.6, 1, 1.6);
    if (this.armed) stroke(path([this.armed]), this.text, 4.5, 1, 3);
    ctx.restore();
  }

  box({ ctx, id, x, y }) {
    const box = this.nodes.get(id);
    return {
      drawNode: () => box && this.drawBox(ctx, box, x, y),
      nodeDimensions: { width: this.width, height: this.height },
    };
  }

  drawBox(ctx, box, x, y) {
    const [left, top] = [x - this.width / 2, y - this.height / 2];
    const outline = (grow, colour, width) => {
      ctx.beginPath();
      ctx.roundRect(left - grow, top - grow, this.width + 2 * grow, this.height + 2 * grow, 8 + grow);
      ctx.strokeStyle = colour;
      ctx.lineWidth = Math.max(width, 1 / this.scale);
      ctx.stroke();
    };
    const fill = (right, down) => {
      ctx.beginPath();
      ctx.roundRect(left + right, top + down, this.width, this.height, 8);
      ctx.fillStyle = box.fill;
      ctx.fill();
      ctx.strokeStyle = "rgb(0 0 0 / 35%)";
      ctx.lineWidth = 1;
      if (right) ctx.stroke();
    };
    const { critical, accent } = this.scene.paint;
    ctx.save();
    ctx.globalAlpha = this.dimmed(box) ? 0.16 : 1;
    if (box.group) { fill(8, 8); fill(4, 4); } // a stack of boxes
    fill(0, 0);
    if (box.clone) ctx.setLineDash([6, 4]);
    outline(0, box.critical ? critical : "rgb(0 0 0 / 22%)", box.critical ? 3.5 : box.clone ? 2.5 : 1);
    ctx.setLineDash([]);
    this.drawText(ctx, box, left, y);
    if (box.marked) this.drawMark(ctx, left, y - this.height / 2);
    const glow = this.player?.glow(box) ?? 0;
    if (glow) { outline(5, accent, 4 + 8 * glow); outline(3, this.text, 2); }
    if (box.id === this.matches[this.match]) outline(4, accent, 5);
    if (box.id === this.hovered) outline(3, this.text, 1.5);
    if (box.id === this.selected) outline(4, this.text, 3);
    ctx.restore();
  }

  // Dashes around the box, and where it is large enough, a corner turned down.
  drawMark(ctx, left, top) {
    ctx.strokeStyle = ctx.fillStyle = this.text;
    ctx.lineWidth = Math.max(2.5, 1.6 / this.scale);
    ctx.setLineDash([7, 4]);
    ctx.beginPath();
    ctx.roundRect(left - 3, top - 3, this.width + 6, this.height + 6, 11);
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.beginPath();
    ctx.moveTo(left + this.width - 14, top);
    ctx.lineTo(left + this.width, top);
    ctx.lineTo(left + this.width, top + 14);
    ctx.fill();
  }

  drawText(ctx, box, left, y) {
    ctx.fillStyle = box.text;
    ctx.textBaseline = "middle";
    ctx.textAlign = "center";
    if (this.scale < NUMBERS_ONLY) {
      ctx.font = `600 30px ${this.font}`;
      if (this.scale > 0.1) ctx.fillText(box.badge, left + this.width / 2, y + 2);
      return;
    }
    const badge = this.current.counts ? BADGE : WIDE_BADGE;
    ctx.font = `700 ${this.current.counts ? 14 : 12}px ${this.font}`;
    ctx.fillText(box.badge, left + badge / 2 + 1, y + 1);
    ctx.fillRect(left + badge, y - this.height / 2 + 9, 0.8, this.height - 18);
    ctx.textAlign = "left";
    ctx.font = `600 12px ${this.font}`;
    ctx.fillText(this.shorten(ctx, box.label ?? box.id, badge), left + badge + 8, y - 8);
    ctx.font = `400 11px ${this.font}`;
    ctx.fillText(this.shorten(ctx, box.note, badge, true), left + badge + 8, y + 9);
  }

  // The end of a name tells it from its neighbours, the beginning of a note says the most.
  shorten(ctx, text, badge, keepsHead = false) {
    const key = `${badge} ${text}`;
    let fitting = this.fitted.get(key);
    if (fitting === undefined) {
      const room = this.width - badge - 16;
      const part = (count) => (keepsHead ? `${text.slice(0, count)}…` : `…${text.slice(-count)}`);
      fitting = text;
      if (ctx.measureText(text).width > room) {
        let [fits, tooLong] = [1, text.length];
        while (tooLong - fits > 1) {
          const middle = (fits + tooLong) >> 1;
          if (ctx.measureText(part(middle)).width > room) tooLong = middle;
          else fits = middle;
        }
        fitting = part(fits);
      }
      this.fitted.set(key, fitting);
    }
    return fitting;
  }

  // ---- hover

  hover(id, at) {
    if (id === null && this.hovered === null) return;
    this.hovered = id;
    this.network.redraw();
    this.stage.classList.toggle("over", id !== null);
    const tip = this.find(".tip");
    tip.hidden = id === null;
    if (id === null) return;
    const box = this.nodes.get(id);
    tip.replaceChildren(element("div", "head", this.title(box)), ...this.scene.about(box).flatMap(
      ([key, value]) => [element("dt", "", key), element("dd", "", value)]));
    const beside = (pointer, size, room) =>
      pointer + 18 + size < room ? pointer + 18 : Math.max(8, pointer - 18 - size);
    tip.style.left = `${beside(at.x, tip.offsetWidth, this.stage.clientWidth)}px`;
    tip.style.top = `${beside(at.y, tip.offsetHeight, this.stage.clientHeight)}px`;
  }

  // ---- the small map of the whole

  paintMap() {
    const { left, right, top, bottom } = this.bounds;
    const map = this.find(".map");
    const ratio = Math.min(MAP.width / (right - left), MAP.height / (bottom - top));
    const sharp = window.devicePixelRatio || 1;
    map.width = (right - left) * ratio * sharp + 12 * sharp;
    map.height = (bottom - top) * ratio * sharp + 12 * sharp;
    map.style.width = `${map.width / sharp}px`;
    map.style.height = `${map.height / sharp}px`;
    this.miniature = document.createElement("canvas");
    this.miniature.width = map.width;
    this.miniature.height = map.height;
    const ctx = this.miniature.getContext("2d");
    this.mapScale = ratio;
    this.toMap(ctx, sharp);
    for (const box of this.scene.boxes) {
      const [x, y] = [box.x - this.width / 2, box.y - this.height / 2];
      ctx.fillStyle = box.critical ? this.scene.paint.critical : box.fill;
      ctx.fillRect(x, y, this.width, this.height);
      if (box.critical) {
        ctx.fillStyle = box.fill;
        ctx.fillRect(x + 20, y, this.width - 40, this.height);
      }
    }
  }

  toMap(ctx, sharp) {
    ctx.setTransform(sharp * this.mapScale, 0, 0, sharp * this.mapScale, 6 * sharp, 6 * sharp);
    ctx.translate(-this.bounds.left, -this.bounds.top);
  }

  drawn() {
    if (this.opened) this.drawnAt ??= performance.now(); // read by benchmarks/graph_page.py
    this.drawMap();
    this.link?.pass();
  }

  drawMap() {
    const map = this.find(".map");
    if (!this.miniature) return;
    const scale = this.network.getScale();
    map.hidden = scale <= this.fitScale() * 1.05 || this.stage.clientWidth < 480;
    if (map.hidden) return;
    const sharp = window.devicePixelRatio || 1;
    const ctx = map.getContext("2d");
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.clearRect(0, 0, map.width, map.height);
    ctx.drawImage(this.miniature, 0, 0);
    const { x, y } = this.network.getViewPosition();
    const [width, height] = [this.stage.clientWidth / scale, this.stage.clientHeight / scale];
    this.toMap(ctx, sharp);
    ctx.strokeStyle = this.colour("text-color");
    ctx.lineWidth = 1.5 / this.mapScale;
    ctx.strokeRect(x - width / 2, y - height / 2, width, height);
  }

  steer(x, y) {
    this.move({
      position: {
        x: this.bounds.left + (x - 6) / this.mapScale, y: this.bounds.top + (y - 6) / this.mapScale,
      },
    });
  }
}

// All edges of one kind as one path, and their arrow heads as another.
function path(edges) {
  const [lines, heads] = [new Path2D(), new Path2D()];
  for (const { route, dropped } of edges) {
    lines.moveTo(route[0], route[1]);
    for (let i = 2; i < route.length; i += 6) lines.bezierCurveTo(...route.slice(i, i + 6));
    if (!dropped) arrow(heads, route);
  }
  return { lines, heads };
}

function arrow(heads, route) {
  const [fromX, fromY, x, y] = route.slice(-4);
  const angle = Math.atan2(y - fromY, x - fromX);
  heads.moveTo(x, y);
  for (const side of [-0.42, 0.42]) {
    heads.lineTo(x - 8 * Math.cos(angle + side), y - 8 * Math.sin(angle + side));
  }
  heads.closePath();
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
