// The keyboard on a Gantt chart: from operator to operator, which it says, and selects.

const PAN = 120; // px, one press of a key

class Walk {
  constructor(view) {
    this.view = view;
    this.at = null; // the bar that the keyboard is at, by its place among all
    view.scroll.onblur = () => view.hideTip();
    view.root.onkeydown = (event) => view.key(event, this.keys());
  }

  begin() {
    this.at = null;
  }

  keys() {
    return {
      ArrowLeft: () => this.along(-1), ArrowRight: () => this.along(1),
      ArrowUp: () => this.across(-1), ArrowDown: () => this.across(1),
      w: () => this.view.in(), s: () => this.view.out(), a: () => this.pan(-1), d: () => this.pan(1), // as in Perfetto
      Enter: () => this.at !== null && this.view.click(this.view.bars[this.at].name),
      ...this.view.zoomKeys(),
    };
  }

  pan(step) {
    this.view.scroll.scrollLeft += step * PAN;
  }

  // Places of the bars of a row that compute, in the order of time.
  row(top) {
    const { bars } = this.view;
    const places = bars.flatMap((bar, i) => (bar.kind === "compute" && bar.top === top ? [i] : []));
    return places.sort((a, b) => bars[a].start - bars[b].start);
  }

  tops() {
    const tops = this.view.bars.flatMap(({ kind, top }) => (kind === "compute" ? [top] : []));
    return [...new Set(tops)].sort((a, b) => a - b);
  }

  along(step) {
    if (this.at === null) return this.go(this.row(this.tops()[0])[0]);
    const row = this.row(this.view.bars[this.at].top);
    this.go(row[Math.min(Math.max(row.indexOf(this.at) + step, 0), row.length - 1)]);
  }

  // To the operator of the next row whose middle is nearest in time.
  across(step) {
    if (this.at === null) return this.along(0);
    const { bars } = this.view;
    const from = bars[this.at];
    const away = (i) => Math.abs(bars[i].start + bars[i].end - from.start - from.end);
    const tops = this.tops();
    const row = this.row(tops[tops.indexOf(from.top) + step]);
    if (row.length) this.go(row.reduce((best, i) => (away(i) < away(best) ? i : best)));
  }

  go(place) {
    const { view } = this;
    const [bar, shown] = [view.bars[place], view.elements[place]];
    if (!bar) return;
    view.elements[this.at]?.classList.remove("at");
    shown.classList.add("at");
    this.at = place;
    view.revealBar(bar);
    const { x, bottom } = shown.getBoundingClientRect();
    const about = view.about(bar);
    view.showTip({ clientX: x, clientY: bottom }, bar.name, about);
    view.find(".spoken").textContent = `${bar.name}, ${about.flat().filter(Boolean).join(" ")}`;
  }
}
