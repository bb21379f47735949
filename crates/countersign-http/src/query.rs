//! Query strings, read strictly: every name known, no name twice.

use std::fmt;

/// A query string that is not what the call takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct BadQuery {
    /// The parameter at fault.
    pub field: String,
    /// What is wrong.
    pub detail: &'static str,
}

/// The parameters of a request, by name. Take what the call knows, then [`Query::finish`].
pub struct Query(Vec<(String, String)>);

/// Values may be recipients: they are not shown.
impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Query {
    /// Reads the part of a URI behind the `?`.
    ///
    /// # Errors
    /// A name stands twice (after decoding).
    pub fn parse(query: Option<&str>) -> Result<Self, BadQuery> {
        let query = query.unwrap_or_default();
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query)
            .map_err(|_| BadQuery { field: "query".into(), detail: "the query is not form-encoded" })?;
        let mut names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(BadQuery { field: twice[0].to_owned(), detail: "the parameter stands twice" });
        }
        Ok(Self(pairs))
    }

    /// Takes a parameter out.
    pub fn take(&mut self, name: &str) -> Option<String> {
        let index = self.0.iter().position(|(n, _)| n == name)?;
        Some(self.0.swap_remove(index).1)
    }

    /// Takes out a phone number or e-mail address. In a query `+` means a space, so that a number whose
    /// plus sign was not encoded begins with one: that is what was meant, since no address begins with
    /// a space.
    pub fn take_recipient(&mut self, name: &str) -> Option<String> {
        let text = self.take(name)?;
        Some(match text.strip_prefix(' ') {
            Some(digits) if digits.starts_with(|c: char| c.is_ascii_digit()) => format!("+{digits}"),
            _ => text,
        })
    }

    /// Refuses what was not taken.
    ///
    /// # Errors
    /// There is a parameter that the call does not know.
    pub fn finish(self) -> Result<(), BadQuery> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((field, _)) => Err(BadQuery { field, detail: "there is no such parameter" }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// Shows: A11.
    #[test]
    fn a_parameter_stands_once_and_is_known() {
        let mut query = Query::parse(Some("a=1&b=2")).unwrap();
        assert_eq!(query.take("a").as_deref(), Some("1"));
        assert_eq!(query.finish().unwrap_err().field, "b");
        assert_eq!(Query::parse(Some("a=1&%61=2")).unwrap_err().field, "a");
        assert!(Query::parse(None).unwrap().finish().is_ok());
    }

    #[test]
    fn a_plus_that_was_not_encoded_is_still_a_plus() {
        let to = |query: &str| Query::parse(Some(query)).unwrap().take_recipient("to").unwrap();
        assert_eq!(to("to=+12125550123"), "+12125550123");
        assert_eq!(to("to=%2B12125550123"), "+12125550123");
        assert_eq!(to("to=a%2Bb@example.com"), "a+b@example.com");
        assert_eq!(to("to=++12125550123"), "  12125550123");
    }
}
