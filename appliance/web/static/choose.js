// Choosing rows of a list: the bar over it says how many, and what can be done to them. Without this the boxes and
// the buttons work by themselves: they are one form.

export function wireChoosing() {
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-choosing]");
    if (!form) return;
    if (event.target.matches("[data-choose-all]")) {
      for (const box of boxes(form)) box.checked = event.target.checked;
    }
    show(form);
  });
  document.addEventListener("htmx:afterSettle", () => document.querySelectorAll("form[data-choosing]").forEach(show));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
    for (const form of document.querySelectorAll("form[data-choosing]")) {
      for (const box of boxes(form)) box.checked = false;
      show(form);
    }
  });
  document.querySelectorAll("form[data-choosing]").forEach(show);
}

function boxes(form) {
  return [...form.querySelectorAll("input[name=chosen]")];
}

function show(form) {
  const all = boxes(form);
  const chosen = all.filter((box) => box.checked).length;
  const head = form.querySelector("[data-choose-all]");
  if (head) {
    head.checked = chosen > 0 && chosen === all.length;
    head.indeterminate = chosen > 0 && chosen < all.length;
  }
  form.classList.toggle("has-chosen", chosen > 0);
  const count = form.querySelector("[data-chosen]");
  if (count) count.textContent = `${chosen} chosen`;
}
