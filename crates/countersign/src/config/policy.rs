//! `[tenants.policy]`: what a tenant allows.

use std::ops::Range;

use countersign_core::code::Code;
use countersign_core::code::{Alphabet, CodeFormat};
use countersign_core::policy::{
    Caps, FailureBudget, MessageCaps, NumberCheck, Policy, RecipientCaps, ResendCode, Terms, TestNumbers,
};
use serde::Deserialize;
use toml::Spanned;

use super::fields::{Count, Money, NumberRange, Parsed, Region, Seconds};
use super::problem::Problem;

/// A verification takes 10 minutes at most (NIST SP 800-63B-4, section 3.1.3.2).
const LONGEST_WINDOW: u64 = 600;
const DAY: u64 = 24 * 3600;

/// What a tenant allows. Whatever is not set is as [`Policy::default`] says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PolicySection {
    /// What drawn codes are made of.
    code_alphabet: Option<CodeAlphabet>,
    /// How many characters they have.
    code_length: Option<Spanned<Count<4, 10>>>,
    /// Whether they keep that length also while much is guessed at: there are fewer guesses instead.
    code_length_fixed: bool,
    /// How long one code lives from its own send.
    code_life_seconds: Option<Spanned<Seconds<30, LONGEST_WINDOW>>>,
    /// How long a verification may run from its first send.
    window_seconds: Option<Seconds<30, LONGEST_WINDOW>>,
    /// Guesses in all.
    max_checks: Option<Count<1, 10>>,
    /// Sends in all, the first included.
    max_sends: Option<Count<1, 10>>,
    /// Waiting times after the first, second, … send.
    cool_downs_seconds: Option<Vec<Seconds<0, LONGEST_WINDOW>>>,
    /// What a resend does to the code.
    resend_code: Option<ResendMode>,
    /// Whether the caller may bring codes.
    allow_custom_codes: bool,
    /// Whether codes of 4 or 5 characters are allowed.
    allow_short_codes: bool,
    /// How strictly phone numbers are judged.
    number_check: Option<NumberStrictness>,
    /// Which countries' numbers may get messages.
    allowed_regions: Vec<Parsed<Region>>,
    /// How long after its end a verification still knows the full recipient.
    keep_recipient_seconds: Option<Spanned<Seconds<0, { 30 * DAY }>>>,
    /// How long after its end a verification is kept at all.
    keep_record_seconds: Option<Seconds<0, { 30 * DAY }>>,
    /// What is counted across verifications.
    limits: LimitsSection,
    /// Numbers that are never contacted.
    test_numbers: TestNumbersSection,
}

/// `[tenants.policy.limits]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LimitsSection {
    /// New verifications per recipient in a rolling hour.
    starts_per_hour: Option<Count<1, 1_000>>,
    /// New verifications per recipient in rolling 24 hours.
    starts_per_day: Option<Count<1, 10_000>>,
    /// Messages per recipient in a rolling hour.
    messages_per_hour: Option<Count<1, 500>>,
    /// Messages per recipient in rolling 24 hours.
    messages_per_day: Option<Count<1, 500>>,
    /// Failed checks per recipient in rolling 24 hours.
    failed_checks_per_day: Option<Count<1, 100>>,
    /// Consecutive failures per recipient until somebody must help; NIST SP 800-63B-4,
    /// section 3.2.2 allows 100 at most.
    hold_after: Option<Count<1, 100>>,
    /// Codes handed back per recipient in a rolling hour.
    returns_per_hour: Option<Count<1, 1_000>>,
    /// Starts per recipient in rolling 24 hours that only trusted calls may use.
    reserved_starts_per_day: Option<Count<0, 10>>,
    /// New verifications per client address in a rolling hour.
    client_starts_per_hour: Option<Count<1, 1_000_000>>,
    /// What becomes of a start beyond them.
    client_limit: Option<ClientLimit>,
    /// From how many open failures of the whole tenant on somebody should look.
    failed_checks_alert: Option<Count<1, 1_000_000>>,
    /// From how many on new codes are longer.
    failed_checks_raised: Option<Spanned<Count<1, 1_000_000>>>,
    /// From how many on recipients are held after two failures.
    failed_checks_severe: Option<Spanned<Count<1, 10_000_000>>>,
    /// A limit that there is no more.
    #[serde(rename = "tenant_failed_checks_per_day")]
    _tenant_failed_checks_per_day: NoSuchLimit,
    /// What the tenant may spend in rolling 24 hours.
    tenant_spend_per_day: Option<Money>,
}

