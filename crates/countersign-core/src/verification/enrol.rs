//! Registering a user and sending their first codes, in one decision.

use super::start::{StartState, start};
use super::{Changes, Damaged, Decision};
use crate::engine::{
    ADDRESS_FULL, AcceptedKind, Claimants, EnrolCommand, EnrolOutcome, NewRow, Refusal, Room, SendOutcome,
    UserKey,
};
use crate::keys::KeyRing;

/// What an enrolment reads.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EnrolState {
    /// Whether the directory has a user of the new one's id.
    pub id_taken: bool,
    /// Whether another user of the directory has the new one's name.
    pub name_taken: bool,
    /// Per address that the new user claims without proof, the others of the directory who have it.
    pub claimants: Vec<Claimants>,
    /// What each of the command's starts reads, in their order.
    pub starts: Vec<StartState>,
}

/// Decides an enrolment: the user and every message, or nothing. What an earlier start charges, a later one finds
/// charged.
///
/// # Errors
/// A stored address does not open.
pub fn enrol(
    state: EnrolState,
    command: &EnrolCommand,
    keys: &KeyRing,
) -> Result<Decision<EnrolOutcome>, Damaged> {
    if state.id_taken {
        return Ok(Decision::unchanged(EnrolOutcome::IdTaken));
    }
    if state.name_taken {
        return Ok(Decision::unchanged(EnrolOutcome::NameTaken));
    }
    let mut ended = Vec::new();
    for claimants in &state.claimants {
        match claimants.room(command.now) {
            Room::Free => {}
            Room::Ends(id) => ended.push(UserKey { directory: command.directory.clone(), id }),
            Room::Full => {
                return Ok(Decision::unchanged(EnrolOutcome::Refused(ADDRESS_FULL)));
            }
        }
    }
    let (mut changes, mut sent) = (Changes::default(), Vec::with_capacity(command.starts.len()));
    for (mut state, command) in state.starts.into_iter().zip(&command.starts) {
        changes.show(&mut state, command);
        let decision = start(state, command, keys)?;
        let refusal = match decision.outcome {
            SendOutcome::Accepted(accepted) => match accepted.kind {
                AcceptedKind::Opened | AcceptedKind::Resent => {
                    sent.push(*accepted);
                    changes.absorb(decision.changes);
                    continue;
                }
                // The user would wait for a message that this call did not send.
                AcceptedKind::CoolingDown | AcceptedKind::Repeated => {
                    let running = &accepted.verification;
                    let next = running.next_send_at(command.now).unwrap_or(running.expires_at);
                    Refusal::CoolDown { retry_after: command.now.until(next) }
                }
            },
            SendOutcome::Refused(refusal) => refusal,
        };
        return Ok(Decision::unchanged(EnrolOutcome::Refused(refusal)));
    }
    changes.ended_users = ended;
    changes.users.push(NewRow { directory: command.directory.clone(), user: command.user.clone() });
    Ok(Decision { outcome: EnrolOutcome::Enrolled(sent), changes })
}

impl Changes {
    /// Lets a start read what was decided before it in the same command.
    fn show(&self, state: &mut StartState, command: &crate::engine::StartCommand) {
        if let Some(tenant) = &self.tenant {
            state.ledgers.tenant = tenant.clone();
        }
        for (destination, ledger) in command.destinations.iter().zip(&mut state.ledgers.recipients) {
            if let Some((_, charged)) = self.ledgers.iter().find(|(key, _)| *key == destination.keys.budget) {
                *ledger = charged.clone();
            }
        }
        if let (Some(client), Some((charged, ledger))) = (&command.client, &self.client)
            && client == charged
        {
            state.ledgers.client = ledger.clone();
        }
    }

    /// Adds what was decided after it, which read this.
    fn absorb(&mut self, later: Self) {
        let Self {
            verifications,
            ledgers,
            client,
            tenant,
            messages,
            drop_messages,
            proven,
            users,
            ended_users,
            audit,
        } = later;
        self.verifications.extend(verifications);
        self.ledgers.retain(|(key, _)| ledgers.iter().all(|(other, _)| other != key));
        self.ledgers.extend(ledgers);
        self.client = client.or(self.client.take());
        self.tenant = tenant.or(self.tenant.take());
        self.messages.extend(messages);
        self.drop_messages.extend(drop_messages);
        self.proven.extend(proven);
        self.users.extend(users);
        self.ended_users.extend(ended_users);
        self.audit.extend(audit);
    }
}
