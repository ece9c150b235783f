// The merge player: chain after chain, then merge after merge, drawn without asking Python. Frame f
// shows the first f chains; past the last chain each frame is one merge more.

const FRAME_MS = 1100; // at speed 1
const ICONS = { play: "M5 3l8 5-8 5z", pause: "M4 3h3v10H4zM9 3h3v10H9z" };

class Player {
  constructor(view) {
    this.view = view;
    this.frame = 0;
    this.rest = new Agreed((told) => view.tell("frame", told));
    this.story = new Story(this);
    this.charts = new Charts(this);
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
      this.charts.draw();
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
    this.story.describe();
    this.charts.mark();
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
}
