//! What came of a profile: stacks by name, shares of functions, and where modules' code lay, for `perf`.

use crate::code::{Code, Function};
use crate::host::{Host, readable};
use crate::jitdump;
use crate::profiler::Seen;
use crate::sampler::monotonic_ns;
use perigee_report::text;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;

/// Chain and module of seats, by their number.
pub(crate) type Seats = BTreeMap<u64, (String, String)>;

/// What a thread is in that sleeps: an lcore naps.
const SLEEPS: [&str; 3] = ["clock_nanosleep", "nanosleep", "__nanosleep"];
/// Characters of a digest that tell modules of one name apart.
const DIGEST: usize = 8;
/// Where a module's code is no function of its: what the engine puts before and behind a call.
const WAY: &str = "way in and out";
/// What is not a module's.
const HOST: &str = "host";

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// Samples a second of each lcore.
    pub hz: u32,
    /// Samples that were not counted: nobody took them in time, or there were too many different stacks.
    pub lost: u64,
    /// The stacks, in the order of their names.
    pub stacks: Vec<Stack>,
    /// Where modules' code lay, a function a line, in the form of `perf`'s maps: address and length in hexadecimal, and the name.
    pub perf_map: String,
    /// The machine code of modules by their functions, in the form of `perf`'s jitdump.
    pub jitdump: Vec<u8>,
}

/// A stack that lcores were seen in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// The lcore's CPU.
    pub lcore: u32,
    /// The chain, where that is known.
    pub chain: Option<String>,
    /// The module; `None`: the host, not called by one.
    pub module: Option<String>,
    /// It slept.
    pub is_idle: bool,
    /// Functions, the outermost first. What a module has the host do comes behind its own, after `host`.
    pub functions: Vec<String>,
    /// How often it was seen.
    pub samples: u64,
}

/// The share of a function of the time in which its lcore did not sleep.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionShare {
    /// The lcore's CPU.
    pub lcore: u32,
    /// The chain and the module, or the host.
    pub place: String,
    /// Its name.
    pub function: String,
    /// Samples in which it was what ran.
    pub own: u64,
    /// Samples in which it, or what it called, ran.
    pub total: u64,
}

impl Stack {
    /// As folded stacks have it, without the number.
    fn folded(&self) -> String {
        let mut parts = vec![format!("lcore {}", self.lcore)];
        parts.extend(self.chain.as_ref().map(|chain| format!("chain {chain}")));
        match &self.module {
            Some(module) => parts.push(format!("module {module}")),
            None if self.is_idle => parts.push("idle".to_owned()),
            None => parts.push(HOST.to_owned()),
        }
        parts.extend(self.functions.iter().filter(|_| !self.is_idle).cloned());
        parts.join(";")
    }

    fn place(&self) -> String {
        match (&self.chain, &self.module) {
            (Some(chain), Some(module)) => format!("{chain}/{module}"),
            (_, Some(module)) => module.clone(),
            _ => HOST.to_owned(),
        }
    }
}

impl Profile {
    /// Folded stacks, one a line with its number of samples: what flame graphs are drawn from.
    #[must_use]
    pub fn folded(&self) -> String {
        let mut lines: BTreeMap<String, u64> = BTreeMap::new();
        for stack in &self.stacks {
            *lines.entry(stack.folded()).or_default() += stack.samples;
        }
        lines.into_iter().fold(String::new(), |mut text, (stack, samples)| {
            // A text takes all that is written to it.
            let _ = writeln!(text, "{stack} {samples}");
            text
        })
    }

    /// The lcores, with all their samples and those of them in which they slept.
    #[must_use]
    pub fn lcores(&self) -> BTreeMap<u32, (u64, u64)> {
        let mut lcores = BTreeMap::new();
        for stack in &self.stacks {
            let (all, idle) = lcores.entry(stack.lcore).or_insert((0, 0));
            *all += stack.samples;
            *idle += if stack.is_idle { stack.samples } else { 0 };
        }
        lcores
    }

