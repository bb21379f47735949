//! The accounts, brands and texts of Chinese carriers, and what can be wrong with them.
//!
//! The source's status table has a code for each mistake. A signature here is an approved brand, shown
//! as 【Brand】; a template is an approved text, picked by the type of the code. Both belong to an account.

use super::config::{Config, Sender, SmsAccount, SmsSignature, SmsTemplate, UserDomainName};
use super::kinds::CodeType;

/// What is wrong with what a message would be sent under.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SenderFault {
    NoAccount,
    AccountDisabled,
    SignatureNotGiven,
    NoSignature,
    SignatureNotGranted,
    SignatureDisabled,
    TemplateNotGiven,
    NoTemplate,
    TemplateNotGranted,
    TemplateDisabled,
    AccountsDiffer,
    TypesDiffer,
}

impl SenderFault {
    /// Code and text of the source's status table.
    pub(super) const fn wire(self) -> (u16, &'static str) {
        match self {
            Self::NoAccount => (5188, "Enterprise SMS account does not exist"),
            Self::AccountDisabled => (5128, "Enterprise SMS account has been disabled"),
            Self::SignatureNotGiven => (5117, "Please enter enterprise SMS signature ID"),
            Self::NoSignature => (5202, "Enterprise SMS signature does not exist"),
            Self::SignatureNotGranted => (5122, "No permission to use this enterprise SMS signature ID"),
            Self::SignatureDisabled => (5123, "Enterprise SMS signature ID has been disabled"),
            Self::TemplateNotGiven => (5118, "Please enter enterprise SMS template ID"),
            Self::NoTemplate => (5209, "Enterprise SMS template does not exist"),
            Self::TemplateNotGranted => (5124, "No permission to use this enterprise SMS template ID"),
            Self::TemplateDisabled => (5125, "Enterprise SMS template ID has been disabled"),
            Self::AccountsDiffer => (5126, "SMS signature and template not under the same SMS account"),
            Self::TypesDiffer => (5216, "Signature ID and template ID types must be consistent"),
        }
    }
}

/// Everything that messages may be sent under.
#[derive(Debug, Default)]
pub(super) struct Senders {
    accounts: Vec<SmsAccount>,
    signatures: Vec<SmsSignature>,
    templates: Vec<SmsTemplate>,
}

impl Senders {
    /// Takes them out of the section; the id that stands twice, if one does.
    pub(super) fn take(config: &mut Config) -> Result<Self, String> {
        let senders = Self {
            accounts: std::mem::take(&mut config.sms_accounts),
            signatures: std::mem::take(&mut config.sms_signatures),
            templates: std::mem::take(&mut config.sms_templates),
        };
        let twice = [
            repeated(senders.accounts.iter().map(|account| &account.id)),
            repeated(senders.signatures.iter().map(|signature| &signature.id)),
            repeated(senders.templates.iter().map(|template| &template.id)),
        ];
        twice.into_iter().flatten().next().map_or(Ok(senders), Err)
    }

    /// The first mistake in what a code of this type would be sent under.
    pub(super) fn check(
        &self,
        domain: &UserDomainName,
        sender: &Sender,
        code_type: CodeType,
    ) -> Result<(), SenderFault> {
        use SenderFault as Fault;
        let named = |id: &Option<String>| id.clone().filter(|id| !id.is_empty());

        let account = named(&sender.account);
        let account =
            self.accounts.iter().find(|a| Some(&a.id) == account.as_ref()).ok_or(Fault::NoAccount)?;
        require(account.enabled, Fault::AccountDisabled)?;

        let id = named(&sender.signature).ok_or(Fault::SignatureNotGiven)?;
        let signature = self.signatures.iter().find(|s| s.id == id).ok_or(Fault::NoSignature)?;
        require(signature.grants.contains(domain), Fault::SignatureNotGranted)?;
        require(signature.enabled, Fault::SignatureDisabled)?;

        let id = named(&sender.templates.get(&code_type).cloned()).ok_or(Fault::TemplateNotGiven)?;
        // A text that speaks of something else is none for this type.
        let of_type = |t: &&SmsTemplate| t.id == id && t.code_type == code_type;
        let template = self.templates.iter().find(of_type).ok_or(Fault::NoTemplate)?;
        require(template.grants.contains(domain), Fault::TemplateNotGranted)?;
        require(template.enabled, Fault::TemplateDisabled)?;

        let one_account = signature.account == template.account && signature.account == account.id;
        require(one_account, Fault::AccountsDiffer)?;
        require(signature.kind == template.kind, Fault::TypesDiffer)
    }
}

fn require(holds: bool, fault: SenderFault) -> Result<(), SenderFault> {
    if holds { Ok(()) } else { Err(fault) }
}

fn repeated<'a>(ids: impl Iterator<Item = &'a String>) -> Option<String> {
    let mut ids: Vec<&String> = ids.collect();
    ids.sort_unstable();
    ids.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone())
}
