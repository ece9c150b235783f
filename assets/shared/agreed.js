// A value that the user and Python both change, such as what is chosen. What Python sends counts
// only once it has heard of the user's last change: a run that began before would put back what was
// there then. So changes are numbered, and Python sends back the number that it knows
// (pages/common/agreed.py).

class Agreed {
  constructor(tell) { this.tell = tell; }

  // Whether Python means another value than the one agreed on.
  hear({ value, turn }) {
    this.turn ??= turn;
    if (turn < this.turn || JSON.stringify(value) === JSON.stringify(this.value)) return false;
    this.value = value;
    return true;
  }

  say(value) {
    this.value = value;
    this.turn += 1;
    this.tell({ value, turn: this.turn });
  }
}
