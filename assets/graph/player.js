// The merge player: chain after chain, then merge after merge, drawn without asking Python. Frame f
// shows the first f chains; past the last chain each frame is one merge more.

const FRAME_MS = 1100; // at speed 1
const CHART = { width: 290, height: 48, pad: 4 };
const ICONS = { play: "M5 3l8 5-8 5z", pause: "M4 3h3v10H4zM9 3h3v10H9z" };

class Player {
  constructor(view) {
    this.view = view;
    this.frame = 0;
    this.rest = new Agreed((told) => view.tell("frame", told));
    this.timer = this.pulsing = null;
    view.find(".now").hidden = view.find(".transport").hidden = false;
    this.range = view.find(".transport input[type=range]");
    this.range.oninput = () => this.go(Number(this.range.value));
    view.find(".transport").onkeydown = (event) => event.target.matches("input, select") && event.stopPropagation();
    for (const button of view.root.querySelectorAll("[data-step]")) {
      button.onclick = () => this.press(button.dataset.step);
    }
  }

  load(playback, frame) {
    const other = this.playback !== playback;
    if (other) {
      this.playback = playback;
      this.chains = playback.chains.operators.length;
      this.last = this.chains + playback.steps.kept.length;
      this.range.max = this.last;
      this.view.find(".scrub .border").style.left = `${(100 * this.chains) / Math.max(this.last, 1)}%`;
      this.drawCharts();
    }
    const asked = this.rest.hear(frame);
    if (asked || other) this.show(Math.min(this.rest.value, this.last), false);
  }

  // ---- moving through the frames

  press(what) {
    if (what === "play") return this.toggle();
    this.go({ first: 0, back: this.frame - 1, on: this.frame + 1, last: this.last }[what]);
  }

  toggle() {
    if (this.timer) return this.pause();
    if (this.frame >= this.last) this.show(0, true);
    this.playing(true);
    this.tick();
  }

  tick() {
    const speed = Number(this.view.find(".transport select").value);
    this.timer = setTimeout(() => {
      this.show(this.frame + 1, true);
      if (this.frame < this.last) this.tick();
      else this.pause();
    }, FRAME_MS / speed);
  }

  pause() {
    clearTimeout(this.timer);
    this.timer = null;
    this.playing(false);
    this.report();
  }

  close() {
    clearTimeout(this.timer);
    clearTimeout(this.resting);
    cancelAnimationFrame(this.pulsing);
  }

  playing(on) {
    const button = this.view.find(".play");
    button.setAttribute("aria-label", on ? "Pause" : "Play");
    button.querySelector("path").setAttribute("d", on ? ICONS.pause : ICONS.play);
  }

