function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text; // never markup: names come from the user's model
  return made;
}