    /// The functions of each lcore, those with the most samples of their own first; what slept is left out.
    #[must_use]
    pub fn functions(&self) -> Vec<FunctionShare> {
        let mut found: BTreeMap<(u32, String, &str), (u64, u64)> = BTreeMap::new();
        for stack in self.stacks.iter().filter(|stack| !stack.is_idle) {
            let place = stack.place();
            let leaf = stack.functions.last().map_or("unknown", String::as_str);
            let others: BTreeSet<&str> = stack.functions.iter().map(String::as_str).chain([leaf]).collect();
            for function in others.into_iter().filter(|function| *function != HOST) {
                let (own, total) = found.entry((stack.lcore, place.clone(), function)).or_default();
                *total += stack.samples;
                *own += if function == leaf { stack.samples } else { 0 };
            }
        }
        let share = |((lcore, place, function), (own, total)): ((u32, String, &str), (u64, u64))| FunctionShare {
            lcore,
            place,
            function: function.to_owned(),
            own,
            total,
        };
        let mut shares: Vec<_> = found.into_iter().map(share).collect();
        shares.sort_by_key(|share| (share.lcore, std::cmp::Reverse((share.own, share.total))));
        shares
    }
}

/// Names all that was seen.
pub(crate) fn of(seen: &HashMap<Seen, u64>, seats: &Seats, codes: &[Code], host: &Host, hz: u32, lost: u64) -> Profile {
    let leaves = seen.keys().filter_map(|seen| seen.addresses.first().copied());
    let outside: BTreeSet<u64> = leaves.filter(|leaf| guest(codes, *leaf).is_none()).collect();
    let names = host.names(&outside.into_iter().collect::<Vec<_>>());
    let mut stacks: Vec<_> = seen.iter().map(|(seen, samples)| stack(seen, *samples, seats, codes, &names)).collect();
    stacks.sort_by_key(Stack::folded);
    let jitdump = jitdump::bytes(codes, std::process::id(), monotonic_ns());
    Profile { hz, lost, stacks, perf_map: perf_map(codes), jitdump }
}

fn stack(seen: &Seen, samples: u64, seats: &Seats, codes: &[Code], names: &HashMap<u64, Vec<String>>) -> Stack {
    let Some((leaf, back)) = seen.addresses.split_first() else {
        return Stack { lcore: seen.cpu, chain: None, module: None, is_idle: false, functions: Vec::new(), samples };
    };
    // Where a call returns to may be the beginning of what comes behind the caller.
    let callers = back.iter().map(|back| back - 1).map_while(|back| guest(codes, back).map(|code| (code, back)));
    let own = guest(codes, *leaf).map(|code| (code, *leaf));
    let guests: Vec<_> = own.into_iter().chain(callers).collect();
    let mut functions: Vec<String> =
        guests.iter().rev().filter_map(|(code, at)| code.function(*at)).map(function_name).collect();
    let seat = seen.seat.and_then(|seat| seats.get(&seat));
    let module = guests.first().map(|(code, _)| label(code, codes)).or_else(|| seat.map(|(_, module)| module.clone()));
    let mut is_idle = false;
    if own.is_none() {
        let of_host = names.get(leaf).cloned().unwrap_or_default();
        is_idle =
            module.is_none() && of_host.last().is_some_and(|name| SLEEPS.iter().any(|sleep| name.contains(sleep)));
        functions.extend(module.as_ref().map(|_| HOST.to_owned()));
        functions.extend(of_host);
    } else if functions.is_empty() {
        functions.push(WAY.to_owned());
    }
    Stack { lcore: seen.cpu, chain: seat.map(|(chain, _)| chain.clone()), module, is_idle, functions, samples }
}

fn guest(codes: &[Code], address: u64) -> Option<&Code> {
    codes.iter().find(|code| code.contains(address))
}

