"""The zitadel dialect, driven by the published Python client (Connect, JSON over HTTP/1.1)."""

import itertools
import os
import sys
import unittest

from zitadel_client import ApiError, Zitadel
from zitadel_client.models import (
    UserServiceAddHumanUserRequest as AddHumanUser,
    UserServiceGetUserByIDRequest as GetUserByID,
    UserServiceOrganization as Organization,
    UserServiceRemovePhoneRequest as RemovePhone,
    UserServiceResendPhoneCodeRequest as ResendPhoneCode,
    UserServiceSetHumanEmail as Email,
    UserServiceSetHumanPhone as Phone,
    UserServiceSetHumanProfile as Profile,
    UserServiceSetPhoneRequest as SetPhone,
    UserServiceVerifyPhoneRequest as VerifyPhone,
)

sys.path.append(os.path.join(os.path.dirname(__file__), "..", "reference"))
import dev  # noqa: E402

ORGANIZATION = "69629023906488334"
SERVICE_TOKEN = "dev-zitadel-service-token"

numbers = itertools.count(200)


class ZitadelFlow(unittest.TestCase):
    def setUp(self):
        self.users = Zitadel.with_access_token(dev.URL, SERVICE_TOKEN).users

    def somebody(self, **phone):
        """A new user without a phone, or with this one; their id and what was answered."""
        number = next(numbers)
        answer = self.users.add_human_user(
            AddHumanUser(
                organization=Organization(org_id=ORGANIZATION),
                profile=Profile(given_name="Mickey", family_name="Mouse"),
                email=Email(email=f"mickey{number}@mouse.com", return_code={}),
                phone=Phone(**phone) if phone else None,
            )
        )
        return answer.user_id, answer

    def set_phone(self, user, **choice):
        phone = f"+447700900{next(numbers)}"
        return phone, self.users.set_phone(SetPhone(user_id=user, phone=phone, **choice))

    def verify(self, user, code):
        return self.users.verify_phone(VerifyPhone(user_id=user, verification_code=code))

    def refused(self, status, code, message, identifier, call, request):
        """The HTTP status, and what a Connect client reads from the body."""
        with self.assertRaises(ApiError) as caught:
            call(request)
        body = caught.exception.response_body
        self.assertEqual((caught.exception.code, body["code"]), (status, code))
        self.assertEqual(body["message"], f"{message} ({identifier})")
        [detail] = body["details"]
        self.assertEqual(detail["type"], "zitadel.v1.ErrorDetail")
        return caught.exception

    def refused_code(self, user, code):
        request = VerifyPhone(user_id=user, verification_code=code)
        self.refused(400, "invalid_argument", "Code is invalid", "COMMAND-eis9R", self.users.verify_phone, request)

    # Shows: W2.
    def test_a_returned_code_verifies_once_and_is_not_sent(self):
        user, _ = self.somebody()
        phone, answer = self.set_phone(user, return_code={})
        self.assertEqual(answer.details.resource_owner, ORGANIZATION)
        self.assertGreater(int(answer.details.sequence), 0)
        verified = self.verify(user, answer.verification_code)
        self.assertGreater(int(verified.details.sequence), int(answer.details.sequence))
        self.refused_code(user, answer.verification_code)
        self.assertEqual(dev.messages(phone), [])
        human = self.users.get_user_by_id(GetUserByID(user_id=user)).user.human
        self.assertEqual((human.phone.phone, human.phone.is_verified), (phone, True))

    def test_a_sent_code_is_sent_again_after_a_while_and_the_first_one_is_void(self):
        user, _ = self.somebody()
        phone, answer = self.set_phone(user, send_code={})
        self.assertIsNone(answer.verification_code)
        first = dev.next_code(phone)
        dev.push_clock(61)
        self.users.resend_phone_code(ResendPhoneCode(user_id=user, send_code={}))
        second = dev.next_code(phone)
        self.refused_code(user, first)
        self.verify(user, second)

    def test_a_resend_without_a_choice_sends(self):
        user, _ = self.somebody()
        phone, _ = self.set_phone(user)
        dev.next_code(phone)
        dev.push_clock(61)
        answer = self.users.resend_phone_code(ResendPhoneCode(user_id=user))
        self.assertIsNone(answer.verification_code)
        self.verify(user, dev.next_code(phone))

    def test_a_resend_may_return_the_code_at_once(self):
        user, _ = self.somebody()
        self.set_phone(user, return_code={})
        answer = self.users.resend_phone_code(ResendPhoneCode(user_id=user, return_code={}))
        self.verify(user, answer.verification_code)

    def test_a_resend_too_soon_says_when(self):
        user, _ = self.somebody()
        phone, _ = self.set_phone(user, send_code={})
        dev.next_code(phone)
        dev.push_clock(3)  # within two seconds it would be taken for the same request
        request = ResendPhoneCode(user_id=user, send_code={})
        text = "Please wait before requesting a new code"
        call = self.users.resend_phone_code
        early = self.refused(429, "resource_exhausted", text, "CSIGN-Cd29x", call, request)
        headers = {name.lower(): value for name, value in early.response_headers.items()}
        self.assertIn(int(headers["retry-after"]), range(1, 61))

    def test_with_nothing_pending_there_is_nothing_to_resend(self):
        user, _ = self.somebody()
        request = ResendPhoneCode(user_id=user, return_code={})
        call = self.users.resend_phone_code
        self.refused(400, "failed_precondition", "Code is empty", "PHONE-5xrra88eq8", call, request)

    def test_after_five_wrong_codes_the_right_one_is_refused(self):
        user, _ = self.somebody()
        _, answer = self.set_phone(user, return_code={})
        for _ in range(5):
            self.refused_code(user, "WRONG1")
        request = VerifyPhone(user_id=user, verification_code=answer.verification_code)
        call = self.users.verify_phone
        self.refused(429, "resource_exhausted", "Too many attempts", "CSIGN-Ax3vw", call, request)

    def test_a_phone_is_removed_once(self):
        user, _ = self.somebody()
        self.set_phone(user, is_verified=True)
        self.users.remove_phone(RemovePhone(user_id=user))
        request = RemovePhone(user_id=user)
        call = self.users.remove_phone
        self.refused(400, "failed_precondition", "Phone not found", "COMMAND-ieJ2e", call, request)

    def test_the_same_number_is_no_change(self):
        user, _ = self.somebody()
        phone, _ = self.set_phone(user, return_code={})
        request = SetPhone(user_id=user, phone=phone, return_code={})
        call = self.users.set_phone
        self.refused(400, "failed_precondition", "Phone not changed", "COMMAND-Uch5e", call, request)

    def test_a_user_is_created_with_both_codes_returned(self):
        phone = f"+447700900{next(numbers)}"
        user, answer = self.somebody(phone=phone, return_code={})
        self.assertEqual(answer.details.resource_owner, ORGANIZATION)
        self.assertTrue(answer.email_code)
        self.verify(user, answer.phone_code)

    def test_nobody_has_no_phone(self):
        request = SetPhone(user_id="404", phone="+447700900299", return_code={})
        self.refused(404, "not_found", "Phone not found", "COMMAND-ieJ2e", self.users.set_phone, request)

    def test_what_is_no_number_is_refused(self):
        user, _ = self.somebody()
        request = SetPhone(user_id=user, phone="not a number", return_code={})
        self.refused(400, "invalid_argument", "Phone is invalid", "PHONE-so0wa", self.users.set_phone, request)

    def test_an_empty_number_is_refused_before_anything_is_looked_at(self):
        user, _ = self.somebody()
        with self.assertRaises(ApiError) as caught:
            self.users.set_phone(SetPhone(user_id=user, phone="", return_code={}))
        body = caught.exception.response_body
        rule = "value length must be between 1 and 200 runes, inclusive"
        self.assertEqual((body["code"], body["message"]), ("invalid_argument", f"invalid SetPhoneRequest.Phone: {rule}"))
        self.assertFalse(body.get("details"))

    def test_a_wrong_token_is_refused(self):
        users = Zitadel.with_access_token(dev.URL, "no-such-token").users
        request = GetUserByID(user_id="69629023906488400")
        self.refused(401, "unauthenticated", "Errors.Token.Invalid", "AUTH-7fs1e", users.get_user_by_id, request)

    # Shows: W2.
    def test_the_beta_service_is_the_same(self):
        from zitadel_client.models import BetaUserServiceResendPhoneCodeRequest as Resend
        from zitadel_client.models import BetaUserServiceVerifyPhoneRequest as Verify

        user, _ = self.somebody()
        self.set_phone(user, return_code={})
        beta = Zitadel.with_access_token(dev.URL, SERVICE_TOKEN).beta_users
        answer = beta.resend_phone_code(Resend(user_id=user, return_code={}))
        beta.verify_phone(Verify(user_id=user, verification_code=answer.verification_code))


if __name__ == "__main__":
    unittest.main()
