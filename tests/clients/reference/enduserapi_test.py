"""The enduserapi dialect, driven by a client that knows nothing of Countersign."""

import unittest

import dev
from enduserapi_client import (
    ACCOUNT_CANCELLATION,
    LOGIN,
    PASSWORD_RESET,
    REGISTRATION,
    EndUserClient,
    EndUserError,
)

# This user domain may send to Britain and to China.
USER_DOMAIN = "C.DM.10271.6"
SECRET = "countersign-test-user-domain-secret"
BRITAIN = "44"

SEND = "/v2/sms/enduserapi/v2/sendPhoneSmsCode"


class Signature(unittest.TestCase):
    def test_the_pages_example_gives_the_digest_of_its_string(self):
        # The page prints another digest: that of nothing at all.
        client = EndUserClient(dev.URL, "C.DM.10271.5", "57Fk69oYgbs2aWWN362NtZwYB2RqKNqQ7yZESnF5VM33")
        digest = "adf0cd13e4a086f78577ca284df28a5382a7af36e011e1aec6375a0a615fb891"
        self.assertEqual(client.sign("13800138000", "3", "76a6L647F02CAoN9", "1744773894369"), digest)


class EndUserFlow(unittest.TestCase):
    def setUp(self):
        self.api = EndUserClient(dev.URL, USER_DOMAIN, SECRET, dev.now_millis)

    def refused(self, code, call, *arguments, **named):
        with self.assertRaises(EndUserError) as caught:
            call(*arguments, **named)
        self.assertEqual((caught.exception.status, caught.exception.code), (200, code))
        return caught.exception

    def sent(self, national, code_type=REGISTRATION):
        self.assertIsNone(self.api.send_phone_sms_code(code_type, BRITAIN, national))
        return dev.next_code("+44" + national)

    def test_a_code_is_good_once(self):
        phone = "7700900701"
        code = self.sent(phone)
        self.assertIsNone(self.api.validate_sms_code(BRITAIN, phone, code))
        self.refused(5037, self.api.validate_sms_code, BRITAIN, phone, code)

    def test_a_code_may_be_looked_at_before_it_is_used(self):
        phone = "7700900702"
        code = self.sent(phone)
        self.assertIsNone(self.api.validate_sms_code(BRITAIN, phone, code, keep=True))
        self.assertIsNone(self.api.validate_sms_code(BRITAIN, phone, code))

    def test_sending_again_waits_a_minute_and_voids_the_first_code(self):
        phone = "7700900703"
        first = self.sent(phone)
        early = self.refused(5058, self.api.send_phone_sms_code, REGISTRATION, BRITAIN, phone)
        self.assertEqual(early.msg, "SMS sending exceeds frequency limit")
        self.assertEqual(early.ext_msg, f"retry_after={early.retry_after}")
        dev.push_clock(61)
        second = self.sent(phone)
        if first != second:
            self.refused(5037, self.api.validate_sms_code, BRITAIN, phone, first)
        self.assertIsNone(self.api.validate_sms_code(BRITAIN, phone, second))

    def test_a_code_is_valid_for_five_minutes(self):
        phone = "7700900704"
        code = self.sent(phone)
        dev.push_clock(301)
        self.refused(5037, self.api.validate_sms_code, BRITAIN, phone, code)

    def test_after_five_wrong_codes_the_right_one_is_refused(self):
        phone = "7700900705"
        code = self.sent(phone)
        for _ in range(5):
            self.refused(5037, self.api.validate_sms_code, BRITAIN, phone, dev.wrong(code))
        self.refused(5037, self.api.validate_sms_code, BRITAIN, phone, code)

    def test_a_request_is_good_once(self):
        phone = "7700900706"
        request = self.api.send_parameters(REGISTRATION, BRITAIN, phone)
        self.assertIsNone(self.api.call(SEND, request))
        dev.next_code("+44" + phone)
        dev.push_clock(61)
        again = self.refused(5420, self.api.call, SEND, request)
        self.assertEqual(again.ext_msg, "replayed")
        other_case = {**request, "signature": request["signature"].upper()}
        self.assertEqual(self.refused(5420, self.api.call, SEND, other_case).ext_msg, "replayed")
        self.assertEqual(len(dev.messages("+44" + phone)), 1)

    def test_a_request_that_is_too_old_is_refused(self):
        request = self.api.send_parameters(REGISTRATION, BRITAIN, "7700900707")
        dev.push_clock(601)
        self.assertEqual(self.refused(5420, self.api.call, SEND, request).ext_msg, "stale_timestamp")

    def test_what_was_changed_on_the_way_is_refused(self):
        request = self.api.send_parameters(REGISTRATION, BRITAIN, "7700900708")
        self.refused(5420, self.api.call, SEND, {**request, "phone": "7700900709"})
        self.refused(5420, self.api.call, SEND, {**request, "codeType": str(LOGIN)})
        self.refused(5059, self.api.call, SEND, {**request, "internationalCode": "234"})
        del request["signature"]
        self.refused(5550, self.api.call, SEND, request)

    def test_each_missing_parameter_has_its_code(self):
        for name, code in [("userDomain", 5023), ("phone", 5021), ("internationalCode", 5116)]:
            with self.subTest(name):
                request = self.api.send_parameters(REGISTRATION, BRITAIN, "7700900710")
                del request[name]
                self.refused(code, self.api.call, SEND, request)

    def test_what_is_no_phone_is_refused(self):
        self.refused(5019, self.api.send_phone_sms_code, REGISTRATION, BRITAIN, "12345")

    def test_a_password_reset_code_resets_nothing_else(self):
        phone = "7700900711"
        code = self.sent(phone, PASSWORD_RESET)
        self.refused(5037, self.api.validate_sms_code, BRITAIN, phone, code, code_type=ACCOUNT_CANCELLATION)
        self.assertIsNone(self.api.validate_sms_code(BRITAIN, phone, code, code_type=PASSWORD_RESET))

    def test_a_login_code_logs_in(self):
        phone = "7700900712"
        code = self.sent(phone, LOGIN)
        tokens = self.api.phone_sms_code_login(BRITAIN, phone, code)
        now = dev.now_millis() // 1000
        self.assertTrue(tokens["accessToken"]["token"].startswith("Bearer "))
        self.assertAlmostEqual(tokens["accessToken"]["expirationTime"], now + 2 * 3600, delta=60)
        self.assertAlmostEqual(tokens["refreshToken"]["expirationTime"], now + 30 * 86400, delta=60)
        self.refused(5037, self.api.phone_sms_code_login, BRITAIN, phone, code)

    def test_a_mailbox_is_proven_like_a_phone(self):
        email = "ada@example.net"
        self.assertIsNone(self.api.send_email(email, 1))
        code = dev.next_code(email)
        self.refused(5037, self.api.validate_email_code, email, dev.wrong(code))
        self.assertIsNone(self.api.validate_email_code(email, code))


if __name__ == "__main__":
    unittest.main()
