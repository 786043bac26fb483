// Set-up in steps: what was typed outlives a reload, networks are looked at, and the wait finds its end. Each step works
// without any of this: then there are buttons.

const KEPT = `setup:${location.pathname}`;
const PAUSE = 1000; // milliseconds between two questions how far it is
const SILENT = 6; // unanswered questions after which the old address counts as gone
const REFUSED = 30; // seconds of silence after which it is perhaps the browser that refuses, and has to ask its user again
const PATIENT = 90; // answers that all is done, after which the console is opened whether it started anew or not

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
  if (!document.getElementById("wait")) return;
  let silent = 0;
  let heard = Date.now();
  let done = 0;
  let confirmed = false;
  for (;;) {
    await new Promise((over) => setTimeout(over, PAUSE));
    const progress = await asked();
    const wait = document.getElementById("wait");
    silent = progress ? 0 : silent + 1;
    heard = progress ? Date.now() : heard;
    wait.querySelector("[data-refused]").hidden = Date.now() - heard < REFUSED * 1000;
    if (!progress) {
      // A moved console is looked for where it is; one that starts anew, here.
      if (wait.dataset.target && silent >= SILENT) return location.assign(wait.dataset.target);
      continue;
    }
    // Done, it starts anew a moment later; who goes on before that meets nobody, and the browser's own page stays.
    done += progress.phase === "done" ? 1 : 0;
    if (progress.phase === "asking" || progress.phase === "gone" || done > PATIENT) return location.assign("/setup");
    wait.querySelector("[data-message]").textContent = `${progress.message}.`;
    showLeft(wait.querySelector("[data-left]"), progress.left);
    if (progress.phase === "finishing" && wait.dataset.phase !== "finishing") await showAnew(wait);
    if (progress.phase === "trying" && progress.until && !wait.dataset.target && !confirmed) {
      // Refused while this connection came over another network, or the new one has no address yet.
      const answer = await fetch("/setup/confirm", { method: "POST" }).catch(() => null);
      confirmed = answer?.ok ?? false;
    }
  }
}

// Not by a reload: the server may go away in the middle of it.
async function showAnew(wait) {
  const page = await fetch(location.href, { signal: AbortSignal.timeout(2000) }).catch(() => null);
  const text = page?.ok ? await page.text().catch(() => "") : "";
  const found = new DOMParser().parseFromString(text, "text/html").getElementById("wait");
  if (found) wait.replaceWith(found);
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
    if (answer.status === 404) return { phase: "gone" };
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}
