"""The zap dialect, driven by a client that knows nothing of Countersign."""

import unittest

import dev
from zap_client import ZapClient, ZapError

TOKEN = "dev-zap-token"


class ZapFlow(unittest.TestCase):
    def setUp(self):
        self.zap = ZapClient(dev.URL, TOKEN)

    def refused(self, status, data, call, *arguments, **named):
        with self.assertRaises(ZapError) as caught:
            call(*arguments, **named)
        self.assertEqual((caught.exception.status, caught.exception.data), (status, data))
        return caught.exception

    def test_a_generated_code_verifies_once(self):
        phone = "+447700900101"
        self.assertEqual(self.zap.generate("u-101", phoneNumber=phone), "OTP Generated")
        code = dev.next_code(phone)
        self.assertEqual(self.zap.verify(code, phone), "OTP verified")
        self.refused(400, "Invalid OTP", self.zap.verify, code, phone)

    def test_a_resend_waits_and_then_voids_the_first_code(self):
        phone = "+447700900102"
        self.zap.generate("u-102", phoneNumber=phone)
        first = dev.next_code(phone)
        early = self.refused(400, "Too many requests", self.zap.resend, phoneNumber=phone)
        self.assertIn(int(early.retry_after), range(1, 31))
        dev.push_clock(31)
        self.assertEqual(self.zap.resend(phoneNumber=phone), "OTP ReSent")
        second = dev.next_code(phone)
        if first != second:
            self.refused(400, "Invalid OTP", self.zap.verify, first, phone)
        self.assertEqual(self.zap.verify(second, phone), "OTP verified")

    def test_after_five_wrong_codes_the_right_one_is_refused(self):
        phone = "+447700900103"
        self.zap.generate("u-103", phoneNumber=phone)
        code = dev.next_code(phone)
        for _ in range(5):
            self.refused(400, "Invalid OTP", self.zap.verify, dev.wrong(code), phone)
        self.refused(400, "Too many attempts", self.zap.verify, code, phone)

    def test_a_code_ends_after_ten_minutes(self):
        phone = "+447700900104"
        self.zap.generate("u-104", phoneNumber=phone)
        code = dev.next_code(phone)
        dev.push_clock(601)
        self.refused(400, "OTP expired", self.zap.verify, code, phone)

    def test_two_addresses_get_a_code_each_and_either_verifies(self):
        email, phone = "ada@example.com", "+12125550105"
        self.zap.generate("u-105", email=email, phoneNumber=phone, username="ada_105")
        code, other = dev.next_code(phone), dev.next_code(email)
        if code != other:
            self.refused(400, "Invalid OTP", self.zap.verify, other, phone)
        self.assertEqual(self.zap.verify(code, "ada_105"), "OTP verified")
        self.refused(400, "Invalid OTP", self.zap.verify, code, phone)

    def test_a_forgotten_password_sends_a_code_of_its_own(self):
        email = "grace@example.com"
        self.zap.generate("u-106", email=email)
        to_verify = dev.next_code(email)
        self.assertEqual(self.zap.forgot_password(email), "Reset Email sent")
        to_reset = dev.next_code(email)
        if to_reset != to_verify:
            self.refused(400, "Invalid OTP", self.zap.verify, to_reset, email)
        # Dev mode has nobody to hand a new password to.
        self.refused(403, "Forbidden", self.zap.reset_password, email, to_reset, "a new password")
        self.assertEqual(self.zap.verify(to_verify, email), "OTP verified")

    def test_what_is_no_address_is_refused(self):
        self.refused(400, "Invalid phoneNumber", self.zap.resend, phoneNumber="07700900107")
        self.refused(400, "Invalid email", self.zap.resend, email="nobody")
        self.refused(400, "email, phoneNumber or username is required", self.zap.resend)

    def test_a_wrong_token_is_refused(self):
        stranger = ZapClient(dev.URL, "no-such-token")
        self.refused(401, "Unauthorised", stranger.resend, email="ada@example.com")


if __name__ == "__main__":
    unittest.main()
