// An upload that shows how far it is. Without this the browser sends the form by itself.

export function wireUpload() {
  document.querySelectorAll("form[data-upload]").forEach((form) => {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      send(form);
    });
  });
}

function send(form) {
  const request = new XMLHttpRequest();
  const shown = form.querySelector("[data-upload-progress]");
  const button = form.querySelector("button");
  button.disabled = true;
  shown.hidden = false;
  form.querySelector("[data-upload-error]").hidden = true;
  request.upload.addEventListener("progress", (event) => {
    const share = event.total ? event.loaded / event.total : 0;
    shown.querySelector("progress").value = share;
    shown.querySelector(".share").textContent = `${Math.floor(share * 100)}%`;
  });
  request.addEventListener("load", () => finish(form, request));
  request.addEventListener("error", () => say(form, "The connection was lost before the upload was complete. Try again."));
  request.open("POST", form.action);
  request.send(new FormData(form));
}

// A redirect was followed: that page shows what was uploaded. Otherwise the answer says what was wrong, and the form stays as
// it is: the chosen file cannot be put back by a page, so the page must not be replaced.
function finish(form, request) {
  if (request.status < 400) {
    location.assign(request.responseURL);
    return;
  }
  const answer = new DOMParser().parseFromString(request.responseText, "text/html");
  const errors = [...answer.querySelectorAll(".error, .banner:not([hidden]), .problem h1")];
  const words = errors.map((error) => error.textContent.trim()).join(" ");
  say(form, words || `The upload was refused (${request.status}).`);
}

function say(form, words) {
  const error = form.querySelector("[data-upload-error]");
  error.textContent = words;
  error.hidden = false;
  form.querySelector("[data-upload-progress]").hidden = true;
  form.querySelector("button").disabled = false;
}
