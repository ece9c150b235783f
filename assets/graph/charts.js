// The charts over all frames of the player; a click goes to a frame.

const CHART = { width: 290, height: 48, pad: 4 };

class Charts {
  constructor(player) {
    this.player = player;
  }

  draw() {
    const { makespan, cut, clusters, unit } = this.player.playback;
    this.player.view.find(".charts").replaceChildren(
      this.chart(`Predicted makespan, ${unit}`, makespan), this.chart("Cut edges", cut), this.chart("Clusters", clusters));
  }

  chart(label, values) {
    const { width, height, pad } = CHART;
    const known = values.filter((value) => value !== null);
    const [low, high] = [Math.min(...known), Math.max(...known)];
    const share = (value) => (high > low ? (value - low) / (high - low) : 0.5);
    const y = (value) => height - pad - share(value) * (height - 2 * pad);
    const line = values.map((value, f) => (value === null ? null : [this.x(f), y(value)]));
    const figure = element("figure");
    const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${label} over the steps` });
    svg.append(
      drawn("rect", { x: this.x(0), width: this.x(this.player.chains) - this.x(0), y: 0, height, class: "clustering" }),
      drawn("path", { d: polyline(line) }), drawn("line", { y1: 0, y2: height }), drawn("circle", { r: 4 }));
    svg.places = line;
    svg.onclick = (event) => {
      const box = svg.getBoundingClientRect();
      const at = ((event.clientX - box.left) / box.width) * width;
      this.player.go(Math.round(((at - pad) / (width - 2 * pad)) * this.player.last));
    };
    const span = exact(low) === exact(high) ? exact(low) : `${exact(low)} to ${exact(high)}`;
    const range = known.length ? span : "not predicted: the graph is too large";
    const caption = element("figcaption", "", label);
    caption.append(element("span", "", range));
    figure.append(caption, svg);
    return figure;
  }

  x(frame) {
    return CHART.pad + (frame / Math.max(this.player.last, 1)) * (CHART.width - 2 * CHART.pad);
  }

  mark() {
    for (const svg of this.player.view.root.querySelectorAll(".charts svg")) {
      const place = svg.places[this.player.frame];
      const [line, dot] = [svg.querySelector("line"), svg.querySelector("circle")];
      line.setAttribute("x1", this.x(this.player.frame));
      line.setAttribute("x2", this.x(this.player.frame));
      dot.setAttribute("visibility", place ? "visible" : "hidden");
      if (place) { dot.setAttribute("cx", place[0]); dot.setAttribute("cy", place[1]); }
    }
  }
}

function drawn(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function polyline(places) {
  return places.map((place, i) => (place ? `${places[i - 1] ? "L" : "M"}${place[0]} ${place[1]}` : "")).join("");
}
