// The operator graph: what Python sends goes to the parts that show it, what the user does to those
// that answer. vis-network gives zoom, pan, hover and clicks.

const still = matchMedia("(prefers-reduced-motion: reduce)");

class GraphView {
  constructor(root, [vis]) {
    this.root = root;
    this.find = (selector) => root.querySelector(selector);
    this.stage = this.find(".stage");
    this.network = new vis.Network(this.stage, { nodes: [], edges: [] }, {
      autoResize: false, // it asks once a second; the camera's observer is told at once
      physics: false,
      layout: { improvedLayout: false },
      interaction: { hover: true, dragNodes: false, selectable: false, tooltipDelay: 0 },
      nodes: { shape: "custom", fixed: true, chosen: false, ctxRenderer: (at) => this.drawing.box(at) },
    });
    this.stage.firstElementChild.removeAttribute("tabindex"); // the stage itself has the keys
    this.camera = new Camera(this);
    this.colours = new Colours(this);
    this.drawing = new Drawing(this);
    this.minimap = new Minimap(this);
    this.choice = new Choice(this);
    this.groups = new Groups(this);
    this.search = new Search(this);
    this.tip = new Tip(this);
    this.network.on("afterDrawing", () => this.drawn());
    this.listen();
  }

  listen() {
    const does = {
      toggle: () => this.groups.toggle(),
      out: () => this.camera.out(),
      in: () => this.camera.in(),
      fit: () => this.camera.fit(),
      full: () => this.full(),
      help: () => this.help(),
    };
    for (const button of this.root.querySelectorAll(".bar button")) button.onclick = does[button.dataset.do];
    this.root.onkeydown = (event) => onKey(this, event);
    this.stage.onpointerdown = () => this.stage.focus({ preventScroll: true });
  }

  close() {
    this.player?.close();
    this.link?.close();
    this.camera.close();
    this.network.destroy();
  }

  // ---- what Python sends

  show(data, [, facts, shape, playback]) {
    const known = this.scene?.shape === shape && this.scene.facts === facts;
    this.data = data;
    if (data.link) this.link ??= new Link(this, data.link);
    [this.width, this.height] = shape.box;
    if (!known) this.scene = new Scene(facts, shape);
    this.scene.repaint(data.paint);
    this.nodes = this.scene.byId;
    this.groups.hear(data.expanded);
    this.colours.offer();
    if (playback) this.play(playback);
    this.recolour();
    const asked = this.choice.hear(data.selected);
    if (!known) this.place();
    this.camera.resize();
    if (asked) this.choice.follow();
    this.search.again();
    this.choice.say();
  }

  play(playback) {
    this.player ??= new Player(this);
    this.player.load(playback, this.data.frame);
  }

  place() {
    const { boxes } = this.scene;
    this.camera.frame(boxes);
    this.drawing.forget();
    this.tip.forget();
    this.choice.open();
    this.network.setData({ nodes: boxes.map(({ id, x, y }) => ({ id, x, y })), edges: [] });
    if (!this.groups.anchored()) this.camera.opened = false;
    this.minimap.paint();
  }

  recolour() {
    this.colours.apply(this.player?.clusters());
    this.drawing.route();
    if (this.camera.bounds) this.minimap.paint();
    this.network.redraw();
  }

  drawn() {
    if (this.camera.opened) this.drawnAt ??= performance.now(); // read by benchmarks/graph_page.py
    this.minimap.draw();
    this.link?.pass();
  }

  // ---- asked by several parts

  colour(name) {
    return getComputedStyle(this.root).getPropertyValue(`--st-${name}`).trim();
  }

  title(box) {
    return box.group ? `${box.label} (${box.members.length} operators)` : box.id;
  }

  dimmed(box) {
    return this.colours.dims(box) || this.search.dims(box);
  }

  // ---- for the whole of it

  full() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.root.requestFullscreen();
  }

  letGo() {
    this.help(false);
    this.search.clear();
    this.colours.single(null);
    if (this.choice.selected !== null) this.choice.pick(null);
  }

  help(open) {
    showKeys(this, keyRows(this), open);
  }
}

export default shownBy(GraphView, ".graph", ({ facts, shape, playback }) =>
  ["vis-network", facts, shape, ...(playback ? [playback] : [])]);
