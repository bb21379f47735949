//! What has become of the codes in the inbox.

use std::collections::HashMap;
use std::sync::Arc;

use countersign_core::ids::{MessageId, VerificationId};
use countersign_core::provider::RenderedMessage;
use countersign_core::recipient::Recipient;

use super::{CodeState, Dev, SentCode};

/// What is known of each message's code.
#[derive(Default)]
pub(super) struct Known(HashMap<MessageId, SentCode>);

impl Known {
    /// Looks at the codes of these messages, newest first; answers those of which something else is known than before.
    /// A code that is dead stays so: nobody asks for it again.
    pub(super) async fn look(&mut self, dev: &Dev, messages: &[Arc<RenderedMessage>]) -> Vec<MessageId> {
        let mut newest: HashMap<(VerificationId, &Recipient), &str> = HashMap::new();
        let mut changed = Vec::new();
        for message in messages {
            let code = message.code.expose();
            let latest = *newest.entry((message.verification, &message.recipient)).or_insert(code);
            let before = self.0.get(&message.id).copied();
            if before.is_some_and(|code| code.state != CodeState::Sent) {
                continue;
            }
            let gone = SentCode { state: CodeState::Expired, guesses_left: 0 };
            let mut now = dev.codes.of(message).await.unwrap_or(gone);
            if now.state == CodeState::Sent && latest != code {
                now.state = CodeState::Replaced;
            }
            if before != Some(now) {
                self.0.insert(message.id, now);
                changed.push(message.id);
            }
        }
        changed
    }

    /// What is known of a message that was looked at.
    pub(super) fn of(&self, message: &RenderedMessage) -> SentCode {
        self.0.get(&message.id).copied().unwrap_or(SentCode { state: CodeState::Sent, guesses_left: 0 })
    }

    /// Forgets all of them.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
