// What the fill of a box stands for: the menu of ways, and the legend, whose chips show one bucket
// alone.

class Colours {
  constructor(view) {
    this.view = view;
    this.select = view.find(".mode select");
    this.only = null; // the bucket that the legend singles out
    this.select.onchange = () => this.set(this.select.value);
  }

  offer() {
    const { scene, data } = this.view;
    const modes = scene.modes();
    if (!data.playback) this.key ??= data.colour;
    this.key = modes.some(({ key }) => key === this.key) ? this.key : "cluster";
    const options = modes.map(({ key, label }) => new Option(label, key));
    if (!scene.facts.values.error) {
      options.push(new Option("Predicted against measured (measure first)"));
      options.at(-1).disabled = true;
    }
    this.select.replaceChildren(...options);
    this.select.value = this.key;
  }

  set(key) {
    this.key = key;
    this.only = null;
    this.select.value = key;
    this.view.recolour();
    this.view.tell("colour", key);
  }

  next() {
    const modes = this.view.scene.modes();
    const at = modes.findIndex(({ key }) => key === this.key);
    this.set(modes[(at + 1) % modes.length].key);
  }

  // `clusters`, one number an operator, stand in for those that Python sent.
  apply(clusters) {
    const { scene } = this.view;
    this.mode = scene.modes().find(({ key }) => key === this.key);
    scene.colour(this.mode, clusters);
    this.explain();
  }

  single(bucket) {
    this.only = bucket;
    this.explain();
    this.view.network.redraw();
  }

  dims(box) {
    return this.only !== null && !this.view.scene.holds(box, this.only);
  }

  // ---- the legend

  explain() {
    const { scene } = this.view;
    const chips = scene.legend(this.mode);
    if (!chips.some(({ bucket }) => bucket === this.only)) this.only = null;
    const lines = [
      [scene.path.length, "critical path", scene.paint.critical, "critical"],
      [scene.edges.some((edge) => edge.dropped), "edge implied by others", "inherit", "dropped"],
      [scene.paint.marked.length, scene.paint.because, "inherit", "marked"],
    ];
    this.view.find(".legend").replaceChildren(
      element("span", "of", `${this.mode.label}:`),
      ...lines.flatMap(([shown, ...line]) => (shown ? [this.line(...line)] : [])),
      ...chips.map((chip) => this.chip(chip)));
  }

  line(text, colour, kind) {
    const item = element("span", `line ${kind}`);
    const sample = element("i");
    sample.style.color = colour;
    item.append(sample, text);
    return item;
  }

  chip({ bucket, fill, text, label, operators }) {
    const chip = element("button");
    const number = element("b", "", label);
    number.style.cssText = `background:${fill};color:${text}`;
    chip.append(number, `${operators} op${operators === 1 ? "" : "s"}`);
    chip.title = `${this.mode.label} ${label}: show it alone`;
    chip.dataset.bucket = bucket;
    chip.setAttribute("aria-pressed", String(this.only === bucket));
    chip.onclick = () => {
      this.single(this.only === bucket ? null : bucket);
      this.view.find(`.legend [data-bucket="${bucket}"]`)?.focus(); // the chip was made anew
    };
    return chip;
  }
}
