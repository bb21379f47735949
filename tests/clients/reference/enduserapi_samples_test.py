"""The example of the page "Send Mobile SMS Verification Code", sent with the values that it prints.

The service's clock stands at the example's `ts`. The page's "calculated signature" is the digest of
nothing at all; that of the string which it says it signed is another.
"""

import json
import unittest
import urllib.parse
import urllib.request

import dev

EXAMPLE = {
    "codeType": "3",
    "internationalCode": "86",
    "phone": "13800138000",
    "random": "76a6L647F02CAoN9",
    "signature": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "ts": "1744773894369",
    "userDomain": "C.DM.10271.5",
}
# SHA256(13800138000376a6L647F02CAoN9174477389436957Fk69oYgbs2aWWN362NtZwYB2RqKNqQ7yZESnF5VM33)
RIGHT = "adf0cd13e4a086f78577ca284df28a5382a7af36e011e1aec6375a0a615fb891"


def send(parameters):
    url = dev.URL + "/v2/sms/enduserapi/v2/sendPhoneSmsCode?" + urllib.parse.urlencode(parameters)
    request = urllib.request.Request(url, b"", {"Content-Type": "application/json"}, method="POST")
    with urllib.request.urlopen(request) as answer:
        return answer.status, json.load(answer)


class EndUserSample(unittest.TestCase):
    def test_the_example_sends_a_code_with_the_signature_of_its_string_only(self):
        status, body = send(EXAMPLE)
        self.assertEqual((status, body["code"]), (200, 5420))
        self.assertEqual(dev.messages("+8613800138000"), [])
        status, body = send({**EXAMPLE, "signature": RIGHT})
        self.assertEqual((status, body), (200, {"code": 200, "msg": "", "data": None, "extMsg": None}))
        dev.next_code("+8613800138000")


if __name__ == "__main__":
    unittest.main()
