"""The crypterium dialect, driven by a client that knows nothing of Countersign."""

import unittest
import urllib.parse

import dev
from crypterium_client import VaultClient, VaultError

OPEN_MERCHANT = "bece038f-2e46-49f4-b25e-89cd38d6dc16"
STRICT_MERCHANT = "0b6f2f0e-5f0a-4a53-9d0d-3a8f6f6f1c11"
SECRET = "countersign-test-secret"
SEED_STRING = "abcdefghijklmnopqrstuvwxyz"

OK = {"result": "ok"}


def app(merchant=STRICT_MERCHANT, fingerprint="1234444", secret=SECRET):
    return VaultClient(dev.URL, merchant, fingerprint, secret, SEED_STRING)


class Signature(unittest.TestCase):
    def test_the_vendors_example_gives_the_digest_of_its_message(self):
        example = VaultClient(dev.URL, "", "myOwnFingerprint", SECRET, "abcdefghijklmn")
        digest = "a660bbde8b53e40d33fd3e97b37abc0053383a5b88bc3dd08c2ed9d968c5eea2"
        self.assertEqual(example.sign("700000031", "12345"), digest)


class VaultFlow(unittest.TestCase):
    def setUp(self):
        self.app = app()

    def refused(self, error_id, error, call, *arguments, status=400):
        with self.assertRaises(VaultError) as caught:
            call(*arguments)
        answer = caught.exception
        self.assertEqual((answer.status, answer.error_id, answer.error), (status, error_id, error))
        self.assertEqual(answer.body["systemId"], "core")
        self.assertTrue(answer.body["message"])
        return answer

    def signed_up(self, phone):
        self.assertEqual(self.app.signup(phone, "a password"), OK)
        return dev.next_code(phone)

    def customer(self, phone):
        """A customer whose phone is confirmed; their access token."""
        return self.app.confirm(phone, self.signed_up(phone))["access_token"]

    def test_a_sign_up_is_confirmed_once(self):
        phone = "+447700900601"
        code = self.signed_up(phone)
        token = self.app.confirm(phone, code)
        self.assertEqual((token["token_type"], token["scope"]), ("bearer", "read write"))
        self.assertTrue(token["access_token"] and token["refresh_token"])
        self.assertIn(token["expires_in"], range(86000, 86401))
        self.refused(117, "CUSTOMER_SMS_CODE_INCORRECT", self.app.confirm, phone, code)

    def test_a_resend_waits_a_minute_and_voids_the_first_code(self):
        phone = "+447700900602"
        first = self.signed_up(phone)
        early = self.refused(157, "SMS_CODE_DELAY_NOT_REACHED", self.app.resend, phone)
        seconds = early.body["data"]["retry"]["afterSeconds"]
        self.assertIn(seconds, range(1, 61))
        self.assertEqual(early.retry_after, str(seconds))
        dev.push_clock(61)
        self.assertEqual(self.app.resend(phone), OK)
        second = dev.next_code(phone)
        if first != second:
            self.refused(117, "CUSTOMER_SMS_CODE_INCORRECT", self.app.confirm, phone, first)
        self.assertIn("access_token", self.app.confirm(phone, second))

    def test_an_expired_code_says_so_and_can_be_sent_again(self):
        phone = "+447700900603"
        code = self.signed_up(phone)
        dev.push_clock(901)
        self.refused(118, "CUSTOMER_SMS_CODE_EXPIRED", self.app.confirm, phone, code)
        self.assertEqual(self.app.resend(phone), OK)
        self.assertIn("access_token", self.app.confirm(phone, dev.next_code(phone)))

    def test_after_five_wrong_codes_the_right_one_is_refused(self):
        phone = "+447700900604"
        code = self.signed_up(phone)
        for _ in range(5):
            self.refused(117, "CUSTOMER_SMS_CODE_INCORRECT", self.app.confirm, phone, dev.wrong(code))
        self.refused(53, "CUSTOMER_EXCEEDED_NUMBER_OF_PIN_ATTEMPTS", self.app.confirm, phone, code)

    def test_a_password_is_reset_with_a_code_that_may_be_tried_first(self):
        phone = "+447700900605"
        self.customer(phone)
        dev.push_clock(61)
        self.assertEqual(self.app.reset_password(phone), OK)
        code = dev.next_code(phone)
        wrong = dev.wrong(code)
        self.refused(8, "CUSTOMER_VERIFICATION_CODE_INCORRECT", self.app.try_reset_code, phone, wrong)
        self.assertEqual(self.app.try_reset_code(phone, code), OK)
        self.assertIn("access_token", self.app.confirm_reset(phone, code, "a new password"))
        answer = self.app.confirm_reset, phone, code, "a newer password"
        self.refused(8, "CUSTOMER_VERIFICATION_CODE_INCORRECT", *answer)

    def test_a_stranger_learns_nothing_from_a_resend(self):
        self.assertEqual(self.app.resend("+447700900606"), OK)
        self.assertEqual(dev.messages("+447700900606"), [])

    def test_a_wrong_signature_is_refused(self):
        forged = app(secret="another secret, as long as the right one")
        self.refused(0, "INVALID_SIGNATURE", forged.signup, "+447700900607", "a password")

    def test_a_signature_is_asked_for_where_the_merchant_requires_one(self):
        unsigned = app(secret=None)
        self.refused(0, "INVALID_SIGNATURE", unsigned.signup, "+447700900608", "a password")
        lenient = app(merchant=OPEN_MERCHANT, secret=None)
        self.assertEqual(lenient.signup("+447700900608", "a password"), OK)

    def test_what_is_no_phone_is_refused(self):
        answer = self.refused(422, "NOT_VALID_REQUEST_DATA", self.app.resend, "07700900609")
        self.assertEqual(answer.body["field"], "phone")

    def test_an_email_is_added_by_a_customer_and_confirmed_once(self):
        email = "ada@example.org"
        with self.assertRaises(VaultError) as caught:
            self.app.add_email("no-such-token", email)
        self.assertEqual((caught.exception.status, caught.exception.error), (401, "invalid_token"))
        token = self.customer("+447700900610")
        self.assertEqual(self.app.add_email(token, email), OK)
        dev.next_message(email)
        dev.push_clock(61)
        self.assertEqual(self.app.resend_email(token), OK)
        query = urllib.parse.urlparse(dev.next_message(email)["url"]).query
        link = urllib.parse.parse_qs(query)["token"][0]
        self.assertEqual(self.app.confirm_email(email, "add", link), OK)
        self.refused(310, "EMAIL_ALREADY_CONFIRMED", self.app.confirm_email, email, "add", link)


if __name__ == "__main__":
    unittest.main()
