// The small map of the whole, in the corner of a graph that is shown in part; it steers the camera.

const MAP = { width: 200, height: 130 }; // px at most
const FRAME = 6; // px around the graph

class Minimap {
  constructor(view) {
    this.view = view;
    this.canvas = view.find(".map");
    const steer = (event) => event.buttons && this.steer(event.offsetX, event.offsetY);
    this.canvas.onpointerdown = (event) => { this.canvas.setPointerCapture(event.pointerId); steer(event); };
    this.canvas.onpointermove = steer;
  }

  // Every box, once for a colouring: what is drawn with every frame is only a copy of it.
  paint() {
    const { scene, camera, width, height } = this.view;
    const { left, right, top, bottom } = camera.bounds;
    this.scale = Math.min(MAP.width / (right - left), MAP.height / (bottom - top));
    this.sharp = window.devicePixelRatio || 1;
    this.whole = document.createElement("canvas");
    for (const canvas of [this.canvas, this.whole]) {
      canvas.width = ((right - left) * this.scale + 2 * FRAME) * this.sharp;
      canvas.height = ((bottom - top) * this.scale + 2 * FRAME) * this.sharp;
    }
    this.canvas.style.width = `${this.canvas.width / this.sharp}px`;
    this.canvas.style.height = `${this.canvas.height / this.sharp}px`;
    const ctx = this.whole.getContext("2d");
    this.toMap(ctx);
    for (const box of scene.boxes) {
      const [x, y] = [box.x - width / 2, box.y - height / 2];
      ctx.fillStyle = box.critical ? scene.paint.critical : box.fill;
      ctx.fillRect(x, y, width, height);
      if (box.critical) {
        ctx.fillStyle = box.fill;
        ctx.fillRect(x + 20, y, width - 40, height);
      }
    }
  }

  toMap(ctx) {
    const { left, top } = this.view.camera.bounds;
    const scale = this.sharp * this.scale;
    ctx.setTransform(scale, 0, 0, scale, FRAME * this.sharp, FRAME * this.sharp);
    ctx.translate(-left, -top);
  }

  draw() {
    if (!this.whole) return;
    const { canvas, view: { network, stage, camera } } = this;
    const scale = network.getScale();
    canvas.hidden = scale <= camera.fitScale() * 1.05 || stage.clientWidth < 480;
    if (canvas.hidden) return;
    const ctx = canvas.getContext("2d");
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.clearRect(0, 0, canvas.width, canvas.height);
    ctx.drawImage(this.whole, 0, 0);
    const { x, y } = network.getViewPosition();
    const [width, height] = [stage.clientWidth / scale, stage.clientHeight / scale];
    this.toMap(ctx);
    ctx.strokeStyle = this.view.colour("text-color");
    ctx.lineWidth = 1.5 / this.scale;
    ctx.strokeRect(x - width / 2, y - height / 2, width, height);
  }

  steer(x, y) {
    const { left, top } = this.view.camera.bounds;
    this.view.camera.move({ position: { x: left + (x - FRAME) / this.scale, y: top + (y - FRAME) / this.scale } });
  }
}
