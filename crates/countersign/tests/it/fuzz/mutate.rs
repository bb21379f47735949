//! Other inputs, made of good ones.

use rand::RngExt;
use rand::rngs::StdRng;

/// The longest input: no body is longer.
const LONGEST: usize = 16 * 1024;

/// What parsers stumble over.
const ODD: [&[u8]; 24] = [
    b"\0",
    b"\n",
    b"\r\n",
    b"\xff",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    "\u{200d}".as_bytes(),
    "\u{202e}".as_bytes(),
    "\u{0661}".as_bytes(),
    "\u{ff11}".as_bytes(),
    "\u{feff}".as_bytes(),
    b"{",
    b"}",
    b"[[[[[[[[",
    b"\"",
    b"\\u0000",
    b"\\ud800",
    b"%00",
    b"%",
    b"&",
    b"18446744073709551616",
    b"-1e308",
    b"\x7f\xff\xff\xff\xff\xff\xff\xff",
];

/// One of the inputs with one to eight changes.
pub(super) fn mutated(inputs: &[Vec<u8>], chance: &mut StdRng) -> Vec<u8> {
    let mut input = inputs[chance.random_range(0..inputs.len())].clone();
    for _ in 0..chance.random_range(1..=8) {
        change(&mut input, inputs, chance);
    }
    input.truncate(LONGEST);
    input
}

fn change(input: &mut Vec<u8>, inputs: &[Vec<u8>], chance: &mut StdRng) {
    let at = chance.random_range(0..=input.len());
    let end = (at + chance.random_range(1..=32)).min(input.len());
    match chance.random_range(0..8) {
        0 if at < end => input[at] ^= 1 << chance.random_range(0..8),
        1 if at < end => input[at] = chance.random_range(0..=255),
        2 if at < end => drop(input.drain(at..end)),
        3 => {
            let again = input[at..end].repeat(chance.random_range(1..=4));
            drop(input.splice(at..at, again));
        }
        4 => input.truncate(at),
        5 => {
            let other = &inputs[chance.random_range(0..inputs.len())];
            let from = chance.random_range(0..=other.len());
            let to = (from + chance.random_range(1..=64)).min(other.len());
            drop(input.splice(at..end, other[from..to].iter().copied()));
        }
        _ => drop(input.splice(at..at, ODD[chance.random_range(0..ODD.len())].iter().copied())),
    }
}
