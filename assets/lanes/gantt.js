// Timelines below each other on one axis: who does what when, predicted or measured. A click on a
// bar selects its operator. Elements are used again: a step of a slider draws a thousand bars anew.

const [ROW, LOW_ROW] = [30, 18]; // px
const CAPTION = 30; // px, above each timeline
const DOES = { compute: "computes", copy: "copies it out", wait: "waits for it", dispatch: "is on its way to it" };

class GanttView extends TimeSheet {
  constructor(root) {
    super(root);
    this.elements = [];
    this.bars = []; // what each element shows
    this.chosen = new Agreed((told) => this.tell("selected", told));
    this.scroll.onclick = ({ target }) => this.click(this.bars[target.number]?.name ?? null);
    this.scroll.onpointermove = (event) => this.hover(event);
    this.walk = new Walk(this);
  }

  show(data, timelines) {
    const isNew = JSON.stringify(data.shown) !== JSON.stringify(this.data?.shown);
    this.data = data;
    if (isNew) this.draw(timelines);
    const asked = this.chosen.hear(data.selected);
    if (isNew || asked) this.mark();
    if (asked) this.reveal();
  }

  // ---- drawing

  draw(timelines) {
    const { data } = this;
    const workers = timelines.reduce((sum, timeline) => sum + timeline.workers, 0);
    const latest = Math.max(...timelines.map(({ makespan }) => makespan));
    this.lay(latest, data.unit, workers > MANY ? LOW_ROW : ROW, data.colours);
    this.drawAxis(); // before the bars: it asks for a width, which would lay all of them out twice
    this.bars = [];
    this.walk.begin();
    for (const old of this.tracks.querySelectorAll(".end")) old.remove();
    const rows = [];
    let top = 0;
    timelines.forEach((timeline, i) => {
      rows.push(this.caption(data.shown[i].label, timeline), ...this.heads(timeline.workers));
      top += CAPTION;
      this.place(timeline, top);
      top += timeline.workers * this.row;
    });
    this.find(".rows").replaceChildren(...rows);
    for (const bar of this.elements.splice(this.bars.length)) bar.remove();
    this.drawLegend();
    this.scroll.setAttribute("aria-label", timelines.map(({ workers: count, makespan }, i) =>
      `${data.shown[i].label}: ${this.amount(makespan)}, ${many(count, "worker")}`).join("; ")
      + ". Arrow keys go from operator to operator, Enter selects.");
  }

  caption(label, { makespan }) {
    const line = element("div", "caption");
    const text = element("span", "", ` ${this.amount(makespan)}`);
    text.prepend(element("b", "", label));
    line.append(text);
    return line;
  }

  heads(workers) {
    return Array.from({ length: workers }, (_, worker) => {
      const row = element("div", "row");
      row.append(element("div", "head", `worker ${worker}`));
      return row;
    });
  }

  place(timeline, top) {
    const strong = new Set(timeline.outlined);
    timeline.name.forEach((name, i) => {
      const [kind, worker] = [timeline.kind[i], timeline.worker[i]];
      const bar = { name: timeline.names[name], kind, worker, start: timeline.start[i], end: timeline.end[i] };
      bar.strong = strong.has(i);
      bar.top = top + worker * this.row;
      const shown = this.elementFor(this.bars.push(bar) - 1);
      shown.className = bar.strong ? `${kind} strong` : kind;
      this.put(shown, bar.top, bar.start, bar.end);
      this.name(shown, bar);
    });
    const line = this.end(timeline.makespan);
    line.style.top = `${top}px`;
    line.style.height = `${timeline.workers * this.row}px`;
    this.tracks.append(line);
  }

  elementFor(number) {
    const known = this.elements[number];
    if (known) return known;
    const made = element("i");
    made.number = number;
    this.elements.push(made);
    this.tracks.append(made);
    return made;
  }

  name(shown, { name, kind, start, end }) {
    const text = kind === "compute" && this.legible(start, end) ? name : "";
    if (shown.textContent !== text) shown.textContent = text;
  }

  resize() {
    super.resize();
    this.bars.forEach((bar, i) => this.name(this.elements[i], bar));
  }

  drawLegend() {
    const kinds = Object.keys(DOES).filter((kind) => this.bars.some((bar) => bar.kind === kind));
    const entry = (kind, text) => {
      const item = element("span", "", text);
      item.prepend(element("i", kind));
      return item;
    };
    this.find(".legend").replaceChildren(...kinds.map((kind) => entry(kind, kind)),
      ...(this.bars.some(({ strong }) => strong) ? [entry("compute strong", this.data.because)] : []));
  }

  // ---- choosing

  click(name) {
    if (name === null && !this.chosen.value) return;
    this.chosen.say(name === this.chosen.value ? null : name); // a second click lets go
    this.mark();
  }

  // Everything else steps back, where the operator is in the chart at all.
  mark() {
    const { value } = this.chosen;
    this.bars.forEach(({ name }, i) => this.elements[i].classList.toggle("selected", name === value));
    this.root.classList.toggle("selecting", this.bars.some(({ name }) => name === value));
  }

  reveal() {
    const bar = this.bars.find(({ name, kind }) => name === this.chosen.value && kind === "compute");
    if (bar) this.revealBar(bar);
  }

  revealBar({ start, end, top }) {
    this.revealTime(start, end);
    this.revealRow(top);
  }

  hover(event) {
    const bar = this.bars[event?.target.number];
    if (bar) this.showTip(event, bar.name, this.about(bar));
    else this.hideTip();
  }

  about({ kind, worker, start, end, strong }) {
    const says = [[`worker ${worker}`, DOES[kind]], ["takes", this.amount(end - start)],
      ["from", this.amount(start)], ["to", this.amount(end)]];
    if (strong) says.push(["", this.data.because]);
    return says;
  }
}

export default shownBy(GanttView, ".gantt", ({ shown }) => shown.map(({ key }) => key));
