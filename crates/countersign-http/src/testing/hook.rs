//! A hook, without a network.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::json;
use zeroize::Zeroizing;

use crate::hooks::{ForwardHook, HookClient, HookError, HookTarget, InvalidHook, LookupHook, NoAnswer};

/// Both hooks: it remembers what it was given and asked, and answers what the test told it to.
#[derive(Clone, Default)]
pub(crate) struct TestHook(Arc<Mutex<HookState>>);

#[derive(Default)]
struct HookState {
    bodies: Vec<String>,
    answers: VecDeque<HookError>,
    /// The directory's answer to each question it has one for; others get `{}`.
    directory: BTreeMap<String, String>,
    directory_down: bool,
    questions: Vec<String>,
}

impl TestHook {
    /// Fails the next call.
    pub(crate) fn fail_next(&self, error: HookError) {
        self.0.lock().unwrap().answers.push_back(error);
    }

    /// Answers this, whenever the directory is asked for the username.
    pub(crate) fn knows(&self, username: &str, answer: &str) {
        let question = json!({ "username": username }).to_string();
        self.0.lock().unwrap().directory.insert(question, answer.to_owned());
    }

    /// Whether the directory gives no answers from now on.
    pub(crate) fn set_directory_down(&self, down: bool) {
        self.0.lock().unwrap().directory_down = down;
    }

    /// What the directory was asked so far.
    pub(crate) fn questions(&self) -> Vec<String> {
        self.0.lock().unwrap().questions.clone()
    }

    /// What it was given so far.
    pub(crate) fn bodies(&self) -> Vec<String> {
        self.0.lock().unwrap().bodies.clone()
    }
}

impl std::fmt::Debug for TestHook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TestHook")
    }
}

impl HookClient for TestHook {
    fn connect(&self, target: &HookTarget) -> Result<Arc<dyn ForwardHook>, InvalidHook> {
        if !target.url.starts_with("https://") {
            return Err(InvalidHook("not https".into()));
        }
        Ok(Arc::new(self.clone()))
    }

    fn connect_lookup(&self, target: &HookTarget) -> Result<Arc<dyn LookupHook>, InvalidHook> {
        self.connect(target)?;
        Ok(Arc::new(self.clone()))
    }
}

#[async_trait]
impl LookupHook for TestHook {
    async fn ask(&self, question: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, NoAnswer> {
        let mut state = self.0.lock().unwrap();
        let question = String::from_utf8(question.to_vec()).unwrap();
        let answer = state.directory.get(&question).map_or("{}", String::as_str).as_bytes().to_vec();
        state.questions.push(question);
        if state.directory_down { Err(NoAnswer) } else { Ok(answer.into()) }
    }
}

#[async_trait]
impl ForwardHook for TestHook {
    async fn forward(&self, id: &str, body: Zeroizing<Vec<u8>>) -> Result<(), HookError> {
        assert!(id.starts_with("ver_"), "{id}");
        let mut state = self.0.lock().unwrap();
        state.bodies.push(String::from_utf8(body.to_vec()).unwrap());
        state.answers.pop_front().map_or(Ok(()), Err)
    }
}
