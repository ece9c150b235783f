// The emitted program: a line that computes or sends an operator's value selects that operator.

const COPIED_MS = 1500; // how long the button says so

class CodeView {
  constructor(root) {
    this.root = root;
    this.lines = root.querySelector(".lines");
    this.copy = root.querySelector(".copy");
    this.chosen = new Agreed((told) => this.tell("selected", told));
    this.lines.onkeydown = (event) => this.key(event);
    this.copy.onclick = () => this.copyAll();
  }

  close() {
    clearTimeout(this.copied);
  }

  show(data, [listing]) {
    const isNew = this.listing !== listing;
    if (isNew) this.write(listing);
    const asked = this.chosen.hear(data.selected);
    if (isNew || asked) this.reveal(this.mark());
  }

  // ---- drawing

  write(listing) {
    this.listing = listing;
    this.lines.removeAttribute("aria-activedescendant");
    this.lines.replaceChildren(...listing.lines.map((pieces, i) => this.line(pieces, i)));
  }

  line([operator, ...pieces], i) {
    const line = element("div", "line");
    line.id = `line-${i}`;
    for (let at = 0; at < pieces.length; at += 2) line.append(element("span", pieces[at], pieces[at + 1]));
    line.append("\n");
    if (operator !== null) {
      line.dataset.operator = operator;
      line.setAttribute("role", "option");
      line.onclick = () => this.choose(line);
    }
    return line;
  }

  async copyAll() {
    const text = this.listing.lines.map(([, ...pieces]) => pieces.filter((_, i) => i % 2).join("")).join("\n");
    await navigator.clipboard.writeText(`${text}\n`);
    this.copy.textContent = "Copied";
    this.copied = setTimeout(() => { this.copy.textContent = "Copy"; }, COPIED_MS);
  }

  // ---- choosing

  choose(line) {
    const { operator } = line.dataset;
    this.chosen.say(operator === this.chosen.value ? null : operator); // a second click lets go
    this.mark();
    this.at(line);
  }

  // Marks every line of the operator chosen; returns the first.
  mark() {
    const options = [...this.root.querySelectorAll("[role=option]")];
    const isChosen = (line) => line.dataset.operator === this.chosen.value;
    for (const line of options) line.setAttribute("aria-selected", String(isChosen(line)));
    return options.find(isChosen);
  }

  reveal(line) {
    if (!line) return;
    this.at(line);
    this.lines.scrollTop = line.offsetTop - this.lines.clientHeight / 3; // scrollIntoView would move the whole page
  }

  // ---- keyboard

  // The line that the keyboard is at.
  at(line) {
    this.root.querySelector(".line.at")?.classList.remove("at");
    line.classList.add("at");
    this.lines.setAttribute("aria-activedescendant", line.id);
  }

  key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key] ?? 0;
    const now = this.root.querySelector(".line.at");
    if (!step && !(event.key === "Enter" && now)) return;
    event.preventDefault();
    event.stopPropagation();
    if (!step) return this.choose(now);
    const options = [...this.root.querySelectorAll("[role=option]")];
    const next = options[Math.min(Math.max(options.indexOf(now) + step, 0), options.length - 1)];
    if (!next) return;
    this.at(next);
    next.scrollIntoView({ block: "nearest" });
  }
}

export default shownBy(CodeView, ".code", ({ listing }) => [listing]);
