//! Secrets that come by the environment, and do not stay in it.
//!
//! Whoever may look at a process sees the environment that it was started with (`/proc/PID/environ`), for as long
//! as it lives and whatever it does: only a program that was started without a variable does not show it. So a
//! process that takes secrets from its environment runs itself again, as the same process, without these
//! variables, and hands their values over in a pipe that it reads empty: its standard input, which it has no use for.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
#[cfg(unix)]
use std::io::{Read, Write};

use zeroize::Zeroizing;

/// Set in a process that finds values in its standard input. It is no secret.
const HANDED_OVER: &str = "COUNTERSIGN_HANDED_OVER";

/// As much as a pipe takes while nobody reads it (pipe(7)), less some room.
#[cfg(unix)]
const MOST: usize = 60 * 1024;

/// The variables of this process.
#[derive(Default)]
pub struct Environment {
    /// `None`: nothing was handed over, everything is where it was.
    received: Option<BTreeMap<String, Zeroizing<String>>>,
    asked: RefCell<BTreeSet<String>>,
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}

impl Environment {
    /// The environment, with what was handed over.
    ///
    /// # Errors
    /// It said that something was, and there is nothing that can be read.
    pub fn received() -> io::Result<Self> {
        #[cfg(unix)]
        if std::env::var_os(HANDED_OVER).is_some() {
            let mut text = Zeroizing::new(Vec::with_capacity(MOST));
            io::stdin().read_to_end(&mut text)?;
            let values: BTreeMap<String, String> = serde_json::from_slice(&text).map_err(|_| {
                let why = format!(
                    "{HANDED_OVER} is set, but nothing was handed over: it is for the program itself"
                );
                io::Error::new(io::ErrorKind::InvalidData, why)
            })?;
            let values = values.into_iter().map(|(name, value)| (name, value.into())).collect();
            return Ok(Self { received: Some(values), ..Self::default() });
        }
        Ok(Self::default())
    }

    /// A variable's value.
    pub fn get(&self, name: &str) -> Option<String> {
        self.asked.borrow_mut().insert(name.to_owned());
        let received = self.received.as_ref().and_then(|received| received.get(name));
        received.map(|value| value.to_string()).or_else(|| std::env::var(name).ok())
    }

    /// Runs this program again without the variables that were asked for, if there are any. Then it does not return.
    ///
    /// # Errors
    /// It could not be run again. Nothing has changed.
    pub fn leave_behind(self) -> io::Result<()> {
        #[cfg(unix)]
        {
            let asked = self.asked.into_inner();
            let values: BTreeMap<_, _> = asked
                .into_iter()
                .filter_map(|name| std::env::var(&name).ok().map(|value| (name, value)))
                .collect();
            // Once is enough: whoever was run again has nothing left to leave behind.
            if self.received.is_none() && !values.is_empty() {
                return Err(run_again(&values));
            }
        }
        Ok(())
    }
}

/// Answers only if it fails.
#[cfg(unix)]
fn run_again(values: &BTreeMap<String, String>) -> io::Error {
    use std::os::unix::process::CommandExt;

    let prepared = || {
        let text = Zeroizing::new(serde_json::to_vec(values)?);
        if text.len() > MOST {
            let why =
                format!("the variables that the configuration names are longer than {MOST} bytes together");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let (reader, mut writer) = io::pipe()?;
        writer.write_all(&text)?;
        // The program may have been replaced meanwhile; this process goes on with what it runs. Where that is still
        // there it is run by its name, which is what the process is then called.
        let program = std::env::current_exe().ok().filter(|path| path.exists());
        let mut command = std::process::Command::new(program.unwrap_or_else(|| "/proc/self/exe".into()));
        let mut arguments = std::env::args_os();
        if let Some(name) = arguments.next() {
            command.arg0(name);
        }
        command.args(arguments).env(HANDED_OVER, "1").stdin(reader);
        for name in values.keys() {
            command.env_remove(name);
        }
        Ok((command, writer))
    };
    match prepared() {
        Ok((mut command, writer)) => {
            drop(writer); // so that whoever reads learns where it ends
            command.exec()
        }
        Err(error) => error,
    }
}
