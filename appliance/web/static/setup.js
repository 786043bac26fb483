// Set-up in steps: what was typed outlives a reload, networks are looked at, and the wait finds its end. Each step works
// without any of this: then there are buttons.

const KEPT = `setup:${location.pathname}`;
const PAUSE = 1000; // milliseconds between two questions how far it is
const SILENT = 6; // unanswered questions after which the old address counts as gone

wireKeeping();
wireZone();
wireOneNetwork();
wireLooking();
wireWaiting();
document.querySelector("form[data-at-once]")?.requestSubmit();

// What the server accepted or refused it keeps itself; this is for what was typed and never sent.
function wireKeeping() {
  const form = document.querySelector("form[data-keep]");
  if (!form) return;
  restore(form);
  form.addEventListener("input", () => keep(form));
  form.addEventListener("submit", () => sessionStorage.removeItem(KEPT));
}

function keep(form) {
  const fields = [...form.elements].filter((each) => each.name && each.type !== "submit");
  const values = fields.map((each) => [each.name, each.value, each.checked ?? false]);
  sessionStorage.setItem(KEPT, JSON.stringify(values));
}

function restore(form) {
  for (const [name, value, checked] of JSON.parse(sessionStorage.getItem(KEPT) ?? "[]")) {
    const found = [...form.elements].filter((each) => each.name === name);
    const box = found.find((each) => each.type === "checkbox" || each.type === "radio");
    if (box) {
      for (const each of found) if (each.value === value && !each.disabled) each.checked = checked;
    } else if (found.length === 1) {
      found[0].value = value;
    }
  }
}

// The browser's own time zone is the best guess as long as nobody chose one.
function wireZone() {
  const input = document.querySelector("input[data-zone]");
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const known = [...document.querySelectorAll("#zones option")].some((each) => each.value === here);
  if (input && input.value === "UTC" && known && !sessionStorage.getItem(KEPT)) input.value = here;
}

// One interface for both: what only two networks need is not asked. The server leaves it out as well.
function wireOneNetwork() {
  const [management, provisioning] = ["management_nic", "provisioning_nic"].map((id) => document.getElementById(id));
  if (!management || !provisioning) return;
  const show = () => management.form.classList.toggle("one-network", management.value === provisioning.value);
  management.form.addEventListener("input", show);
  show();
}

// One at a time: a look takes some seconds, and is told where it was taken.
async function wireLooking() {
  for (const cell of document.querySelectorAll("[data-look]:not([data-look=''])")) {
    cell.textContent = "looking";
    const body = new URLSearchParams({ nic: cell.dataset.look });
    try {
      const answer = await fetch("/setup/look", { method: "POST", body });
      if (answer.ok) cell.innerHTML = await answer.text();
      else cell.textContent = "";
    } catch {
      cell.textContent = "";
    }
  }
}

async function wireWaiting() {
  const wait = document.getElementById("wait");
  if (!wait) return;
  let silent = 0;
  let confirmed = false;
  for (;;) {
    await new Promise((done) => setTimeout(done, PAUSE));
    const progress = await asked();
    silent = progress ? 0 : silent + 1;
    if (!progress) {
      // A moved console is looked for where it is; one that starts anew, here.
      if (wait.dataset.target && silent >= SILENT) return location.assign(wait.dataset.target);
      continue;
    }
    if (progress.phase === "asking" || progress.phase === "done") return location.assign("/setup");
    wait.querySelector("[data-message]").textContent = `${progress.message}.`;
    showLeft(wait.querySelector("[data-left]"), progress.left);
    if (progress.phase === "finishing" && wait.dataset.phase !== "finishing") return location.reload();
    if (progress.phase === "trying" && progress.until && !wait.dataset.target && !confirmed) {
      confirmed = true;
      await fetch("/setup/confirm", { method: "POST" }).catch(() => null);
    }
  }
}

function showLeft(line, left) {
  line.hidden = left === null;
  line.querySelector("progress").value = left ?? 0;
  line.querySelector(".note").textContent = `${Math.ceil(left ?? 0)} s until it goes back`;
}

// Null while nobody answers; where there is no set-up any more, all is done.
async function asked() {
  try {
    const answer = await fetch("/api/v1/setup/progress", { signal: AbortSignal.timeout(2000) });
    if (answer.status === 404) return { phase: "done" };
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}
