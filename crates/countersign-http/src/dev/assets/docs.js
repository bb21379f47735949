// The page of commands: it works without this file, which adds buttons and keeps the commands fresh.
import { copy } from "./common.js";

const commands = [...document.querySelectorAll(".sample pre code")];

for (const code of commands) {
  const button = code.closest(".sample").querySelector(".copy");
  button.hidden = false;
  button.addEventListener("click", async () => {
    await copy(code.textContent, button, button);
    renew(); // a signed command is good for one call
  });
}

/** Signed commands carry the time and a number used once: drawn again, they are fresh. */
async function renew() {
  const answer = await fetch("/dev/samples").catch(() => null);
  if (!answer?.ok) return;
  const fresh = await answer.json();
  commands.forEach((code, i) => {
    if (code.textContent !== fresh[i]?.curl) code.textContent = fresh[i]?.curl ?? code.textContent;
  });
}

setInterval(() => document.hidden || renew(), 60000);
