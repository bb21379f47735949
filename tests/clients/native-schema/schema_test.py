"""The native API, driven by what its OpenAPI document says: Schemathesis makes requests that fit the document, and
requests that just do not, and holds every answer against it."""

import os
import subprocess
import sys
import tempfile
import unittest

URL = os.environ["COUNTERSIGN_URL"]
KEY = "csk_dev_demo_000000000000000000000000000000"

# Left out: a number that fits the document may belong to nobody's numbering plan (422), a verification may have
# ended (409), and a recipient may have had enough (429). So no request is accepted for its form alone, and an ended
# verification is not gone.
LEFT_OUT = "positive_data_acceptance,use_after_free,ensure_resource_availability,object_level_authorization"


class Schema(unittest.TestCase):
    def test_answers_and_refusals_are_what_the_document_says(self):
        command = [
            sys.executable, "-m", "schemathesis.cli", "run", f"{URL}/v1/openapi.json",
            "--header", f"Authorization: Bearer {KEY}",
            "--checks", "all", "--exclude-checks", LEFT_OUT,
            "--phases", "examples,coverage,fuzzing",
            "--max-examples", "40", "--seed", "1", "--no-shrink", "--suppress-health-check", "all",
            "--request-timeout", "10", "--max-time", "30", "--workers", "1", "--no-color",
        ]  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            # The hooks are a module, looked for where it is started.
            hooks = {"SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": os.path.dirname(__file__)}
            environment = {**os.environ, **hooks}
            run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
