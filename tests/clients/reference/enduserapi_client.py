"""A client of the end-user API, written from the page "Send Mobile SMS Verification Code"; the calls
that the page does not have in the same style."""

import hashlib
import json
import secrets
import string
import time
import urllib.error
import urllib.parse
import urllib.request

PASSWORD_RESET, LOGIN, REGISTRATION, ACCOUNT_CANCELLATION, ADD_PUSH_RECIPIENT = 1, 2, 3, 4, 5


class EndUserError(Exception):
    """The API answered with a code that is not success; HTTP says 200 to that as well."""

    def __init__(self, status, body, headers):
        super().__init__(f"{status}: {body}")
        self.status = status
        self.code = body["code"]
        self.msg = body["msg"]
        self.ext_msg = body["extMsg"]
        self.retry_after = headers.get("Retry-After")


class EndUserClient:
    def __init__(self, host, user_domain, user_domain_secret, clock=lambda: int(time.time() * 1000)):
        self._host = host
        self._user_domain = user_domain
        self._secret = user_domain_secret
        self._clock = clock

    def send_phone_sms_code(self, code_type, international_code, phone):
        return self.call(
            "/v2/sms/enduserapi/v2/sendPhoneSmsCode",
            self.send_parameters(code_type, international_code, phone),
        )

    def send_parameters(self, code_type, international_code, phone):
        """A signed request. It is good for one call."""
        random, ts = self._random(), str(self._clock())
        return {
            "codeType": str(code_type),
            "internationalCode": international_code,
            "phone": phone,
            "random": random,
            "signature": self.sign(phone, str(code_type), random, ts),
            "ts": ts,
            "userDomain": self._user_domain,
        }

    def validate_sms_code(self, international_code, phone, sms_code, code_type=None, keep=False):
        random, ts = self._random(), str(self._clock())
        parameters = {
            "internationalCode": international_code,
            "phone": phone,
            "random": random,
            "signature": self.sign(phone, sms_code, random, ts),
            "smsCode": sms_code,
            "ts": ts,
            "userDomain": self._user_domain,
        }
        if code_type is not None:
            parameters["codeType"] = str(code_type)
        if keep:
            parameters["isDisabled"] = "2"
        return self.call("/v2/sms/enduserapi/v2/validateSmsCode", parameters)

    def phone_sms_code_login(self, international_code, phone, sms_code):
        random = self._random()
        parameters = {
            "internationalCode": international_code,
            "phone": phone,
            "random": random,
            "signature": self.sign(international_code, phone, sms_code, random),
            "smsCode": sms_code,
            "userDomain": self._user_domain,
        }
        return self.call("/v2/enduser/enduserapi/phoneSmsCodeLogin", parameters)

    def send_email(self, email, email_type):
        random, ts = self._random(), str(self._clock())
        parameters = {
            "email": email,
            "emailType": str(email_type),
            "random": random,
            "signature": self.sign(email, str(email_type), random, ts),
            "ts": ts,
            "userDomain": self._user_domain,
        }
        return self.call("/v2/mail/enduserapi/v2/sendEmail", parameters)

    def validate_email_code(self, email, code):
        random, ts = self._random(), str(self._clock())
        parameters = {
            "code": code,
            "email": email,
            "random": random,
            "signature": self.sign(email, code, random, ts),
            "ts": ts,
            "userDomain": self._user_domain,
        }
        return self.call("/v2/mail/enduserapi/v2/validateEmailCode", parameters)

    def call(self, path, parameters):
        """All parameters are in the query; the body is empty."""
        url = self._host + path + "?" + urllib.parse.urlencode(parameters)
        request = urllib.request.Request(url, b"", {"Content-Type": "application/json"}, method="POST")
        try:
            with urllib.request.urlopen(request) as answer:
                status, headers, body = answer.status, answer.headers, json.load(answer)
        except urllib.error.HTTPError as refused:
            with refused:
                status, headers, body = refused.code, refused.headers, json.load(refused)
        if body["code"] != 200:
            raise EndUserError(status, body, headers)
        return body["data"]

    def sign(self, *parts):
        """SHA256(phone + codeType + random + ts + userDomainSecret), in hex."""
        return hashlib.sha256("".join([*parts, self._secret]).encode()).hexdigest()

    @staticmethod
    def _random():
        return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(16))
