// Ctrl-K: anything by name. The list is the server's; arrows choose, Enter goes there, Escape closes.

const REST = 80; // milliseconds without a key before the server is asked

let dialog, input, list, timer;
let asked = 0;
let shown = ""; // what the list answers; null while it answers something older than what stands in the box

export function wirePalette() {
  dialog = document.getElementById("palette");
  if (!dialog) return;
  input = dialog.querySelector("input");
  list = dialog.querySelector(".found-here");
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey) return;
    event.preventDefault();
    dialog.open ? dialog.close() : openPalette();
  });
  document.querySelectorAll("[data-palette]").forEach((link) =>
    link.addEventListener("click", (event) => {
      event.preventDefault();
      openPalette();
    }),
  );
  input.addEventListener("input", () => {
    shown = null;
    clearTimeout(timer);
    timer = setTimeout(ask, REST);
  });
  input.addEventListener("keydown", move);
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
    const option = event.target.closest("[role=option]");
    if (option) location.assign(option.dataset.href);
  });
}

export function openPalette() {
  if (!dialog) return;
  input.value = "";
  dialog.showModal();
  ask();
}

async function ask() {
  clearTimeout(timer);
  const mine = ++asked;
  const text = input.value;
  const answer = await fetch(`/find?q=${encodeURIComponent(text)}`).catch(() => null);
  if (mine !== asked || !dialog.open) return;
  shown = text;
  if (!answer?.ok) {
    list.replaceChildren(note("The appliance does not answer. Try again in a moment."));
    return;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const found = page.getElementById("found");
  list.replaceChildren(...(found ? [asListbox(document.adoptNode(found))] : [note("Log in again to search.")]));
  input.setAttribute("aria-expanded", String(options().length > 0));
  choose(options()[0]);
}

// The page of what was found is a list of links; here the focus stays in the box, and they are options of it.
function asListbox(found) {
  if (found.tagName !== "UL") return found;
  found.setAttribute("role", "listbox");
  for (const line of found.children) {
    const link = line.querySelector("a");
    const option = document.createElement("div");
    option.setAttribute("role", "option");
    option.id = line.id;
    option.dataset.href = link.getAttribute("href");
    option.append(...link.childNodes);
    line.removeAttribute("id");
    line.setAttribute("role", "presentation");
    line.replaceChildren(option);
  }
  return found;
}

function note(text) {
  const line = document.createElement("p");
  line.className = "nothing";
  line.textContent = text;
  return line;
}

function options() {
  return [...list.querySelectorAll("[role=option]")];
}

function choose(option) {
  for (const each of options()) each.setAttribute("aria-selected", String(each === option));
  if (option) {
    input.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  } else {
    input.removeAttribute("aria-activedescendant");
  }
}

async function go() {
  if (shown !== input.value) await ask(); // who types fast means what was typed, not what was there before
  const chosen = options().find((each) => each.getAttribute("aria-selected") === "true");
  if (chosen) location.assign(chosen.dataset.href);
}

function move(event) {
  const all = options();
  const at = all.findIndex((each) => each.getAttribute("aria-selected") === "true");
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && all.length) {
    event.preventDefault();
    choose(all[(at + step + all.length) % all.length]);
  } else if (event.key === "Enter") {
    event.preventDefault();
    go();
  }
}
