// Large things are sent by components of their own, so that Streamlit sends each of them once and
// not again with every change of the view. Here they are put down, and waited for, by key.

const shelf = (globalThis.ramielShelf ??= { things: new Map(), waiting: new Map() });
const KEPT = 24; // things, the eldest go first; vis-network is put down again with every page

function put(key, given) {
  const thing = shelf.things.get(key) ?? given; // sent twice it is the same: a key names its content
  shelf.things.delete(key);
  shelf.things.set(key, thing);
  shelf.waiting.get(key)?.forEach((resolve) => resolve(thing));
  shelf.waiting.delete(key);
  if (shelf.things.size > KEPT) shelf.things.delete(shelf.things.keys().next().value);
}

function get(key) {
  if (shelf.things.has(key)) {
    put(key); // what is in use is not the eldest
    return Promise.resolve(shelf.things.get(key));
  }
  return new Promise((resolve) => {
    shelf.waiting.set(key, [...(shelf.waiting.get(key) ?? []), resolve]);
  });
}
