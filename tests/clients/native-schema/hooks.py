"""What Schemathesis is told besides: a request that fits the document is never malformed."""

import schemathesis

# What no schema can say: it depends on the tenant, or on another member.
NOT_OF_THE_FORM = (
    "a code of your own has",
    "cannot reach this address",
    "is not set up for this tenant",
    "only a trusted call ends a hold",
    "a hold ends by a proof on another channel",
    "bytes of names and values",
)


@schemathesis.check
def what_fits_is_not_malformed(ctx, response, case):
    fits = case.meta is not None and case.meta.generation.mode.is_positive
    if fits and response.status_code in (400, 415):
        detail = response.json()["detail"]
        assert any(reason in detail for reason in NOT_OF_THE_FORM), f"fits the document, and is refused: {detail}"