/// A module's name; with the beginning of its digest, where several had the name.
fn label(code: &Code, codes: &[Code]) -> String {
    let is_alone = codes.iter().all(|other| other.name != code.name || other.digest == code.digest);
    let digest: String = code.digest.chars().take(DIGEST).collect();
    if is_alone { code.name.clone() } else { format!("{} {digest}", code.name) }
}

/// As the module calls it. Names are a module's own words.
fn function_name(function: &Function) -> String {
    let name = function.name.as_deref().filter(|name| !name.is_empty()).map(readable);
    name.unwrap_or_else(|| format!("function {}", function.index))
}

/// The functions of a module, with names that say of which module they are.
pub(crate) fn function_names<'a>(code: &'a Code, codes: &[Code]) -> impl Iterator<Item = (&'a Function, String)> {
    let module = text::line(&label(code, codes), text::NAME);
    code.functions.iter().map(move |function| (function, format!("{module}: {}", function_name(function))))
}

fn perf_map(codes: &[Code]) -> String {
    let mut text = String::new();
    for code in codes {
        for (function, name) in function_names(code, codes) {
            // A text takes all that is written to it.
            let _ = writeln!(text, "{:x} {:x} {name}", code.start + function.offset, function.len);
        }
    }
    text
}

#[cfg(test)]
mod test {
    use super::*;

    fn code(name: &str, digest: &str, start: u64) -> Code {
        let function = |offset, index, name: &str| Function { offset, len: 16, index, name: Some(name.to_owned()) };
        let functions = vec![function(0, 1, "process"), function(16, 2, "slow;x"), function(32, 3, "")];
        Code { start, ..Code::new(name, digest, vec![0; 64], functions) }
    }

    fn seen(seat: Option<u64>, addresses: &[u64]) -> Seen {
        Seen { cpu: 1, seat, addresses: addresses.into() }
    }

    fn profile(stacks: &[(Seen, u64)], codes: &[Code]) -> Profile {
        let seats = Seats::from([(7, ("c".to_owned(), "m".to_owned()))]);
        of(&stacks.iter().cloned().collect(), &seats, codes, &Host::default(), 997, 0)
    }

    #[test]
    fn stacks_are_named_from_the_outside() {
        let codes = [code("m", "aaaaaaaaaa", 1000)];
        let told = profile(
            &[
                (seen(Some(7), &[1017, 1005, 1050]), 5),
                (seen(Some(7), &[5, 1049, 1020]), 3),
                (seen(Some(7), &[5]), 2),
                (seen(None, &[5]), 1),
            ],
            &codes,
        );
        let expected = "lcore 1;chain c;module m;host;unknown 2\n\
                        lcore 1;chain c;module m;process;slow:x 5\n\
                        lcore 1;chain c;module m;slow:x;host;unknown 3\n\
                        lcore 1;host;unknown 1\n";
        assert_eq!(told.folded(), expected);
        assert_eq!(told.lcores(), [(1, (11, 0))].into());
        let shares = told.functions();
        let first = FunctionShare { lcore: 1, place: "c/m".into(), function: "slow:x".into(), own: 5, total: 8 };
        assert!(shares.contains(&first), "{shares:?}");
        assert_eq!(shares.iter().map(|share| share.own).sum::<u64>(), 11);
        assert!(
            told.perf_map.starts_with("3e8 10 m: process\n3f8 10 m: slow:x\n408 10 m: function 3\n"),
            "{}",
            told.perf_map
        );
    }

    #[test]
    fn modules_of_one_name_are_told_apart() {
        let codes = [code("m", "aaaaaaaaaa", 1000), code("m", "bbbbbbbbbb", 2000), code("n", "cc", 3000)];
        let told =
            profile(&[(seen(Some(7), &[1000]), 1), (seen(Some(7), &[2000]), 1), (seen(None, &[3000]), 1)], &codes);
        let expected = "lcore 1;chain c;module m aaaaaaaa;process 1\n\
                        lcore 1;chain c;module m bbbbbbbb;process 1\n\
                        lcore 1;module n;process 1\n";
        assert_eq!(told.folded(), expected);
    }
}
