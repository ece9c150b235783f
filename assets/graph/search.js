// The search field: which boxes the query means, and a walk through them.

const HINTS = ["conv  op:cat  cluster:3  cp:true  cost>1ms", "conv  op:cat  cost>1ms", "conv  op:cat", "Find"];
const CROSS = 20; // px at the end of the field, kept for the cross that empties it

class Search {
  constructor(view) {
    this.view = view;
    this.input = view.find("input[type=search]");
    this.matches = []; // ids of boxes
    this.match = -1; // the one shown; none before the first Enter
    this.found = null; // the same as a set; none without a query
    this.input.oninput = () => this.ask(this.input.value);
    this.input.onkeydown = (event) => {
      if (event.key === "Enter") this.next(event.shiftKey ? -1 : 1);
      if (event.key === "Escape") { this.clear(); view.stage.focus(); }
      event.stopPropagation();
    };
  }

  ask(text) {
    const { scene } = this.view;
    const test = this.understood(text);
    const asked = text.trim() !== "";
    this.matches = asked ? scene.boxes.filter((box) => box.members.some(test)).map((box) => box.id) : [];
    this.found = asked ? new Set(this.matches) : null;
    const again = text === this.sought; // after a rerun
    this.match = again ? Math.min(this.match, this.matches.length - 1) : -1;
    this.sought = text;
    this.count();
    this.view.network.redraw();
  }

  // Which operators are meant; none where the query cannot be understood, which is then said.
  understood(text) {
    const problem = this.view.find(".problem");
    const { cluster, paint, facts } = this.view.scene;
    problem.hidden = true;
    try {
      return parseQuery(text, facts, { cluster, worker: paint.worker });
    } catch (error) {
      if (!(error instanceof QueryError)) throw error;
      problem.textContent = error.message;
      problem.hidden = false;
      return () => false;
    }
  }

  again() {
    this.ask(this.input.value);
  }

  clear() {
    this.input.value = "";
    this.ask("");
  }

  next(step) {
    const total = this.matches.length;
    if (!total) return;
    this.match = this.match < 0 ? (step > 0 ? 0 : total - 1) : (this.match + step + total) % total;
    this.count();
    this.view.choice.go(this.matches[this.match]);
  }

  count() {
    const total = this.matches.length;
    const at = this.match < 0 ? "" : `${this.match + 1} of `;
    this.view.find("output").textContent = this.found ? (total ? `${at}${total}` : "none") : "";
  }

  isAt(box) {
    return box.id === this.matches[this.match];
  }

  dims(box) {
    return Boolean(this.found && !this.found.has(box.id));
  }

  // The longest hint that is not cut off.
  hint() {
    const ctx = document.createElement("canvas").getContext("2d");
    ctx.font = getComputedStyle(this.input).font;
    const fits = (text) => ctx.measureText(text).width <= this.input.clientWidth - CROSS;
    this.input.placeholder = HINTS.find(fits) ?? "";
  }
}
