"""The sample requests of the page "Resend OTP", sent as they are printed there.

The page prints comments and trailing commas in its JSON. Those are documentation: one test sends them
as they stand.
"""

import json
import unittest
import urllib.error
import urllib.request

import dev

EMAIL_ONLY = """{
    "email": "adminuser@zap.com",
}"""

EMAIL_AND_PHONE = """{
    "email": "adminuser@zap.com",
    "phoneNumber": "+2348011111111"
}"""

PHONE_ONLY = """{
    "phoneNumber": "+2348011111111"
}"""

USERNAME_ONLY = """{
    "username": "onlydev"
}"""

EMAIL, PHONE = "adminuser@zap.com", "+2348011111111"


def send(body, path="/v1/otp/resend"):
    """The page's sample headers are one: no Authorization."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(dev.URL + path, body.encode(), headers, method="POST")
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.headers["Content-Type"], json.load(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.headers["Content-Type"], json.load(refused)


class ZapSamples(unittest.TestCase):
    def setUp(self):
        dev.push_clock(3600)  # all samples are about one user: no test waits for another's cool-down

    def resent(self, answer):
        # The page's sample answer.
        sample = {"success": True, "data": "OTP ReSent"}
        self.assertEqual(answer, (200, "application/json; charset=utf-8", sample))

    def test_to_email_only(self):
        self.resent(send(EMAIL_ONLY.replace(",\n}", "\n}")))
        dev.next_code(EMAIL)

    def test_to_email_and_phone_simultaneously(self):
        self.resent(send(EMAIL_AND_PHONE))
        for address in (EMAIL, PHONE):
            dev.next_code(address)

    def test_to_phone_only(self):
        self.resent(send(PHONE_ONLY))
        dev.next_code(PHONE)

    def test_to_username_only(self):
        self.resent(send(USERNAME_ONLY))
        for address in (EMAIL, PHONE):
            dev.next_code(address)

    def test_under_the_other_path_that_the_page_names(self):
        self.resent(send(PHONE_ONLY, "/api/v1/otp/resend"))
        dev.next_code(PHONE)

    def test_with_the_comma_that_the_page_prints_it_is_no_json(self):
        status, _, body = send(EMAIL_ONLY)
        self.assertEqual((status, body), (400, {"success": False, "data": "Bad request"}))


if __name__ == "__main__":
    unittest.main()