  go(frame) {
    if (this.timer) this.pause();
    this.show(Math.min(Math.max(frame, 0), this.last), true);
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.report(), REST_MS);
  }

  report() {
    if (this.rest.value !== this.frame) this.rest.say(this.frame);
  }

  show(frame, moving) {
    this.frame = frame;
    this.range.value = frame;
    this.range.setAttribute("aria-valuetext", this.when());
    this.flash(moving);
    this.describe();
    if (!this.view.scene) return;
    this.view.recolour();
    if (moving && this.view.find(".follow").checked) this.follow();
  }

  // The camera goes along only where boxes are large enough to be read.
  follow() {
    const first = this.view.scene.boxes.find((box) => this.glow(box));
    if (first && this.view.network.getScale() >= NUMBERS_ONLY) {
      this.view.camera.move({ position: { x: first.x, y: first.y } }, 250);
    }
  }

  // ---- what a frame shows

  step() {
    return this.frame - this.chains - 1; // of the merges; negative before the first
  }

  // Cluster of every operator.
  clusters() {
    const { chain, steps } = this.playback;
    if (this.frame < this.chains) return chain.map((number) => (number < this.frame ? number : null));
    const into = new Map();
    for (let i = 0; i <= this.step(); i++) into.set(steps.gone[i], steps.kept[i]);
    const named = Array.from({ length: this.chains }, (_, number) => {
      while (into.has(number)) number = into.get(number);
      return number;
    });
    return chain.map((number) => named[number]);
  }

  // The two clusters that merge, by the chains that were in them; or the chain just chosen.
  flash(moving) {
    const { chain, steps } = this.playback;
    const at = this.step();
    let wanted = new Set([this.frame - 1]);
    if (at >= 0) {
      wanted = new Set([steps.kept[at], steps.gone[at]]);
      for (let i = at - 1; i >= 0; i--) if (wanted.has(steps.kept[i])) wanted.add(steps.gone[i]);
    } else if (this.frame === this.chains && !moving) wanted.clear();
    this.flashing = new Set(chain.flatMap((number, i) => (wanted.has(number) ? [i] : [])));
    this.since = performance.now();
    if (moving && !still.matches) this.pulse();
  }

  pulse() {
    cancelAnimationFrame(this.pulsing);
    this.pulsing = requestAnimationFrame(() => {
      this.view.network.redraw();
      if (performance.now() - this.since < 700) this.pulse();
    });
  }

  // How strongly a box is outlined, 0 to 1; without motion the outline stays as it is.
  glow(box) {
    if (!box.members.some((member) => this.flashing.has(member))) return 0;
    const age = (performance.now() - this.since) / 700;
    return age > 1 || still.matches ? 0.01 : 0.01 + Math.abs(Math.sin(age * Math.PI * 2)) * (1 - age);
  }

  when() {
    if (this.frame <= this.chains) return `Clustering: ${this.frame} of ${this.chains} chains`;
    return `Merging: step ${this.step() + 1} of ${this.last - this.chains}`;
  }

  describe() {
    const { steps, makespan, cut, clusters, unit } = this.playback;
    const at = this.step();
    this.view.find(".when").textContent = this.when();
    const predicted = makespan[this.frame];
    this.view.find(".figures").replaceChildren(...[
      ["Predicted makespan", predicted === null ? "–" : `${exact(predicted)} ${unit}`, "Time of one inference if every cluster had a worker of its own, from a simulation."],
      ["Cut edges", cut[this.frame], "Values handed from one cluster to another: each has to be copied and signalled."],
      ["Clusters", clusters[this.frame], "How many there are: one a worker."],
      ["Pass", at < 0 ? "–" : steps.iteration[at], "Merging goes over all clusters again and again, until a pass merges nothing."],
    ].map(([label, value, meaning]) => {
      const cell = element("div");
      cell.title = meaning;
      cell.append(element("dt", "", label), element("dd", "", String(value)));
      return cell;
    }));
    this.view.find(".reason").replaceChildren(...this.reason(at));
    this.drawSpans(at);
    this.markCharts();
  }

  reason(at) {
    const { steps, chains, unit } = this.playback;
    if (at >= 0) return [this.chip(steps.gone[at]), " joins ", this.chip(steps.kept[at]), `: ${steps.reason[at]}`];
    if (this.frame === 0) return ["No operator has a cluster yet. Press Play, or step on."];
    const chain = this.frame - 1;
    const count = chains.operators[chain];
    return [this.chip(chain), ` is the heaviest path left: ${count} operator${count === 1 ? "" : "s"}, `
      + `from ${exact(chains.distance[chain])} ${unit} before the end.`];
  }

  chip(cluster) {
    const [fill, text] = this.view.data.paint.fills[cluster];
    const chip = element("b", "cluster", String(cluster));
    chip.style.cssText = `background:${fill};color:${text}`;
    return chip;
  }

  // Both clusters on the axis of distance to the end: one worker can do both where they do not overlap.
  drawSpans(at) {
    const { steps, longest, unit } = this.playback;
    const spans = this.view.find(".spans");
    spans.replaceChildren();
    if (at < 0) return;
    [steps.kept[at], steps.gone[at]].forEach((cluster, row) => {
      const [start, end] = steps.spans[at][row];
      const track = element("div", "track");
      const bar = element("i");
      bar.style.cssText = `left:${100 * (1 - start / longest)}%;width:${(100 * (start - end)) / longest}%;`
        + `background:${this.view.data.paint.fills[cluster][0]}`;
      track.title = `cluster ${cluster}: from ${exact(start)} to ${exact(end)} ${unit} before the end`;
      track.append(bar);
      spans.append(this.chip(cluster), track);
    });
    spans.append(element("span"), element("span", "axis", `${exact(longest)} ${unit} before the end → the end`));
  }

  // ---- charts over the frames

  drawCharts() {
    const { makespan, cut, clusters, unit } = this.playback;
    this.view.find(".charts").replaceChildren(
      this.chart(`Predicted makespan, ${unit}`, makespan), this.chart("Cut edges", cut), this.chart("Clusters", clusters));
  }

  chart(label, values) {
    const { width, height, pad } = CHART;
    const known = values.filter((value) => value !== null);
    const [low, high] = [Math.min(...known), Math.max(...known)];
    const y = (value) => height - pad - ((value - low) / (high - low || 1)) * (height - 2 * pad);
    const line = values.map((value, f) => (value === null ? null : [this.x(f), y(value)]));
    const figure = element("figure");
    const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${label} over the steps` });
    svg.append(
      drawn("rect", { x: this.x(0), width: this.x(this.chains) - this.x(0), y: 0, height, class: "clustering" }),
      drawn("path", { d: polyline(line) }), drawn("line", { y1: 0, y2: height }), drawn("circle", { r: 4 }));
    svg.places = line;
    svg.onclick = (event) => {
      const box = svg.getBoundingClientRect();
      const at = ((event.clientX - box.left) / box.width) * width;
      this.go(Math.round(((at - pad) / (width - 2 * pad)) * this.last));
    };
    const range = known.length ? `${exact(low)} to ${exact(high)}` : "not predicted: the graph is too large";
    const caption = element("figcaption", "", label);
    caption.append(element("span", "", range));
    figure.append(caption, svg);
    return figure;
  }

  x(frame) {
    return CHART.pad + (frame / Math.max(this.last, 1)) * (CHART.width - 2 * CHART.pad);
  }

  markCharts() {
    for (const svg of this.view.root.querySelectorAll(".charts svg")) {
      const place = svg.places[this.frame];
      const [line, dot] = [svg.querySelector("line"), svg.querySelector("circle")];
      line.setAttribute("x1", this.x(this.frame));
      line.setAttribute("x2", this.x(this.frame));
      dot.setAttribute("visibility", place ? "visible" : "hidden");
      if (place) { dot.setAttribute("cx", place[0]); dot.setAttribute("cy", place[1]); }
    }
  }
}

function drawn(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function polyline(places) {
  return places.map((place, i) => (place ? `${places[i - 1] ? "L" : "M"}${place[0]} ${place[1]}` : "")).join("");
}

// As many digits as tell one step from the next.
function exact(value) {
  return String(Number(value.toPrecision(4)));
}
