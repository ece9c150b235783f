// Workers as rows over one axis of time that can be zoomed: what the lanes of the page Edit and the
// Gantt charts share. Bars are placed in shares of the time, so that a zoom moves none of them.

const HEAD = 84; // px, the name of a row
const MANY = 12; // workers from which on rows are lower
const MOST_ZOOM = 400;
const LEGIBLE = 44; // px that a bar is wide before its name is written on it
const TICK = 90; // px at least from one number of the axis to the next

class TimeSheet {
  constructor(root) {
    this.root = root;
    this.find = (selector) => root.querySelector(selector);
    this.scroll = this.find(".scroll");
    this.tracks = this.find(".tracks");
    this.zoom = 1;
    root.style.setProperty("--head", `${HEAD}px`);
    for (const button of root.querySelectorAll(".bar button")) {
      button.onclick = () => this[button.dataset.do]();
    }
    this.scroll.onpointerleave = () => this.hover(null);
    this.scroll.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      this.zoomBy(Math.exp(-event.deltaY / 200), event.clientX);
    }, { passive: false });
    this.resized = new ResizeObserver(() => this.resize());
    this.resized.observe(this.scroll);
  }

  close() {
    this.resized.disconnect();
  }

  // ---- drawing

  // What the axis is to hold, in which unit, and how high a row is.
  lay(makespan, unit, row, colours) {
    this.longest = makespan * 1.02 || 1;
    this.unit = unit;
    this.row = row;
    this.root.style.setProperty("--row", `${row}px`);
    for (const [name, colour] of Object.entries(colours)) this.root.style.setProperty(`--${name}`, colour);
  }

  amount(value) {
    return `${Number(value.toPrecision(value >= 100 ? 5 : 4))} ${this.unit}`;
  }

  put(bar, top, start, end) {
    bar.style.top = `${top}px`;
    bar.style.left = `${(100 * start) / this.longest}%`;
    bar.style.width = `${(100 * (end - start)) / this.longest}%`;
  }

  end(makespan) {
    const line = element("i", "end");
    line.style.left = `${(100 * makespan) / this.longest}%`;
    return line;
  }

  drawAxis() {
    this.width = this.tracks.clientWidth;
    if (!this.longest || !this.width) return; // a hidden tab has no size yet
    const least = (this.longest * TICK) / this.width;
    const power = 10 ** Math.floor(Math.log10(least));
    const step = [1, 2, 5, 10].map((n) => n * power).find((value) => value >= least);
    const ticks = [];
    for (let i = 0; i * step < this.longest; i++) {
      const tick = element("span", "", String(Number((i * step).toPrecision(12))));
      tick.style.left = `${(100 * i * step) / this.longest}%`;
      ticks.push(tick);
    }
    ticks[0].textContent = `0 ${this.unit}`;
    this.find(".axis").replaceChildren(...ticks);
  }

  resize() {
    this.drawAxis();
  }

  legible(start, end) {
    return ((end - start) / this.longest) * this.width >= LEGIBLE;
  }

  // ---- zoom

  in() { this.zoomBy(1.5); }
  out() { this.zoomBy(1 / 1.5); }
  fit() { this.zoomBy(1 / this.zoom); }

  // The time below `clientX`, or else in the middle, stays where it is.
  zoomBy(factor, clientX) {
    const { scroll } = this;
    const box = scroll.getBoundingClientRect();
    const x = (clientX ?? box.x + (HEAD + box.width) / 2) - box.x - HEAD;
    const place = (scroll.scrollLeft + x) / this.tracks.clientWidth;
    this.zoom = Math.min(MOST_ZOOM, Math.max(1, this.zoom * factor));
    this.root.style.setProperty("--zoom", this.zoom);
    scroll.scrollLeft = place * this.tracks.clientWidth - x;
    this.resize();
  }

  // scrollIntoView would move the whole page.
  revealTime(start, end) {
    const { scroll } = this;
    const [left, right] = [start, end].map((time) => (time / this.longest) * this.tracks.clientWidth);
    const room = scroll.clientWidth - HEAD;
    if (left < scroll.scrollLeft || right > scroll.scrollLeft + room) scroll.scrollLeft = (left + right - room) / 2;
  }

  revealRow(top) {
    const { scroll } = this;
    const room = scroll.clientHeight - this.find(".axis").offsetHeight;
    if (top < scroll.scrollTop) scroll.scrollTop = top;
    if (top + this.row > scroll.scrollTop + room) scroll.scrollTop = top + this.row - room;
  }

  // ---- what the pointer is over

  showTip(event, title, says) {
    const tip = this.find(".tip");
    tip.replaceChildren(element("div", "head", title),
      ...says.flatMap(([key, value]) => [element("dt", "", key), element("dd", "", value)]));
    tip.hidden = false;
    if (!tip.matches(":popover-open")) tip.showPopover(); // a chart of few rows would cut it off
    const [x, y, below] = [event.clientX, event.clientY, event.clientY + 16];
    const fits = below + tip.offsetHeight < innerHeight;
    tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - tip.offsetWidth - 6))}px`;
    tip.style.top = `${fits ? below : Math.max(4, y - tip.offsetHeight - 8)}px`;
  }

  hideTip() {
    this.find(".tip").hidden = true;
  }

  // ---- keyboard

  zoomKeys() {
    return { "+": () => this.in(), "=": () => this.in(), "-": () => this.out(), f: () => this.fit() };
  }

  // Streamlit has keys of its own ("r" reruns the page), so what is used here goes no further.
  key(event, keys) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("button") && (event.key === " " || event.key === "Enter")) return;
    const does = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (does) this.used(event, does);
  }

  used(event, does) {
    event.preventDefault();
    event.stopPropagation();
    this.hideTip();
    does();
  }
}

function many(count, noun = "operator") {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