/// `[tenants.policy.test_numbers]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TestNumbersSection {
    /// Numbers and ranges.
    ranges: Vec<Parsed<NumberRange>>,
    /// The code they always get.
    code: Option<Spanned<String>>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum CodeAlphabet {
    Digits,
    Alphanumeric,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ResendMode {
    Same,
    New,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ClientLimit {
    Report,
    Enforce,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum NumberStrictness {
    Possible,
    Valid,
}

impl PolicySection {
    /// The policy; `path` is the section's place, for problems.
    pub(super) fn build(self, path: &str, problems: &mut Vec<Problem>) -> Policy {
        let defaults = Policy::default();
        let own_cool_downs = self.cool_downs_seconds.is_some();
        let mut problem = |setting: &str, span, message: String| {
            problems.push(Problem::at(format!("{path}.{setting}"), span, message));
        };

        let length = match &self.code_length {
            None => defaults.terms.code.length,
            Some(length) => {
                let n: u8 = length.get_ref().get();
                if n < 6 && !self.allow_short_codes {
                    problem("code_length", length.span(), SHORT_CODE.into());
                }
                n
            }
        };
        let window = self.window_seconds.map_or(defaults.terms.window, Seconds::get);
        let code_life = match &self.code_life_seconds {
            None => window,
            Some(life) => {
                if life.get_ref().get() > window {
                    let message = format!(
                        "no code outlives its verification: at most window_seconds, {}",
                        window.as_secs()
                    );
                    problem("code_life_seconds", life.span(), message);
                }
                life.get_ref().get()
            }
        };
        let keep_record = self.keep_record_seconds.map_or(defaults.terms.keep_record, Seconds::get);
        let keep_recipient = match &self.keep_recipient_seconds {
            None => defaults.terms.keep_recipient.min(keep_record),
            Some(keep) => {
                if keep.get_ref().get() > keep_record {
                    let message = format!("at most keep_record_seconds, {}", keep_record.as_secs());
                    problem("keep_recipient_seconds", keep.span(), message);
                }
                keep.get_ref().get()
            }
        };
        let test_code = self.test_numbers.code.as_ref().and_then(|text| {
            let short = text.get_ref().len() < 6;
            match Code::parse(text.get_ref()) {
                Ok(code) if (4..=10).contains(&code.expose().len()) => {
                    if short && !self.allow_short_codes {
                        problem("test_numbers.code", text.span(), SHORT_CODE.into());
                    }
                    Some(code)
                }
                _ => {
                    problem(
                        "test_numbers.code",
                        text.span(),
                        "must be 4 to 10 ASCII letters and digits".into(),
                    );
                    None
                }
            }
        });

        Policy {
            terms: Terms {
                code: CodeFormat {
                    alphabet: match self.code_alphabet {
                        None => defaults.terms.code.alphabet,
                        Some(CodeAlphabet::Digits) => Alphabet::Digits,
                        Some(CodeAlphabet::Alphanumeric) => Alphabet::UpperAlphanumeric,
                    },
                    length,
                },
                code_life,
                window,
                max_checks: self.max_checks.map_or(defaults.terms.max_checks, Count::get),
                max_sends: self.max_sends.map_or(defaults.terms.max_sends, Count::get),
                cool_downs: match self.cool_downs_seconds {
                    None => defaults.terms.cool_downs,
                    Some(waits) => waits.into_iter().map(Seconds::get).collect(),
                },
                resend_code: match self.resend_code {
                    None => defaults.terms.resend_code,
                    Some(ResendMode::Same) => ResendCode::Same,
                    Some(ResendMode::New) => ResendCode::New,
                },
                sharing: defaults.terms.sharing,
                keep_recipient,
                keep_record,
                join_within: defaults.terms.join_within,
                same_within: defaults.terms.same_within,
                fixed_length: self.code_length_fixed,
                messages: MessageCaps {
                    per_hour: self.limits.messages_per_hour.map(Count::get),
                    per_day: self.limits.messages_per_day.map(Count::get),
                },
            },
            own_cool_downs,
            caps: self.limits.build(&mut problem),
            allow_custom_codes: self.allow_custom_codes,
            allow_short_codes: self.allow_short_codes,
            number_check: match self.number_check {
                None => defaults.number_check,
                Some(NumberStrictness::Possible) => NumberCheck::Possible,
                Some(NumberStrictness::Valid) => NumberCheck::Valid,
            },
            allowed_regions: self.allowed_regions.into_iter().map(|r| r.0.0).collect(),
            test_numbers: TestNumbers {
                ranges: self.test_numbers.ranges.into_iter().map(|r| (r.0.0, r.0.1)).collect(),
                code: test_code,
            },
        }
    }
}

const SHORT_CODE: &str = "fewer than 6 characters are guessed too easily (NIST SP 800-63B-4, section 3.1.3.2); \
                          `allow_short_codes = true` permits it all the same";

/// Refuses the setting and says what took its place.
#[derive(Debug, Default)]
struct NoSuchLimit;

impl<'de> Deserialize<'de> for NoSuchLimit {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom(
            "there is no such limit any more: a tenant's failed checks refuse nobody. From `failed_checks_alert` on \
             somebody is told, from `failed_checks_raised` on codes get longer, from `failed_checks_severe` on \
             recipients are held early",
        ))
    }
}

impl LimitsSection {
    /// The levels, each at least as high as the one below it.
    fn failures(&self, problem: &mut impl FnMut(&str, Range<usize>, String)) -> FailureBudget {
        let default = FailureBudget::default();
        let named: Option<u32> = self.failed_checks_raised.as_ref().map(|raised| raised.get_ref().get());
        let alert: u32 = match self.failed_checks_alert {
            Some(alert) => alert.get(),
            None => default.alert.min(named.unwrap_or(u32::MAX)),
        };
        let raised = named.unwrap_or(default.raised.max(alert));
        let severe: u32 = match &self.failed_checks_severe {
            Some(severe) => severe.get_ref().get(),
            None => raised.saturating_mul(FailureBudget::SEVERE_PER_RAISED),
        };
        if let Some(setting) = self.failed_checks_raised.as_ref().filter(|_| raised < alert) {
            let message = format!("at least failed_checks_alert, {alert}");
            problem("limits.failed_checks_raised", setting.span(), message);
        }
        if let Some(setting) = self.failed_checks_severe.as_ref().filter(|_| severe < raised) {
            let message = format!("at least failed_checks_raised, {raised}");
            problem("limits.failed_checks_severe", setting.span(), message);
        }
        FailureBudget { alert, raised, severe }
    }

    fn build(self, problem: &mut impl FnMut(&str, Range<usize>, String)) -> Caps {
        let (caps, recipient) = (Caps::default(), RecipientCaps::default());
        let tenant_failures = self.failures(problem);
        Caps {
            recipient: RecipientCaps {
                starts_per_hour: self.starts_per_hour.map_or(recipient.starts_per_hour, Count::get),
                starts_per_day: self.starts_per_day.map_or(recipient.starts_per_day, Count::get),
                failed_checks_per_day: self
                    .failed_checks_per_day
                    .map_or(recipient.failed_checks_per_day, Count::get),
                hold_after: self.hold_after.map_or(recipient.hold_after, Count::get),
                returns_per_hour: self.returns_per_hour.map_or(recipient.returns_per_hour, Count::get),
                reserved_starts_per_day: self
                    .reserved_starts_per_day
                    .map_or(recipient.reserved_starts_per_day, Count::get),
            },
            client_starts_per_hour: self
                .client_starts_per_hour
                .map_or(caps.client_starts_per_hour, Count::get),
            client_limit_refuses: match self.client_limit {
                None => caps.client_limit_refuses,
                Some(ClientLimit::Report) => false,
                Some(ClientLimit::Enforce) => true,
            },
            tenant_failures,
            tenant_spend_per_day_micros: self
                .tenant_spend_per_day
                .map_or(caps.tenant_spend_per_day_micros, |money| Some(money.micros())),
        }
    }
}
