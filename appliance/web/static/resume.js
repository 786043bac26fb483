// Uploads in pieces, through the API: they go on by themselves where the line was lost, and in a later visit where this one
// ended. Without scripts the browser sends the form as a whole. What is said of a form is in its data attributes:
// data-resume: the address, with {name} for what is typed there; data-resume-then: where to go once what came is listed;
// data-resume-whole: what is said while that is looked at; data-resume-other: what to do where another file is half there.

const PIECE = 8 << 20;
const PAUSES = [1, 2, 5, 10, 20, 30]; // seconds before each further try
const AGAIN = new Set(["upload-cut-off", "upload-offset", "upload-checked"]);
const SILENT = 60000; // milliseconds without a byte sent after which a line is taken for dead, as the appliance does
const LOOK_AGAIN = 1000; // milliseconds between two looks at a task
const GONE = new Set([401, 403, 404]); // a task that is forgotten, or not for whom is here now: asking again changes nothing
const LOOKED_AT = 600000; // milliseconds that the appliance may take once it has all that was sent

export function wireResume() {
  document.querySelectorAll("form[data-resume]").forEach((form) => {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const inputs = [...form.querySelectorAll("input[type=file]")];
      send(form, inputs.map((input) => input.files[0]).filter(Boolean));
    });
  });
}

// Several files are sent as one, each behind the other.
async function send(form, files) {
  if (!files.length) {
    refuse(form, { detail: "Choose the file to upload" });
    return;
  }
  const file = files.length === 1 ? files[0] : new Blob(files);
  form.querySelector("button").disabled = true;
  form.querySelector("[data-upload-progress]").hidden = false;
  form.querySelector("[data-upload-error]").hidden = true;
  let lost = 0;
  let furthest = -1;
  for (;;) {
    try {
      let said = await begin(form, files);
      for (;;) {
        if (said.received > furthest) {
          furthest = said.received;
          lost = 0;
        }
        show(form, said.received, file.size);
        if (said.bundle) {
          location.assign(location.pathname);
          return;
        }
        if (said.task) {
          await finish(form, said.task);
          return;
        }
        said = await piece(form, file, said);
      }
    } catch (problem) {
      const refused = problem.code ? !AGAIN.has(problem.code) && problem : await unreadable(file, furthest);
      if (refused) {
        refuse(form, refused);
        return;
      }
      note(form, "The line was lost; it goes on as soon as it is back.");
      await new Promise((go) => setTimeout(go, PAUSES[Math.min(lost, PAUSES.length - 1)] * 1000));
      lost += 1;
    }
  }
}

// A file that was rewritten, or whose stick was pulled out, fails as a lost line does, and would do so for ever.
async function unreadable(file, at) {
  try {
    await file.slice(Math.max(at, 0), Math.max(at, 0) + 1).arrayBuffer();
    return null;
  } catch {
    return { detail: "The file cannot be read any more", hint: "see whether it is still there, and choose it once more to go on" };
  }
}

function begin(form, files) {
  const known = {
    [form.dataset.resumeThen ? "file" : "name"]: files[0].name.slice(0, 200),
    size: files.reduce((sum, file) => sum + file.size, 0),
    mark: `changed ${files.map((file) => file.lastModified).join(" ")}`,
  };
  form.querySelectorAll("[data-resume-field]").forEach((field) => (known[field.name] = field.value.trim()));
  if (form.querySelector("[data-resume-behind]")) known.initrd_size = files.length > 1 ? files[1].size : 0;
  return ask(named(form, form.dataset.resume), JSON.stringify(known), { "Content-Type": "application/json" });
}

// An address of a form, with the name that is typed there.
function named(form, address) {
  const name = form.querySelector("[name=name]");
  return address.replace("{name}", encodeURIComponent(name ? name.value.trim() : ""));
}

// All is there: wait for the task that lists it. It goes on without this page, too; where this page may not see it any more,
// the task's own says why, or asks to log in.
async function finish(form, number) {
  for (;;) {
    const task = await look(`/api/v1/tasks/${number}`);
    if (task?.status === "gone") {
      location.assign(`/tasks/${number}`);
      return;
    }
    if (task?.status === "done") {
      location.assign(named(form, form.dataset.resumeThen));
      return;
    }
    if (task && !["waiting", "running"].includes(task.status)) {
      refuse(form, { detail: task.reason || `The task is ${task.status}` });
      return;
    }
    note(form, (task && task.message) || form.dataset.resumeWhole);
    await new Promise((go) => setTimeout(go, LOOK_AGAIN));
  }
}

// The task that is there, and null while the line is lost.
async function look(address) {
  try {
    const answer = await fetch(address, { headers: { Accept: "application/json" } });
    if (GONE.has(answer.status)) return { status: "gone" };
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

function piece(form, file, said) {
  const last = Math.min(said.received + PIECE, file.size) - 1;
  const headers = {
    "Content-Type": "application/octet-stream",
    "Content-Range": `bytes ${said.received}-${last}/${file.size}`,
  };
  const content = file.slice(said.received, last + 1);
  const loaded = (bytes) => show(form, said.received + bytes, file.size);
  return ask(`${named(form, form.dataset.resume)}/${said.turn}`, content, headers, loaded);
}

// What the API says; its problem document where it refuses, and {} where the line was lost.
function ask(address, content, headers, loaded = () => {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let patience = 0;
    const silentAfter = (milliseconds) => {
      clearTimeout(patience);
      patience = setTimeout(() => request.abort(), milliseconds);
    };
    request.open("PUT", address);
    request.responseType = "json";
    Object.entries({ Accept: "application/json", ...headers }).forEach(([name, value]) => request.setRequestHeader(name, value));
    request.upload.addEventListener("progress", (event) => {
      silentAfter(SILENT);
      loaded(event.loaded);
    });
    request.upload.addEventListener("load", () => silentAfter(LOOKED_AT));
    ["error", "abort"].forEach((name) => request.addEventListener(name, () => reject({})));
    request.addEventListener("loadend", () => clearTimeout(patience));
    request.addEventListener("load", () => {
      if (request.status < 400 && request.response) resolve(request.response);
      else reject(request.response || { code: `${request.status}`, detail: `The upload was refused (${request.status}).` });
    });
    silentAfter(SILENT);
    request.send(content);
  });
}

function show(form, received, size) {
  const share = size ? received / size : 0;
  form.querySelector("[data-upload-progress] progress").value = share;
  form.querySelector("[data-upload-progress] .share").textContent = `${Math.floor(share * 100)}%`;
  note(form, share < 1 ? "" : form.dataset.resumeWhole);
}

function note(form, words) {
  form.querySelector("[data-upload-note]").textContent = words;
}

function refuse(form, problem) {
  const error = form.querySelector("[data-upload-error]");
  const hint = problem.code === "upload-other" ? form.dataset.resumeOther : problem.hint;
  const words = hint ? `${problem.detail}: ${hint}` : problem.detail;
  error.textContent = words.charAt(0).toUpperCase() + words.slice(1);
  error.hidden = false;
  form.querySelector("[data-upload-progress]").hidden = true;
  form.querySelector("button").disabled = false;
}
