// What the pages share.

const $ = (id) => document.getElementById(id);

/** Tells those who hear the page instead of seeing it. */
export function say(text) {
  $("announce").textContent = text;
}

let toasted;
export function toast(text) {
  const node = $("toast");
  clearTimeout(toasted);
  node.textContent = text;
  node.hidden = false;
  toasted = setTimeout(() => (node.hidden = true), 5000);
}

/** Copies, and shows on `label` and by an attribute of `holder` that it did. */
export async function copy(text, holder, label) {
  let done = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    done = copyByHand(text);
  }
  if (!done) return toast("The browser does not let this page copy.");
  clearTimeout(holder.copied);
  holder.setAttribute("data-copied", "");
  label.textContent = "Copied";
  say("Copied.");
  holder.copied = setTimeout(() => {
    holder.removeAttribute("data-copied");
    label.textContent = "Copy";
  }, 1600);
}

function copyByHand(text) {
  const focused = document.activeElement;
  const area = document.createElement("textarea");
  area.textContent = text;
  area.className = "hidden";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  focused?.focus();
  return done;
}
