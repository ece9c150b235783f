function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text; // never markup: names come from the user's model
  return made;
}

// The list that `?` shows or hides: for each row its keys, one by one, and what they do.
function showKeys(view, rows, open = view.find(".keys").hidden) {
  view.find(".keys").replaceChildren(...rows.flatMap(([keys, does]) => {
    const name = element("dt");
    name.append(...keys.map((key) => element("kbd", "", key)));
    return [name, element("dd", "", does)];
  }));
  view.find(".keys").hidden = !open;
  view.find("[data-do=help]").setAttribute("aria-expanded", String(open));
}
