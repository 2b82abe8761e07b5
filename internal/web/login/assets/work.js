// Solves the puzzle of a form in the background: the number is found whose SHA-256 behind the salt is the challenge.
"use strict";

const text = new TextEncoder();
const hex = (bytes) => Array.from(new Uint8Array(bytes), (b) => b.toString(16).padStart(2, "0")).join("");

// solve tries all numbers, many at a time, and lets the page breathe in between.
async function solve({ challenge, salt, most }) {
  const together = 512;
  for (let first = 0; first <= most; first += together) {
    const all = await Promise.all(Array.from({ length: Math.min(together, most - first + 1) }, (_, i) => crypto.subtle.digest("SHA-256", text.encode(salt + (first + i)))));
    const found = all.findIndex((sum) => hex(sum) === challenge);
    if (found >= 0) return first + found;
    await new Promise((done) => setTimeout(done));
  }
  throw new Error("the puzzle has no solution");
}

for (const field of document.querySelectorAll("input[data-puzzle]")) {
  const puzzle = JSON.parse(field.dataset.puzzle);
  const form = field.form;
  const told = document.getElementById("work-told");
  let sent;
  const solved = solve(puzzle).then((number) => {
    const salt = btoa(puzzle.salt).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
    field.value = `${salt}.${number}.${puzzle.signature}`;
    told.textContent = told.dataset.done;
  }, (e) => {
    told.textContent = told.dataset.failed;
    console.debug("puzzle:", e.message);
  });
  form.addEventListener("submit", async (e) => {
    if (field.value || sent) return;
    e.preventDefault();
    sent = e.submitter;
    told.textContent = told.dataset.working;
    form.setAttribute("aria-busy", "true");
    await solved;
    if (field.value) form.requestSubmit(sent);
    sent = undefined;
    form.removeAttribute("aria-busy");
  });
}
