//! Tests of the whole program: in process, with a clock that they push ([`support::TestApp`]), and as
//! a process, the way an operator runs it ([`support::Server`]).
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod bad_input;
mod canary;
mod cli;
mod crash;
mod dev;
mod dispatch_load;
mod enumeration;
mod faults;
mod findings;
mod fuzz;
mod guessing;
mod native;
mod overload;
mod peer_faults;
mod races;
mod replay;
mod serve;
mod support;
mod swap;
