"""A client of the Vault mobile API, written from the page "Resend Code" and, for the other calls and
the signature's recipe, from the vendor's public OpenAPI files and signature page."""

import hashlib
import hmac
import json
import urllib.error
import urllib.parse
import urllib.request


class VaultError(Exception):
    """The API answered with an error object."""

    def __init__(self, status, body, headers):
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body
        self.error_id = body.get("errorId")
        self.error = body.get("error")
        self.retry_after = headers.get("Retry-After")


class VaultClient:
    """An app on a device; `secret` may be absent where signatures are not asked for."""

    def __init__(self, host, merchant_id, fingerprint, secret=None, seed_string="", seed_length=4):
        self._host = host
        self._merchant_id = merchant_id
        self._fingerprint = fingerprint
        self._secret = secret
        self._seed_string = seed_string
        self._seed_length = seed_length

    def signup(self, phone, password):
        return self._signed("/v2/mobile/signup", {"phone": phone, "password": password})

    def confirm(self, phone, sms_code):
        return self._post("/v2/mobile/phone/confirm", {"phone": phone, "smsCode": sms_code})

    def resend(self, phone):
        return self._signed("/v2/mobile/phone/verify/resend", {"phone": phone})

    def reset_password(self, phone):
        return self._signed("/v2/mobile/password/reset", {"phone": phone})

    def try_reset_code(self, phone, code):
        return self._post("/v2/mobile/password/reset/confirm/code", {"phone": phone, "code": code})

    def confirm_reset(self, phone, code, password):
        body = {"phone": phone, "code": code, "password": password}
        return self._post("/v2/mobile/password/reset/confirm", body)

    def add_email(self, access_token, email):
        return self._authorised("PUT", "/v2/mobile/email/add", access_token, {"email": email})

    def resend_email(self, access_token):
        return self._authorised("POST", "/v2/mobile/email/verify/resend", access_token, {})

    def confirm_email(self, email, event, token):
        query = urllib.parse.urlencode({"email": email, "event": event, "token": token})
        return self._call("GET", "/v2/mobile/email/confirm?" + query, {}, None)

    def sign(self, phone, password=""):
        """A piece of the seed string, chosen by the digits of the phone, goes before what is signed."""
        offset = sum(int(character) for character in phone if character.isdigit()) % 10
        seed = self._seed_string[offset:offset + self._seed_length]
        message = seed + self._fingerprint + phone + password
        return hmac.new(self._secret.encode(), message.encode(), hashlib.sha256).hexdigest()

    def _signed(self, path, body):
        headers = {}
        if self._secret is not None:
            headers["X-Signature"] = self.sign(body["phone"], body.get("password", ""))
        return self._post(path, body, headers)

    def _post(self, path, body, headers=None):
        device = {"X-Merchant-ID": self._merchant_id, "X-Fingerprint": self._fingerprint, "X-Version": "1.2"}
        return self._call("POST", path, {**device, **(headers or {})}, body)

    def _authorised(self, method, path, access_token, body):
        return self._call(method, path, {"Authorization": f"Bearer {access_token}"}, body)

    def _call(self, method, path, headers, body):
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers = {**headers, "Content-Type": "application/json"}
        request = urllib.request.Request(self._host + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refused:
            with refused:
                raise VaultError(refused.code, json.load(refused), refused.headers) from None
