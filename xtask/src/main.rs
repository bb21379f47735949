//! The project's own commands. CI runs `cargo xtask test` and nothing else, so what passes here
//! passes there.
#![expect(clippy::print_stdout, reason = "a command-line tool talks on stdout")]

mod apt;
mod audit;
mod bench;
mod browser;
mod clients;
mod cold_build;
mod crates;
mod mutants;
mod openapi;
mod process;
mod requirements;
mod tally;
mod test;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask test [STEP…]                       everything that CI runs; named steps only, if any
    --without-browser --without-clients        leaves out what needs programs from elsewhere
cargo xtask test long                          what a release runs besides: an hour, and strace
cargo xtask mutants                            does a test notice each fault that is sown into the code?
    --only FILE --with TEST --again            some files; some tests; what lived the last time
cargo xtask tidy                               what no compiler checks: pages, lists, links, layers
cargo xtask requirements                       writes the pages that say which test shows what
cargo xtask bench [--seconds N]                starts and checks per second, beside a bare answer
    --against FILE                             the same of another build, in the same rounds
cargo xtask crates                             how many crates the program is made of
cargo xtask openapi [--check]                  writes docs/api/*.openapi.json, or compares them
cargo xtask audit [--advisories]               licences, bans and sources of all dependencies
cargo xtask cold-build                         how long a newcomer waits for the release build";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["test", rest @ ..] => test::run(rest),
        ["bench", rest @ ..] => bench::run(rest),
        ["mutants", rest @ ..] => mutants::run(rest),
        ["tidy"] => tidy::run(),
        ["requirements"] => requirements::write(),
        ["crates"] => crates::run(),
        ["openapi"] => openapi::write(),
        ["openapi", "--check"] => openapi::check(),
        ["audit"] => audit::run(false),
        ["audit", "--advisories"] => audit::run(true),
        ["cold-build"] => cold_build::run(),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => Err(anyhow::anyhow!("unknown command\n\n{USAGE}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The last line of `test` is its summary: nothing follows it.
            if !error.is::<test::Failed>() {
                eprintln!("error: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}
