// Groups of operators drawn as one box: the user expands and collapses them, Python draws anew.

class Groups {
  constructor(view) {
    this.view = view;
    this.open = new Agreed((told) => view.tell("expanded", told));
    this.anchor = null; // what is to stay where it stands on the screen, until the user moves the view
    view.stage.ondblclick = (event) => this.expand(this.under(event));
  }

  hear(sent) {
    this.open.hear(sent);
  }

  // The box under the pointer. vis-network has a double click of its own, but counts the time until it
  // comes to handle the clicks: a page that is busy meanwhile would lose it.
  under({ clientX, clientY }) {
    const { x, y } = this.view.stage.getBoundingClientRect();
    return this.view.network.getNodeAt({ x: clientX - x, y: clientY - y });
  }

  toggle() {
    const { choice, nodes } = this.view;
    const box = nodes.get(choice.selected);
    if (!box) return choice.say("Choose a group first; X then expands it.");
    if (box.group) return this.expand(box.id);
    const outer = this.around(box);
    if (!outer) return choice.say("This operator is in no group that was expanded.");
    this.ask(box, outer, this.open.value.filter((id) => id !== outer));
  }

  expand(id) {
    const box = this.view.nodes.get(id);
    if (!box?.group || this.open.value.includes(id)) return;
    this.ask(box, id, [...this.open.value, id]);
  }

  // The group that an operator was expanded from, if any.
  around(box) {
    return this.view.scene.shape.within[box.members[0]];
  }

  ask(box, group, open) {
    const { scale, position: { x, y } } = this.view.camera.now();
    this.anchor = { group, member: box.members[0], dx: (box.x - x) * scale, dy: (box.y - y) * scale };
    this.open.say(open);
  }

  // What was under the pointer stays there, however often the graph is drawn until it is as asked;
  // false where nothing was expanded or collapsed, or the graph has that group no more.
  anchored() {
    const { anchor, view: { scene, camera } } = this;
    const has = anchor && (scene.byId.has(anchor.group) || scene.shape.within[anchor.member] === anchor.group);
    if (!has) this.anchor = null;
    if (!has || !camera.opened) return false;
    const box = scene.boxOfMember(anchor.member);
    const { scale } = camera.now();
    camera.place({ scale, position: { x: box.x - anchor.dx / scale, y: box.y - anchor.dy / scale } });
    return true;
  }

  // The button says what it would do with the box chosen.
  offer(box) {
    const within = box && !box.group && this.around(box);
    const button = this.view.find(".toggle");
    button.disabled = !box?.group && !within;
    button.querySelector("span").textContent = within ? "Collapse" : "Expand";
    button.hidden = !this.view.scene.boxes.some((each) => each.group) && !this.open.value.length;
  }
}
