// The keyboard: "/" goes to this list's filter, or finds anything; Escape closes what is open. And buttons that copy.

import { openPalette } from "./palette.js";

export function wireKeys() {
  document.addEventListener("keydown", (event) => {
    if (isSearch(event)) {
      event.preventDefault();
      const filter = document.querySelector("form[data-filter] input[type=search]");
      filter ? filter.select() : openPalette();
    } else if (event.key === "Escape") {
      closeByKey();
    }
  });
  document.addEventListener("click", (event) => {
    closeMenus(event.target.closest("details.menu"));
    const button = event.target.closest("[data-copy]");
    if (button && navigator.clipboard) {
      event.preventDefault();
      copy(button);
    }
  });
}

// The box of a dialog that has just closed keeps the focus for a moment; nobody types there any more.
function isSearch(event) {
  const field = event.target.closest("input, textarea, select");
  const typing = field?.getClientRects().length > 0;
  return event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey;
}

function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (menu !== except) menu.open = false;
  }
}

// What was open closes, and the focus goes back to what opened it.
function closeByKey() {
  for (const part of document.querySelectorAll("details.menu[open], #tasks details[open]")) {
    const inside = part.contains(document.activeElement);
    part.open = false;
    if (inside) part.querySelector("summary").focus();
  }
}

async function copy(button) {
  const answer = await fetch(button.dataset.copy);
  if (!answer.ok) return;
  await navigator.clipboard.writeText(await answer.text());
  const label = button.lastChild;
  const before = label.textContent;
  label.textContent = "Copied";
  setTimeout(() => (label.textContent = before), 2000);
}
