// The operator graph. vis-network (the constant `vis`, put before this text by
// graph_component.py) gives zoom, pan, hover and clicks; boxes and edges are drawn here, along the
// routes that layout.py found, in the colours of Streamlit's theme.

const READABLE = 0.8; // scale at which a name can be read without effort
const SMALL_GRAPH = 80; // operators up to which the whole graph opens in view
const NUMBERS_ONLY = 0.34; // below this scale a box shows its cluster's number alone
const BADGE = 30; // px, the part of a box that holds the number
const MARGIN = 28; // px on the screen around a graph shown whole
const MAP = { width: 200, height: 130 };

export default function ({ parentElement, data, setStateValue }) {
  const root = parentElement.querySelector(".graph");
  // The view outlives reruns on its element, and with it zoom, position and search.
  root.style.height = `${data.height}px`;
  root.view ??= new GraphView(root);
  root.view.onPick = (name) => setStateValue("selected", name);
  root.view.show(data);
  return () => root.view.close();
}

class GraphView {
  constructor(root) {
    this.root = root;
    this.find = (selector) => root.querySelector(selector);
    this.stage = this.find(".stage");
    this.nodes = new Map();
    this.matches = [];
    this.match = -1;
    this.cluster = null; // the one that the legend singles out
    this.selected = null;
    this.hovered = null;
    this.fitted = new Map(); // names, shortened to the width of a box
    this.network = new vis.Network(this.stage, { nodes: [], edges: [] }, {
      autoResize: false, // it asks once a second; the observer below is told at once
      physics: false,
      layout: { improvedLayout: false },
      interaction: { hover: true, dragNodes: false, selectable: false, tooltipDelay: 0 },
      nodes: { shape: "custom", fixed: true, chosen: false, ctxRenderer: (at) => this.box(at) },
    });
    this.network.on("beforeDrawing", (ctx) => this.drawEdges(ctx));
    this.network.on("afterDrawing", () => this.drawMap());
    this.network.on("click", (event) => this.pick(this.network.getNodeAt(event.pointer.DOM)));
    this.network.on("hoverNode", ({ node, pointer }) => this.hover(node, pointer.DOM));
    this.network.on("blurNode", () => this.hover(null));
    this.network.on("zoom", () => { this.hover(null); this.limitZoom(); });
    this.network.on("dragStart", () => this.hover(null));
    this.listen();
    this.resized = new ResizeObserver(() => this.resize());
    this.resized.observe(this.stage);
  }

  close() {
    this.resized.disconnect();
    this.network.destroy();
    delete this.root.view;
  }

  listen() {
    for (const button of this.root.querySelectorAll(".bar button")) {
      button.onclick = () => this[button.dataset.do]();
    }
    const input = this.find("input");
    input.oninput = () => this.search(input.value);
    input.onkeydown = (event) => {
      if (event.key === "Enter") this.next(event.shiftKey ? -1 : 1);
      if (event.key === "Escape") { input.value = ""; this.search(""); }
      event.stopPropagation(); // Streamlit has shortcuts of its own: "r" reruns the page
    };
    this.stage.onpointerleave = () => this.hover(null);
    const map = this.find(".map");
    const steer = (event) => event.buttons && this.steer(event.offsetX, event.offsetY);
    map.onpointerdown = (event) => { map.setPointerCapture(event.pointerId); steer(event); };
    map.onpointermove = steer;
  }

  // ---- what Python sends

  show(data) {
    this.data = data;
    [this.width, this.height] = data.options.box;
    this.nodes = new Map(data.nodes.map((node) => [node.id, node]));
    const places = data.nodes.map(({ id, x, y }) => `${id} ${x} ${y}`).join("\n");
    this.drawPaths();
    this.showLegend(); // first, since its rows take height from the stage
    if (places !== this.places) this.place(places);
    this.resize();
    this.paintMap();
    if (data.selected !== this.asked) this.follow(data.selected);
    this.search(this.find("input").value);
  }

  place(places) {
    this.places = places;
    const xs = this.data.nodes.map((node) => node.x);
    const ys = this.data.nodes.map((node) => node.y);
    this.bounds = {
      left: Math.min(...xs) - this.width / 2, right: Math.max(...xs) + this.width / 2,
      top: Math.min(...ys) - this.height / 2, bottom: Math.max(...ys) + this.height / 2,
    };
    this.fitted.clear();
    this.asked = this.data.selected; // a new graph opens on what was chosen in it
    this.selected = this.nodes.has(this.asked) ? this.asked : null;
    this.network.setData({ nodes: this.data.nodes.map(({ id, x, y }) => ({ id, x, y })), edges: [] });
    this.opened = false;
  }

  follow(name) {
    this.asked = name;
    if (name === this.selected) return;
    this.selected = this.nodes.has(name) ? name : null;
    if (this.selected !== null) this.centre(this.selected);
    this.onPick(this.selected); // so that the next click is told apart from this one
  }

  // ---- moving about

