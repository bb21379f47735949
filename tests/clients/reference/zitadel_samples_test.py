"""The two calls of the pages "Resend Phone verification" (auth v1) and "Resend the contact phone code"
(user v2), over REST, with the bodies and the answers that the pages describe."""

import json
import unittest
import urllib.error
import urllib.request

import dev

ORGANIZATION = "69629023906488334"
PENDING, VERIFIED = "69629023906488400", "69629023906488401"
PHONE = "+41791234567"


def post(path, token, body):
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(dev.URL + path, json.dumps(body).encode(), headers, method="POST")
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


def resend_of(user, body):
    return post(f"/v2/users/{user}/phone/resend", "dev-zitadel-service-token", body)


def resend_mine():
    return post("/auth/v1/users/me/phone/_resend_verification", "dev-zitadel-human-token", {})


class ZitadelSamples(unittest.TestCase):
    def setUp(self):
        dev.push_clock(3600)  # all samples are about one user: no test waits for another's cool-down

    def described(self, answer):
        """The members that the pages show; `details` never has more."""
        status, body = answer
        self.assertEqual(status, 200, body)
        details = body["details"]
        self.assertEqual(details["resourceOwner"], ORGANIZATION)
        self.assertGreater(int(details["sequence"]), 0)
        self.assertRegex(details["changeDate"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}|\.\d{6}|\.\d{9})?Z$")
        self.assertLessEqual(details.keys(), {"sequence", "creationDate", "changeDate", "resourceOwner"})
        return body

    def test_let_zitadel_send_the_code(self):
        body = self.described(resend_of(PENDING, {"sendCode": {}}))
        self.assertNotIn("verificationCode", body)
        dev.next_code(PHONE)

    def test_get_the_code_back(self):
        before = len(dev.messages(PHONE))
        body = self.described(resend_of(PENDING, {"returnCode": {}}))
        self.assertTrue(body["verificationCode"])
        self.assertEqual(len(dev.messages(PHONE)), before)

    def test_without_a_choice_it_is_sent(self):
        self.described(resend_of(PENDING, {}))
        dev.next_code(PHONE)

    def test_resend_to_the_authenticated_user(self):
        body = self.described(resend_mine())
        self.assertNotIn("creationDate", body["details"])
        dev.next_code(PHONE)

    def test_an_error_has_the_shape_that_the_pages_show(self):
        for user, status, code in [("404", 404, 5), (VERIFIED, 400, 9)]:
            answer = resend_of(user, {})
            self.assertEqual((answer[0], answer[1]["code"]), (status, code))
            self.assertTrue(answer[1]["message"])
            self.assertEqual(answer[1]["details"][0]["@type"], "type.googleapis.com/zitadel.v1.ErrorDetail")


if __name__ == "__main__":
    unittest.main()
