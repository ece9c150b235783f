// What is drawn: boxes of one or many operators, and under each way of colouring the value, colour
// and bucket (the chip of the legend) of every box.

const MIXED = null; // bucket of a group whose operators differ

class Scene {
  constructor(facts, shape) {
    this.facts = facts;
    this.shape = shape;
    this.boxes = shape.boxes.map((box, i) => ({ ...box, i, group: box.label !== null }));
    this.byId = new Map(this.boxes.map((box) => [box.id, box]));
    this.boxOf = new Array(facts.name.length);
    for (const box of this.boxes) for (const member of box.members) this.boxOf[member] = box.i;
    this.index = new Map(facts.name.map((name, i) => [name, i]));
    const onPath = new Set(facts.critical);
    for (const box of this.boxes) box.critical = box.members.some((member) => onPath.has(member));
    const path = facts.critical.map((member) => this.boxOf[member]);
    this.path = path.filter((box, i) => box !== path[i - 1]);
    const steps = new Set(this.path.slice(1).map((box, i) => `${this.path[i]} ${box}`));
    this.edges = shape.edges.map(([from, to, dropped, route]) =>
      ({ from, to, dropped: Boolean(dropped), route, critical: steps.has(`${from} ${to}`) }));
    this.touching = this.boxes.map(() => []);
    for (const edge of this.edges) {
      this.touching[edge.from].push(edge);
      this.touching[edge.to].push(edge);
    }
  }

  boxOfMember(member) {
    return this.boxes[this.boxOf[member]];
  }

  // The box that shows an operator or a group; none where there is no such name.
  idOf(name) {
    if (this.byId.has(name)) return name;
    const member = this.index.get(name);
    return member === undefined ? null : this.boxOfMember(member).id;
  }

  // Other colours and marks for the same boxes: who chose one of them or an edge keeps it.
  repaint(paint) {
    this.paint = paint;
    const marked = new Set(paint.marked);
    for (const box of this.boxes) box.marked = box.members.some((member) => marked.has(member));
  }

  // The ways of colouring, in the order of the menu.
  modes() {
    const scales = this.facts.scales.map((scale) => ({ key: scale.key, label: `${scale.label}, ${scale.unit}`, scale }));
    return [
      { key: "cluster", label: "Cluster", counts: "cluster" },
      { key: "worker", label: "Worker", counts: "worker" },
      { key: "kind", label: "Kind of operator" },
      ...scales,
    ];
  }

  // Colours of every box; `cluster`, one number an operator, stands in for the paint's own.
  colour(mode, cluster = this.paint.cluster) {
    this.cluster = cluster;
    const column = mode.scale ? this.facts.values[mode.key]
      : mode.key === "kind" ? this.facts.kind
        : mode.key === "cluster" ? cluster : this.paint.worker;
    this.bucketOf = mode.scale ? (i) => bin(column[i], mode.scale.edges) : (i) => column[i];
    for (const box of this.boxes) {
      if (mode.scale) this.byScale(box, column, mode.scale);
      else this.byGroup(box, column, mode);
    }
    for (const edge of this.edges) {
      edge.crosses = one(this.boxes[edge.from].members, cluster) !== one(this.boxes[edge.to].members, cluster);
    }
  }

  byGroup(box, column, mode) {
    const bucket = one(box.members, column);
    box.bucket = bucket;
    [box.fill, box.text] = bucket === MIXED ? this.paint.none : this.paint.fills[bucket];
    const none = box.members.every((member) => column[member] === null);
    box.badge = bucket !== MIXED ? String(bucket) : none ? "–" : "…";
    if (mode.key === "kind") box.badge = bucket === MIXED ? "…" : this.facts.kinds[bucket].slice(0, 3);
    box.note = this.kind(box);
  }

  byScale(box, column, scale) {
    const value = gather(box.members.map((member) => column[member]), scale.gather);
    box.bucket = bin(value, scale.edges);
    [box.fill, box.text] = [scale.fills[box.bucket], scale.texts[box.bucket]];
    box.badge = short(value);
    box.note = `${box.badge} ${scale.unit} · ${this.kind(box)}`;
  }

  kind(box) {
    if (box.group) return `${box.members.length} operators`;
    return box.clone ? `clone of ${box.clone}` : this.facts.op[box.members[0]];
  }

  holds(box, bucket) {
    return box.members.some((member) => this.bucketOf(member) === bucket);
  }

  // Chips of the legend: bucket, what it is called, how many operators.
  legend(mode) {
    const counts = new Map();
    for (let i = 0; i < this.facts.name.length; i++) {
      const bucket = this.bucketOf(i);
      if (bucket !== null) counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
    }
    if (mode.scale) return mode.scale.fills.map((fill, bucket) => ({
      bucket, fill, text: mode.scale.texts[bucket], operators: counts.get(bucket) ?? 0,
      label: interval(bucket, mode.scale),
    }));
    const order = [...counts.keys()].sort((a, b) => a - b);
    return order.map((bucket) => {
      const [fill, text] = this.paint.fills[bucket];
      const label = mode.key === "kind" ? this.facts.kinds[bucket] : String(bucket);
      return { bucket, fill, text, label, operators: counts.get(bucket) };
    });
  }

  // Pairs of a tooltip.
  about(box) {
    const { facts } = this;
    const sum = (key) => gather(box.members.map((member) => facts.values[key][member]), "sum");
    const cost = ["cost", `${short(sum("cost"))} ${facts.unit} (${facts.costModel})`];
    const numbers = (column) => [...new Set(box.members.map((member) => column[member] ?? "none"))];
    const listed = (column) => shorten(numbers(column).map(String), 6);
    if (box.group) return [
      ["operators", String(box.members.length)], cost, ["clusters", listed(this.cluster)],
      ["kinds", shorten([...new Set(box.members.map((member) => facts.op[member]))], 6)],
      ["", "double click or X to expand"],
    ];
    const [i] = box.members;
    const told = facts.about[i].map((line) => [line.slice(0, line.indexOf(": ")), line.slice(line.indexOf(": ") + 2)]);
    const error = facts.values.error && [["predicted", `${short(facts.values.error[i])} % off measured`]];
    return [
      ["kind", facts.op[i]], ["module", facts.module[i]], ...told, cost,
      ["send", `${short(facts.values.send[i])} ${facts.unit}`],
      ["slack", box.critical ? "none: critical path" : `${short(facts.values.slack[i])} ${facts.unit}`],
      ...(error || []),
      ["cluster", listed(this.cluster)], ["worker", listed(this.paint.worker)],
    ].filter(([, value]) => value !== "");
  }
}

function one(members, column) {
  const first = column[members[0]];
  return members.every((member) => column[member] === first) ? first ?? MIXED : MIXED;
}

function bin(value, edges) {
  let at = 0;
  while (at < edges.length && value >= edges[at]) at++;
  return at;
}

function gather(values, how) {
  if (how === "min") return Math.min(...values);
  const sum = values.reduce((a, b) => a + b, 0);
  return how === "mean" ? sum / values.length : sum;
}

function interval(bucket, { edges, unit }) {
  if (bucket === 0) return `below ${short(edges[0])} ${unit}`;
  if (bucket === edges.length) return `${short(edges.at(-1))} ${unit} and more`;
  return `${short(edges[bucket - 1])} to ${short(edges[bucket])}`;
}

function short(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 100 ? value.toFixed(0) : size >= 0.01 ? String(Number(value.toPrecision(2))) : "<.01";
}

function shorten(texts, most) {
  return texts.length <= most ? texts.join(", ") : `${texts.slice(0, most).join(", ")} and ${texts.length - most} more`;
}
