// Boxes and edges on vis-network's canvas, along the routes that layout.py found, in the colours of
// Streamlit's theme.

const NUMBERS_ONLY = 0.34; // below this scale a box shows its badge alone
const BADGE = 30; // px, the part of a box that holds the number
const WIDE_BADGE = 44; // px, where it holds an amount
const ROUND = 8; // px, the corners of a box

class Drawing {
  constructor(view) {
    this.view = view;
    this.fitted = new Map(); // names, shortened to the width of a box
    view.network.on("beforeDrawing", (ctx) => this.edges(ctx));
  }

  forget() {
    this.fitted.clear();
  }

  // ---- edges

  // One path for all edges of a kind; needed anew where clusters changed.
  route() {
    const kinds = { dropped: [], plain: [], crosses: [], critical: [] };
    for (const edge of this.view.scene.edges) {
      const kind = ["dropped", "critical", "crosses"].find((name) => edge[name]) ?? "plain";
      kinds[kind].push(edge);
    }
    this.paths = Object.fromEntries(
      Object.entries(kinds).map(([kind, edges]) => [kind, path(edges)]));
  }

  edges(ctx) {
    if (!this.paths) return;
    const { network, scene, nodes, choice, tip, search, colours } = this.view;
    this.text = this.view.colour("text-color");
    this.font = this.view.colour("font") || "sans-serif";
    this.scale = network.getScale();
    const { critical, accent } = scene.paint;
    const filtered = search.found || colours.only !== null;
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
    const near = nodes.get(tip.hovered ?? choice.selected);
    if (near) stroke(path(scene.touching[near.i]), accent, 2.6, 1, 1.6);
    if (choice.armed) stroke(path([choice.armed]), this.text, 4.5, 1, 3);
    ctx.restore();
  }

  // ---- boxes

  // How vis-network draws one.
  box({ ctx, id, x, y }) {
    const { nodes, width, height } = this.view;
    const box = nodes.get(id);
    return {
      drawNode: () => box && this.draw(ctx, box, x - width / 2, y - height / 2),
      nodeDimensions: { width, height },
    };
  }

  draw(ctx, box, left, top) {
    ctx.save();
    ctx.globalAlpha = this.view.dimmed(box) ? 0.16 : 1;
    this.fill(ctx, box, left, top);
    this.label(ctx, box, left, top);
    if (box.marked) this.mark(ctx, left, top);
    this.highlight(ctx, box, left, top);
    ctx.restore();
  }

  fill(ctx, box, left, top) {
    const { width, height, scene } = this.view;
    const fill = (away) => {
      ctx.beginPath();
      ctx.roundRect(left + away, top + away, width, height, ROUND);
      ctx.fillStyle = box.fill;
      ctx.fill();
      ctx.strokeStyle = "rgb(0 0 0 / 35%)";
      ctx.lineWidth = 1;
      if (away) ctx.stroke();
    };
    if (box.group) { fill(8); fill(4); } // a stack of boxes
    fill(0);
    if (box.clone) ctx.setLineDash([6, 4]);
    const border = box.critical ? scene.paint.critical : "rgb(0 0 0 / 22%)";
    this.outline(ctx, left, top, 0, border, box.critical ? 3.5 : box.clone ? 2.5 : 1);
    ctx.setLineDash([]);
  }

  outline(ctx, left, top, grow, colour, width) {
    ctx.beginPath();
    ctx.roundRect(left - grow, top - grow, this.view.width + 2 * grow, this.view.height + 2 * grow, ROUND + grow);
    ctx.strokeStyle = colour;
    ctx.lineWidth = Math.max(width, 1 / this.scale);
    ctx.stroke();
  }

  highlight(ctx, box, left, top) {
    const { scene, player, search, choice, tip } = this.view;
    const { accent } = scene.paint;
    const outline = (...how) => this.outline(ctx, left, top, ...how);
    const glow = player?.glow(box) ?? 0;
    if (glow) { outline(5, accent, 4 + 8 * glow); outline(3, this.text, 2); }
    if (search.isAt(box)) outline(4, accent, 5);
    if (box.id === tip.hovered) outline(3, this.text, 1.5);
    if (box.id === choice.selected) outline(4, this.text, 3);
  }

  // Dashes around the box, and where it is large enough, a corner turned down.
  mark(ctx, left, top) {
    ctx.fillStyle = this.text;
    ctx.setLineDash([7, 4]);
    this.outline(ctx, left, top, 3, this.text, Math.max(2.5, 1.6 / this.scale));
    ctx.setLineDash([]);
    const right = left + this.view.width;
    ctx.beginPath();
    ctx.moveTo(right - 14, top);
    ctx.lineTo(right, top);
    ctx.lineTo(right, top + 14);
    ctx.fill();
  }

  // ---- names

  label(ctx, box, left, top) {
    const { width, height, colours } = this.view;
    const middle = top + height / 2;
    ctx.fillStyle = box.text;
    ctx.textBaseline = "middle";
    ctx.textAlign = "center";
    if (this.scale < NUMBERS_ONLY) {
      ctx.font = `600 30px ${this.font}`;
      if (this.scale > 0.1) ctx.fillText(box.badge, left + width / 2, middle + 2);
      return;
    }
    const isCount = colours.mode.counts;
    const badge = isCount ? BADGE : WIDE_BADGE;
    ctx.font = `700 ${isCount ? 14 : 12}px ${this.font}`;
    ctx.fillText(box.badge, left + badge / 2 + 1, middle + 1);
    ctx.fillRect(left + badge, top + 9, 0.8, height - 18);
    ctx.textAlign = "left";
    ctx.font = `600 12px ${this.font}`;
    ctx.fillText(this.shorten(ctx, box.label ?? box.id, badge), left + badge + 8, middle - 8);
    ctx.font = `400 11px ${this.font}`;
    ctx.fillText(this.shorten(ctx, box.note, badge, true), left + badge + 8, middle + 9);
  }

  // The end of a name tells it from its neighbours, the beginning of a note says the most.
  shorten(ctx, text, badge, keepsHead = false) {
    const key = `${badge} ${text}`;
    let fitting = this.fitted.get(key);
    if (fitting === undefined) {
      const part = (count) => (keepsHead ? `${text.slice(0, count)}…` : `…${text.slice(-count)}`);
      fitting = longest(text, part, (shown) => ctx.measureText(shown).width <= this.view.width - badge - 16);
      this.fitted.set(key, fitting);
    }
    return fitting;
  }
}

// The whole text where it fits, or else the longest part of it that does.
function longest(text, part, fits) {
  if (fits(text)) return text;
  let [count, tooMany] = [1, text.length];
  while (tooMany - count > 1) {
    const middle = (count + tooMany) >> 1;
    if (fits(part(middle))) count = middle;
    else tooMany = middle;
  }
  return part(count);
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
