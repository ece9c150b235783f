// What a frame of the player says beside the picture: its figures, the reason of a merge, and why the
// two clusters fit after each other.

class Story {
  constructor(player) {
    this.player = player;
    this.view = player.view;
  }

  describe() {
    const { steps, makespan, cut, clusters, unit } = this.player.playback;
    const at = this.player.step();
    this.view.find(".when").textContent = this.player.when();
    const predicted = makespan[this.player.frame];
    this.view.find(".figures").replaceChildren(...[
      ["Predicted makespan", predicted === null ? "–" : `${exact(predicted)} ${unit}`, "Time of one inference if every cluster had a worker of its own, from a simulation."],
      ["Cut edges", cut[this.player.frame], "Values handed from one cluster to another: each has to be copied and signalled."],
      ["Clusters", clusters[this.player.frame], "How many there are: one a worker."],
      ["Pass", at < 0 ? "–" : steps.iteration[at], "Merging goes over all clusters again and again, until a pass merges nothing."],
    ].map(([label, value, meaning]) => {
      const cell = element("div");
      cell.title = meaning;
      cell.append(element("dt", "", label), element("dd", "", String(value)));
      return cell;
    }));
    this.view.find(".reason").replaceChildren(...this.reason(at));
    this.drawSpans(at);
  }

  reason(at) {
    const { steps, chains, unit } = this.player.playback;
    if (at >= 0) return [this.chip(steps.gone[at]), " joins ", this.chip(steps.kept[at]), `: ${steps.reason[at]}`];
    if (this.player.frame === 0) return ["No operator has a cluster yet. Press Play, or step on."];
    const chain = this.player.frame - 1;
    const count = chains.operators[chain];
    return [this.chip(chain), ` is the heaviest path left: ${count} operator${count === 1 ? "" : "s"}, `
      + `from ${exact(chains.distance[chain])} ${unit} before the end.`];
  }

  chip(cluster) {
    const [fill, text] = this.view.data.paint.fills[cluster];
    const chip = element("b", "cluster", String(cluster));
    chip.style.cssText = `background:${fill};color:${text}`;
    return chip;
  }

  // Both clusters on the axis of distance to the end: one worker can do both where they do not overlap.
  drawSpans(at) {
    const { steps, longest, unit } = this.player.playback;
    const spans = this.view.find(".spans");
    spans.replaceChildren();
    if (at < 0) return;
    [steps.kept[at], steps.gone[at]].forEach((cluster, row) => {
      const [start, end] = steps.spans[at][row];
      const track = element("div", "track");
      const bar = element("i");
      bar.style.cssText = `left:${100 * (1 - start / longest)}%;width:${(100 * (start - end)) / longest}%;`
        + `background:${this.view.data.paint.fills[cluster][0]}`;
      track.title = `cluster ${cluster}: from ${exact(start)} to ${exact(end)} ${unit} before the end`;
      track.append(bar);
      spans.append(this.chip(cluster), track);
    });
    spans.append(element("span"), element("span", "axis", `${exact(longest)} ${unit} before the end → the end`));
  }
}

// As many digits as tell one step from the next.
function exact(value) {
  return String(Number(value.toPrecision(4)));
}
