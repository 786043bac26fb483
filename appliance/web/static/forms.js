// Forms that answer while one types. Each works without: then there is a button.

const TYPING = 250; // milliseconds of rest before what was typed is acted upon

export function wireForms() {
  document.addEventListener("input", filtered);
  document.addEventListener("submit", filtered);
  document.addEventListener("input", chosen);
  document.addEventListener("input", implied);
  document.querySelectorAll("input[data-expect]").forEach(wireExpected);
}

let timer;

// The list below takes the filter's address; so do the browser's address bar and its next refresh.
function filtered(event) {
  const form = event.target.closest("form[data-filter]");
  if (!form) return;
  clearTimeout(timer);
  if (event.type === "submit") {
    event.preventDefault();
    apply(form);
  } else {
    timer = setTimeout(() => apply(form), TYPING);
  }
}

function apply(form) {
  const values = [...new FormData(form)].filter(([, value]) => value.trim());
  const query = new URLSearchParams(values).toString();
  const address = form.getAttribute("action") + (query ? `?${query}` : "");
  history.replaceState(null, "", address);
  window.htmx.ajax("GET", address, { target: "#live", select: "#live", swap: "morph:outerHTML" });
}

function chosen(event) {
  if (!event.target.closest("[data-choice]")) return;
  clearTimeout(timer);
  timer = setTimeout(() => {
    const part = document.getElementById("fits");
    if (part) window.htmx.trigger(part, "choose");
  }, TYPING);
}

// Naming a disk means that this disk is wanted.
function implied(event) {
  const value = event.target.dataset?.implies;
  if (!value || !event.target.value) return;
  const radio = document.querySelector(`input[type="radio"][value="${value}"]`);
  if (radio) radio.checked = true;
}

// The server checks what was typed; here the button only waits for it.
function wireExpected(input) {
  const button = input.form.querySelector("button");
  const check = () => (button.disabled = input.value.trim() !== input.dataset.expect);
  input.addEventListener("input", check);
  check();
}