  resize() {
    if (!this.stage.clientWidth) return; // a hidden tab has no size yet
    const [scale, position] = [this.network.getScale(), this.network.getViewPosition()];
    this.network.setSize("100%", "100%");
    if (!this.opened) return this.open();
    this.network.moveTo({ scale, position }); // vis-network would shrink it with its frame
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
    const whole = this.fitScale();
    if (this.nodes.size <= SMALL_GRAPH || whole >= READABLE) return this.fit(false);
    if (this.selected !== null) return this.centre(this.selected, false);
    const { left, top } = this.bounds;
    const half = (pixels) => (pixels / 2 - MARGIN) / READABLE;
    const first = this.data.nodes[0]; // wide graphs have nothing in their corner
    this.network.moveTo({
      scale: READABLE,
      position: {
        x: Math.max(left + half(this.stage.clientWidth), first.x),
        y: top + half(this.stage.clientHeight),
      },
    });
  }

  fit(animated = true) {
    const { left, right, top, bottom } = this.bounds;
    this.network.moveTo({
      scale: Math.min(this.fitScale(), 1.15),
      position: { x: (left + right) / 2, y: (top + bottom) / 2 },
      animation: animated && { duration: 300 },
    });
  }

  in() { this.zoomBy(1.35); }
  out() { this.zoomBy(1 / 1.35); }

