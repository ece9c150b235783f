// What stands beside the pointer about the box below it.

const BESIDE = 18; // px from the pointer

class Tip {
  constructor(view) {
    this.view = view;
    this.hovered = null;
    view.network.on("hoverNode", ({ node, pointer }) => this.hover(node, pointer.DOM));
    view.network.on("blurNode", () => this.hover(null));
    view.network.on("zoom", () => this.hover(null));
    view.network.on("dragStart", () => this.hover(null));
    view.stage.onpointerleave = () => this.hover(null);
  }

  forget() {
    this.hovered = null;
  }

  hover(id, at) {
    if (id === null && this.hovered === null) return;
    const { nodes, network, stage, scene } = this.view;
    this.hovered = id;
    network.redraw();
    stage.classList.toggle("over", id !== null);
    const tip = this.view.find(".tip");
    tip.hidden = id === null;
    if (id === null) return;
    const box = nodes.get(id);
    tip.replaceChildren(element("div", "head", this.view.title(box)), ...scene.about(box).flatMap(
      ([key, value]) => [element("dt", "", key), element("dd", "", value)]));
    const beside = (pointer, size, room) =>
      pointer + BESIDE + size < room ? pointer + BESIDE : Math.max(8, pointer - BESIDE - size);
    tip.style.left = `${beside(at.x, tip.offsetWidth, stage.clientWidth)}px`;
    tip.style.top = `${beside(at.y, tip.offsetHeight, stage.clientHeight)}px`;
  }
}
