//! A new user with their first messages: all of it, or nothing.

use super::directory::user;
use super::parallel::all_at_once;
use crate::engine::{
    ADDRESS_FULL, CLAIMS_PER_ADDRESS, EnrolCommand, EnrolOutcome, NameConflict, Refusal, StartCommand,
    StoredUser, UserIndex,
};
use crate::policy::Caps;
use crate::testkit::ManualClock;
use crate::testkit::bench::*;
use crate::testkit::commands::directory;

/// User 1 with both addresses, and a message to each.
fn enrol<F: EngineFixture>(bench: &Bench<F>) -> EnrolCommand {
    let both = StoredUser { email: user(bench, 1, MAIL).email, ..user(bench, 1, ALICE) };
    EnrolCommand {
        tenant: bench.tenant.clone(),
        directory: directory(),
        user: StoredUser { username: Some([7; 16]), ..both },
        starts: vec![start(bench, MAIL, "mail"), start(bench, ALICE, "phone")],
        now: bench.now(),
    }
}

fn start<F: EngineFixture>(bench: &Bench<F>, to: &str, purpose: &str) -> StartCommand {
    StartCommand { purpose: purpose.parse().expect("a purpose"), ..bench.start_of(to) }
}

async fn give<F: EngineFixture>(bench: &Bench<F>, command: EnrolCommand) -> EnrolOutcome {
    bench.engine().enrol(command).await.expect("enrol")
}

async fn is_there<F: EngineFixture>(bench: &Bench<F>, id: u8) -> bool {
    let index = UserIndex::Id([id; 16]);
    bench.engine().find_user(&bench.tenant, &directory(), index).await.expect("find").is_some()
}

/// Nothing of the command is there: no user, no message, no charge to either address.
async fn assert_nothing<F: EngineFixture>(bench: &Bench<F>, sends: [u32; 2]) {
    assert!(!is_there(bench, 1).await);
    assert_eq!([bench.windows(MAIL).await.sends_hour, bench.windows(ALICE).await.sends_hour], sends);
    assert_eq!(bench.claim().await.len(), 0);
}

pub(super) async fn a_user_and_their_first_messages_are_there_together<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let EnrolOutcome::Enrolled(sent) = give(&bench, enrol(&bench)).await else { panic!("enrolled") };
    let destinations: Vec<_> = sent.iter().map(|accepted| accepted.verification.purpose.as_str()).collect();
    assert_eq!(destinations, ["mail", "phone"]);
    assert!(is_there(&bench, 1).await);
    let code = bench.code(sent[1].verification.id).await;
    assert_eq!(bench.claim().await.len(), 2);
    assert!(is_right(&bench.check(sent[1].verification.id, &code).await));
}

/// Shows: I6.
pub(super) async fn an_enrolment_under_a_clock_set_back_is_of_the_stores_time<F: EngineFixture>() {
    let mut bench = Bench::<F>::new().await;
    bench.at_second(3_600);
    let latest = bench.open(BOB).await.created_at;
    bench.clock = ManualClock::default();
    let EnrolOutcome::Enrolled(sent) = give(&bench, enrol(&bench)).await else { panic!("enrolled") };
    let created: Vec<_> = sent.iter().map(|accepted| accepted.verification.created_at).collect();
    assert_eq!(created, [latest, latest]);
}

/// The first message left, the second was refused, and there was no user.
pub(super) async fn a_refused_message_leaves_no_user_and_takes_the_other_message_along<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    for n in 0..5 {
        bench.start(start(&bench, ALICE, &format!("p{n}"))).await;
    }
    assert_eq!(bench.claim().await.len(), 5);
    let outcome = give(&bench, enrol(&bench)).await;
    assert!(matches!(outcome, EnrolOutcome::Refused(Refusal::RecipientLimit { .. })), "{outcome:?}");
    assert_nothing(&bench, [0, 5]).await;
}

pub(super) async fn messages_of_one_enrolment_share_the_money_of_the_day<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let caps = Caps { tenant_spend_per_day_micros: Some(100), ..bench.caps };
    let costing = |cost_micros| {
        let mut command = enrol(&bench);
        for start in &mut command.starts {
            (start.caps, start.cost_micros) = (caps, cost_micros);
        }
        command
    };
    let outcome = give(&bench, costing(60)).await;
    assert!(matches!(outcome, EnrolOutcome::Refused(Refusal::TenantBudget { .. })), "{outcome:?}");
    assert_nothing(&bench, [0, 0]).await;
    let outcome = give(&bench, costing(50)).await;
    assert!(matches!(outcome, EnrolOutcome::Enrolled(_)), "{outcome:?}");
}

pub(super) async fn a_taken_id_or_name_sends_nothing<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    assert!(matches!(
        give(&bench, EnrolCommand { starts: Vec::new(), ..enrol(&bench) }).await,
        EnrolOutcome::Enrolled(_)
    ));
    assert_eq!(give(&bench, enrol(&bench)).await, EnrolOutcome::IdTaken);
    let mut namesake = enrol(&bench);
    namesake.user.id = [2; 16];
    assert_eq!(give(&bench, namesake).await, EnrolOutcome::NameTaken);
    assert!(!is_there(&bench, 2).await);
    assert_eq!((bench.windows(MAIL).await.sends_hour, bench.claim().await.len()), (0, 0));
}

pub(super) async fn of_parallel_enrolments_of_one_id_one_wins<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let all = (0..16).map(|_| {
        let (engine, command) = (bench.engine(), enrol(&bench));
        async move { engine.enrol(command).await.expect("enrol") }
    });
    let outcomes = all_at_once(all).await;
    let won = outcomes.iter().filter(|outcome| matches!(outcome, EnrolOutcome::Enrolled(_))).count();
    let late = outcomes.iter().filter(|outcome| **outcome == EnrolOutcome::IdTaken).count();
    assert_eq!((won, late, bench.claim().await.len()), (1, 15, 2));
}

/// Shows: F15.
pub(super) async fn f15_an_enrolment_makes_room_for_its_claim_or_is_refused<F: EngineFixture>() {
    let bench = Bench::<F>::new().await;
    let most = u8::try_from(CLAIMS_PER_ADDRESS).expect("few");
    let put = async |user, expected| {
        let refuse = NameConflict::Refuse;
        bench.engine().put_user(&bench.tenant, &directory(), user, expected, refuse).await.expect("put")
    };
    for id in 2..2 + most {
        put(user(&bench, id, MAIL), None).await;
    }
    assert_eq!(give(&bench, enrol(&bench)).await, EnrolOutcome::Refused(ADDRESS_FULL));
    assert_nothing(&bench, [0, 0]).await;
    let ending = StoredUser { unproven_life: Some(30 * DAY), sequence: 2, ..user(&bench, 9, MAIL) };
    put(ending, Some(1)).await;
    assert!(matches!(give(&bench, enrol(&bench)).await, EnrolOutcome::Enrolled(_)));
    assert_eq!(
        (is_there(&bench, 1).await, is_there(&bench, 9).await, is_there(&bench, 8).await),
        (true, false, true)
    );
}
