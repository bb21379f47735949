//! Opening a verification, and starts while one is running.

use crate::outbox::Payload;
use crate::testkit::bench::*;

pub(super) async fn a_start_commits_the_verification_and_its_message_together<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let verification = bench.open(ALICE).await;
    let record = bench.record(verification.id).await;
    assert_eq!(record.verification.sends_used, 1);
    assert_eq!(record.messages.len(), 1);
    let payload = Payload::open(&record.messages[0], &bench.keys).expect("it opens");
    assert_eq!((payload.recipient.expose(), payload.code.expose().len()), (ALICE, 6));
}
