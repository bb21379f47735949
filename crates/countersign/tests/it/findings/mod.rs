//! What attacks on the first version found, done again: one file for each row of the list, or for each
//! theme.

mod dispatcher;
mod e15;
mod e6;
mod e7;
mod enduserapi;
mod f1;
mod f11;
mod f13;
mod f14;
mod f15;
mod f16;
mod f17;
mod f18;
mod f2;
mod f20;
mod f22;
mod f24;
mod f26;
mod f3;
mod f4;
mod f5;
mod f8;
mod f9;
mod log_lines;
mod one_tenant;
