// What a person does by hand in dev mode: reads the inbox, pushes the clock.

export const url = process.env.COUNTERSIGN_URL;

// Delivery is not part of the request. Generous: only waited for when something is wrong.
const PATIENCE_MILLIS = 20_000;

const read = new Set();

/** Moves the service's clock forward, as if everybody had waited. */
export async function pushClock(seconds) {
  const answer = await fetch(`${url}/dev/clock`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ advance_seconds: seconds }),
  });
  if (!answer.ok) throw new Error(`the clock was not pushed: ${answer.status}`);
}

/** All messages to a recipient, newest first. */
export async function messages(to) {
  const answer = await fetch(`${url}/dev/inbox?to=${encodeURIComponent(to)}`);
  return (await answer.json()).messages;
}

/** What this recipient was sent so far is not news. */
export async function forget(to) {
  (await messages(to)).forEach(({ id }) => read.add(id));
}

/** Waits for a message to this recipient that was not read before; answers its code. */
export async function nextCode(to) {
  const deadline = Date.now() + PATIENCE_MILLIS;
  while (Date.now() < deadline) {
    const unread = (await messages(to)).filter(({ id }) => !read.has(id));
    if (unread.length > 0) {
      unread.forEach(({ id }) => read.add(id));
      return unread[0].code;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`no message to ${to}`);
}
