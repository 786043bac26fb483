// How fresh content replaces old: node by node, so that nothing jumps, focus and scroll stay, and what a person
// opened stays open. A row whose facts changed is tinted; passing time and growing progress are no change.

const PASSING = "time, .progress, .running-time";

function facts(row) {
  const copy = row.cloneNode(true);
  copy.querySelectorAll(PASSING).forEach((node) => node.remove());
  return copy.textContent.replace(/\s+/g, " ");
}

const changed = new WeakSet();

function tint(row) {
  row.classList.remove("changed");
  void row.offsetWidth; // restarts the animation of a row that changes again
  row.classList.add("changed");
  row.addEventListener("animationend", () => row.classList.remove("changed"), { once: true });
}

// What the person who looks has set: details that are open, rows that are chosen, what is being typed.
function isTheReaders(name, node) {
  if (name === "value") return node === document.activeElement;
  if (name === "open") return node.tagName === "DETAILS";
  return name === "checked" && Boolean(node.closest("form[data-choosing]"));
}

const callbacks = window.Idiomorph?.defaults.callbacks;

if (callbacks) {
  callbacks.beforeNodeMorphed = (old, fresh) => {
    if (old.nodeType === Node.ELEMENT_NODE && old.hasAttribute("data-drawn")) return false; // scripts keep it current
    if (old.nodeType === Node.ELEMENT_NODE && old.hasAttribute("data-row") && facts(old) !== facts(fresh)) {
      changed.add(old);
    }
  };
  callbacks.afterNodeMorphed = (old) => {
    if (changed.delete(old)) tint(old);
  };
  callbacks.afterNodeAdded = (node) => {
    if (node.nodeType === Node.ELEMENT_NODE && node.hasAttribute("data-row")) tint(node);
  };
  callbacks.beforeAttributeUpdated = (name, node) => !isTheReaders(name, node);
}
