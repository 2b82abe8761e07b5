// What the pages cannot do without a script: passkeys. Everything else works without, and is only smoother with.
"use strict";

const form = (button) => button.closest("form");

// ask talks to the authenticator and sends its answer with the form.
async function ask(f, mediation, signal) {
  const options = JSON.parse(f.dataset.options);
  const answer = f.dataset.passkey === "create"
    ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options.publicKey ?? options), signal })
    : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options.publicKey ?? options), mediation, signal });
  if (!answer) return;
  f.elements.namedItem("credential").value = JSON.stringify(answer.toJSON());
  f.submit();
}

let waiting; // of the browser's own list of passkeys, which another request must end first

async function prompt(f) {
  const problem = document.getElementById(f.dataset.problem);
  if (problem) problem.hidden = true;
  waiting?.abort();
  try {
    await ask(f);
  } catch (e) {
    if (problem) problem.hidden = false;
    console.debug("passkey:", e.name);
  }
}

function begin(root) {
  const able = window.PublicKeyCredential && PublicKeyCredential.parseRequestOptionsFromJSON;
  for (const f of root.querySelectorAll("form[data-passkey]")) {
    if (!able) continue;
    f.hidden = false;
    f.addEventListener("submit", (e) => { e.preventDefault(); prompt(f); });
  }
  for (const e of root.querySelectorAll(able ? "[data-without-passkeys]" : "[data-with-passkeys]")) e.hidden = true;
  for (const e of root.querySelectorAll("[data-without-scripts]")) e.hidden = true;
  for (const b of root.querySelectorAll("button[data-reveal]")) {
    const field = document.getElementById(b.dataset.reveal);
    b.hidden = false;
    b.addEventListener("click", () => {
      const shown = field.type === "text";
      field.type = shown ? "password" : "text";
      b.setAttribute("aria-pressed", String(!shown));
      field.focus();
    });
  }
  for (const b of root.querySelectorAll("button[data-copy]")) {
    if (!navigator.clipboard) continue;
    b.hidden = false;
    b.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(b.dataset.copy).innerText.trim());
      b.textContent = b.dataset.done;
    });
  }
}

// conditional offers passkeys in the list of the field for names.
async function conditional() {
  const f = document.querySelector("form[data-conditional]");
  if (!f || !window.PublicKeyCredential?.isConditionalMediationAvailable || !await PublicKeyCredential.isConditionalMediationAvailable()) return;
  waiting = new AbortController();
  try {
    await ask(f, "conditional", waiting.signal);
  } catch (e) {
    console.debug("passkey:", e.name);
  }
}

begin(document);
conditional();
document.addEventListener("htmx:after:swap", () => begin(document.body));
