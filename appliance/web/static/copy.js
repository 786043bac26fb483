// A button beside a field that copies what is in it. Without scripts the field can be selected by hand.

export function wireCopy() {
  document.addEventListener("focusin", (event) => event.target.matches?.("[data-select]") && event.target.select());
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy-of]");
    if (!button) return;
    const field = document.getElementById(button.dataset.copyOf);
    field.select();
    const said = button.querySelector("span");
    try {
      await navigator.clipboard.writeText(field.value);
      said.textContent = "Copied";
    } catch {
      said.textContent = "Press Ctrl-C";
    }
  });
}
