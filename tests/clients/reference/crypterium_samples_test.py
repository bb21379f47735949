"""The sample request of the page "Resend Code", sent as it is printed there."""

import json
import unittest
import urllib.error
import urllib.request

import dev

# The page's headers, with the values that it names as defaults.
HEADERS = {
    "Content-Type": "application/json",
    "X-Fingerprint": "1234444",
    "X-Merchant-ID": "bece038f-2e46-49f4-b25e-89cd38d6dc16",
}

BODY = """{
  "phone": "+447871234567"
}"""


def send():
    url = dev.URL + "/v2/mobile/phone/verify/resend"
    request = urllib.request.Request(url, BODY.encode(), HEADERS, method="POST")
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.headers["Content-Type"], json.load(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.headers["Content-Type"], json.load(refused)


class VaultSample(unittest.TestCase):
    def test_the_sample_sends_a_code_and_at_once_again_it_has_to_wait(self):
        dev.push_clock(61)  # the pending sign-up may just have been sent its code
        self.assertEqual(send(), (200, "application/json", {"result": "ok"}))
        dev.next_code("+447871234567")
        status, content_type, body = send()
        self.assertEqual((status, content_type, body["errorId"]), (400, "application/json", 157))
        # The members that the page's sample of an error has.
        self.assertLessEqual({"error", "errorId", "message", "systemId"}, body.keys())


if __name__ == "__main__":
    unittest.main()
