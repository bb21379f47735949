"""What a person does by hand in dev mode: reads the inbox, pushes the clock. No client's code is here."""

import json
import os
import time
import urllib.parse
import urllib.request

URL = os.environ["COUNTERSIGN_URL"]

# Delivery is not part of the request. Generous: only waited for when something is wrong.
PATIENCE_SECONDS = 20

_pushed_seconds = 0
_read = set()


def now_millis():
    """The service's clock: this machine's, and what was pushed since the service started."""
    return int((time.time() + _pushed_seconds) * 1000)


def push_clock(seconds):
    """Moves the service's clock forward, as if everybody had waited."""
    global _pushed_seconds
    body = json.dumps({"advance_seconds": seconds}).encode()
    headers = {"Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(URL + "/dev/clock", body, headers)).close()
    _pushed_seconds += seconds


def messages(to):
    """All messages to a recipient, newest first."""
    with urllib.request.urlopen(URL + "/dev/inbox?" + urllib.parse.urlencode({"to": to})) as answer:
        return json.load(answer)["messages"]


def next_message(to):
    """Waits for a message to this recipient that was not read before."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        unread = [message for message in messages(to) if message["id"] not in _read]
        if unread:
            _read.update(message["id"] for message in unread)
            return unread[0]
        time.sleep(0.02)
    raise AssertionError(f"no message to {to} within {PATIENCE_SECONDS} seconds")


def next_code(to):
    """The code of the next message to this recipient."""
    return next_message(to)["code"]


def wrong(code):
    """Another code of the same form."""
    return "".join("1" if digit == "0" else "0" for digit in code)