  zoomBy(factor) {
    const scale = Math.min(3, Math.max(this.fitScale() * 0.7, this.network.getScale() * factor));
    this.network.moveTo({ scale, animation: { duration: 150 } });
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

  centre(name, animated = true) {
    const { x, y } = this.nodes.get(name);
    const scale = Math.max(this.network.getScale(), READABLE);
    this.network.moveTo({ position: { x, y }, scale, animation: animated && { duration: 300 } });
  }

  pick(name = null) {
    if (name === this.selected) name = null; // a second click lets go
    this.selected = this.asked = name;
    this.network.redraw();
    this.onPick(name);
  }

  // ---- search and legend

  search(text) {
    const wanted = text.trim().toLowerCase();
    const hit = ({ id, op }) => id.toLowerCase().includes(wanted) || op.toLowerCase().includes(wanted);
    this.matches = wanted ? this.data.nodes.filter(hit).map((node) => node.id) : [];
    this.found = wanted ? new Set(this.matches) : null;
    this.match = Math.min(this.match, this.matches.length - 1);
    if (!wanted) this.match = -1;
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
    if (!this.data.legend.some((entry) => entry.cluster === this.cluster)) this.cluster = null;
    legend.replaceChildren();
    if (this.data.nodes.some((node) => node.critical)) {
      legend.append(line("critical path", this.data.options.critical, "critical"));
    }
    if (this.data.edges.some((edge) => edge.dropped)) {
      legend.append(line("edge implied by others", "inherit", "dropped"));
    }
    legend.append(...this.data.legend.map((entry) => this.chip(entry)));
  }

  chip({ cluster, fill, text, operators }) {
    const chip = element("button");
    const number = element("b", "", String(cluster));
    number.style.cssText = `background:${fill};color:${text}`;
    chip.append(number, `${operators} op${operators === 1 ? "" : "s"}`);
    chip.title = `Cluster ${cluster}: show it alone`;
    chip.setAttribute("aria-pressed", String(this.cluster === cluster));
    chip.onclick = () => {
      this.cluster = this.cluster === cluster ? null : cluster;
      this.showLegend();
      this.network.redraw();
    };
    return chip;
  }

  // ---- drawing

  dimmed(node) {
    if (this.cluster !== null && node.cluster !== this.cluster) return true;
    return Boolean(this.found && !this.found.has(node.id));
  }

  colour(name) {
    return getComputedStyle(this.root).getPropertyValue(`--st-${name}`).trim();
  }

  drawPaths() {
    const kinds = { dropped: [], plain: [], crosses: [], critical: [] };
    this.touching = new Map(this.data.nodes.map((node) => [node.id, []]));
    for (const edge of this.data.edges) {
      const kind = ["dropped", "critical", "crosses"].find((name) => edge[name]) ?? "plain";
      kinds[kind].push(edge);
      this.touching.get(edge.from).push(edge);
      this.touching.get(edge.to).push(edge);
    }
    this.paths = Object.fromEntries(
      Object.entries(kinds).map(([kind, edges]) => [kind, path(edges)]));
  }

  drawEdges(ctx) {
    if (!this.paths) return;
    this.text = this.colour("text-color");
    this.font = this.colour("font") || "sans-serif";
    this.scale = this.network.getScale();
    const filtered = this.found || this.cluster !== null;
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
    stroke(this.paths.critical, this.data.options.critical, 3, 1, 1.6);
    const near = this.hovered ?? this.selected;
    if (near !== null) stroke(path(this.touching.get(near) ?? []), this.data.options.accent, 2.6, 1, 1.6);
    ctx.restore();
  }

  box({ ctx, id, x, y }) {
    const node = this.nodes.get(id);
    return {
      drawNode: () => node && this.drawBox(ctx, node, x, y),
      nodeDimensions: { width: this.width, height: this.height },
    };
  }

  drawBox(ctx, node, x, y) {
    const [left, top] = [x - this.width / 2, y - this.height / 2];
    const outline = (grow, colour, width) => {
      ctx.beginPath();
      ctx.roundRect(left - grow, top - grow, this.width + 2 * grow, this.height + 2 * grow, 8 + grow);
      ctx.strokeStyle = colour;
      ctx.lineWidth = Math.max(width, 1 / this.scale);
      ctx.stroke();
    };
    ctx.save();
    ctx.globalAlpha = this.dimmed(node) ? 0.16 : 1;
    ctx.beginPath();
    ctx.roundRect(left, top, this.width, this.height, 8);
    ctx.fillStyle = node.fill;
    ctx.fill();
    if (node.clone) ctx.setLineDash([6, 4]);
    outline(0, node.critical ? this.data.options.critical : "rgb(0 0 0 / 22%)", node.critical ? 3.5 : node.clone ? 2.5 : 1);
    ctx.setLineDash([]);
    this.drawText(ctx, node, left, y);
    if (node.id === this.matches[this.match]) outline(4, this.data.options.accent, 5);
    if (node.id === this.hovered) outline(3, this.text, 1.5);
    if (node.id === this.selected) outline(4, this.text, 3);
    ctx.restore();
  }

  drawText(ctx, node, left, y) {
    const number = node.cluster === null ? "–" : String(node.cluster);
    ctx.fillStyle = node.text;
    ctx.textBaseline = "middle";
    ctx.textAlign = "center";
    if (this.scale < NUMBERS_ONLY) {
      ctx.font = `600 30px ${this.font}`;
      if (this.scale > 0.1) ctx.fillText(number, left + this.width / 2, y + 2);
      return;
    }
    ctx.font = `700 14px ${this.font}`;
    ctx.fillText(number, left + BADGE / 2 + 1, y + 1);
    ctx.fillRect(left + BADGE, y - this.height / 2 + 9, 0.8, this.height - 18);
    ctx.textAlign = "left";
    ctx.font = `600 12px ${this.font}`;
    ctx.fillText(this.shorten(ctx, node.id), left + BADGE + 8, y - 8);
    ctx.font = `400 11px ${this.font}`;
    const kind = node.clone ? `clone of ${node.clone}` : node.op;
    ctx.fillText(this.shorten(ctx, kind), left + BADGE + 8, y + 9);
  }

  shorten(ctx, name) {
    let short = this.fitted.get(name);
    if (short === undefined) {
      const room = this.width - BADGE - 16;
      short = name;
      for (let from = 1; ctx.measureText(short).width > room && from < name.length; from++) {
        short = `…${name.slice(from)}`; // the end tells a name from its neighbours
      }
      this.fitted.set(name, short);
    }
    return short;
  }

  // ---- hover

  hover(name, at) {
    if (name === null && this.hovered === null) return;
    this.hovered = name;
    this.network.redraw();
    this.stage.classList.toggle("over", name !== null);
    const tip = this.find(".tip");
    tip.hidden = name === null;
    if (name === null) return;
    const [head, ...lines] = this.nodes.get(name).title.split("\n");
    const value = (line) => line.slice(line.indexOf(": ") + 2);
    tip.replaceChildren(element("div", "head", value(head)), ...lines.flatMap((line) =>
      [element("dt", "", line.slice(0, line.indexOf(": "))), element("dd", "", value(line))]));
    const beside = (pointer, size, room) =>
      pointer + 18 + size < room ? pointer + 18 : Math.max(8, pointer - 18 - size);
    const top = this.stage.offsetTop;
    tip.style.left = `${beside(at.x, tip.offsetWidth, this.root.clientWidth)}px`;
    tip.style.top = `${beside(at.y + top, tip.offsetHeight, this.root.clientHeight)}px`;
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
    for (const node of this.data.nodes) {
      ctx.fillStyle = node.critical ? this.data.options.critical : node.fill;
      ctx.fillRect(node.x - this.width / 2, node.y - this.height / 2, this.width, this.height);
      if (node.critical) {
        ctx.fillStyle = node.fill;
        ctx.fillRect(node.x - this.width / 2 + 20, node.y - this.height / 2, this.width - 40, this.height);
      }
    }
  }

  toMap(ctx, sharp) {
    ctx.setTransform(sharp * this.mapScale, 0, 0, sharp * this.mapScale, 6 * sharp, 6 * sharp);
    ctx.translate(-this.bounds.left, -this.bounds.top);
  }

  drawMap() {
    const map = this.find(".map");
    if (!this.miniature) return;
    const scale = this.network.getScale();
    map.hidden = scale <= this.fitScale() * 1.05 || this.stage.clientWidth < 480;
    if (map.hidden) return;
    map.style.bottom = `${this.find(".legend").offsetHeight + 12}px`;
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
    const position = {
      x: this.bounds.left + (x - 6) / this.mapScale, y: this.bounds.top + (y - 6) / this.mapScale,
    };
    this.network.moveTo({ position });
  }
}

function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text; // never markup: names come from the user's model
  return made;
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
