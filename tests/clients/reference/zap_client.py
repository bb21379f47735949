"""A client of ZAP's one-time passwords, written from the platform's page "Resend OTP"; the calls that
the page does not have (generate, verify, forgot password) from the rest of its public documentation."""

import json
import urllib.error
import urllib.request


class ZapError(Exception):
    """The platform answered with anything but success."""

    def __init__(self, status, data, retry_after):
        super().__init__(f"{status}: {data}")
        self.status = status
        self.data = data
        self.retry_after = retry_after


class ZapClient:
    def __init__(self, host, token=None):
        self._host = host
        self._headers = {"Content-Type": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    def generate(self, user_id, **addresses):
        return self._call("/v1/otp/", {"userId": user_id, **addresses})

    def resend(self, **addresses):
        return self._call("/v1/otp/resend", addresses)

    def verify(self, otp, identity):
        return self._call("/v1/otp/verify", {"otp": otp, "identity": identity})

    def forgot_password(self, identity):
        return self._call("/v1/otp/forgotPassword", {"identity": identity})

    def reset_password(self, identity, otp, new_password):
        return self._call("/v1/forgotPassword", {"identity": identity, "otp": otp, "newPassword": new_password})

    def _call(self, path, body):
        request = urllib.request.Request(self._host + path, json.dumps(body).encode(), self._headers, method="POST")
        try:
            with urllib.request.urlopen(request) as response:
                answer = json.load(response)
                status, headers = response.status, response.headers
        except urllib.error.HTTPError as refused:
            with refused:
                answer = json.load(refused)
                status, headers = refused.code, refused.headers
        if status != 200 or answer["success"] is not True:
            raise ZapError(status, answer["data"], headers.get("Retry-After"))
        return answer["data"]
