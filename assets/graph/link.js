// Views of one page that belong together, such as two plans of one graph: when one moves, zooms or
// selects, the others do the same.

const links = (globalThis.ramielLinks ??= new Map()); // sets of links by name
const STILL = 0.5; // px on the screen by which two views may differ

class Link {
  constructor(view, name) {
    this.view = view;
    this.others = links.get(name) ?? new Set();
    links.set(name, this.others.add(this));
  }

  close() {
    this.others.delete(this);
  }

  // After each drawing: what the user or Python has changed here since the last one goes on to the
  // others. What came from them is known already, so that nothing goes in circles.
  pass() {
    const { camera, choice: { selected } } = this.view;
    if (!camera.opened) return;
    const { scale, position } = camera.now();
    const first = !this.camera;
    if (first || this.away(scale, position)) this.each((other) => other.look(scale, position));
    this.camera = { scale, position };
    if (!first && selected !== this.selected) this.each((other) => other.select(selected));
    this.selected = selected;
  }

  each(does) {
    for (const other of this.others) if (other !== this && other.view.camera.opened) does(other);
  }

  away(scale, { x, y }) {
    const { scale: before, position } = this.camera;
    return Math.hypot(x - position.x, y - position.y) * scale > STILL || Math.abs(scale / before - 1) > 1e-3;
  }

  look(scale, position) {
    this.camera = { scale, position };
    this.view.camera.stay();
    this.view.network.moveTo(this.camera);
  }

  select(id) {
    if (this.view.choice.selected === id) return;
    this.selected = id;
    this.view.choice.pick(id);
  }
}
