//! What happens when: the script's events, with what a seed draws of them.

use crate::parts::splitmix;
use perigee_config::sim::{Event, Happening, Span};
use perigee_core::clock::nanos;
use perigee_wire::draw::Draws;

/// An event as a seed has it.
#[derive(Clone, Debug)]
pub(super) struct Scheduled {
    /// When, in nanoseconds.
    pub(super) at: u64,
    /// Its number in the script.
    pub(super) number: usize,
    pub(super) what: Happening,
    /// For how long, or by how much, in nanoseconds; 0 where that means nothing.
    pub(super) lasts: u64,
}

/// The events that happen with this seed, in order. What is drawn of one does not depend on the others, so that some can be left
/// out.
pub(super) fn draw(events: &[Event], seed: u64, only: Option<&[usize]>) -> Vec<Scheduled> {
    let wanted = |number: usize| only.is_none_or(|only| only.contains(&number));
    let mut drawn: Vec<Scheduled> = Vec::new();
    for (number, event) in events.iter().enumerate().filter(|(number, _)| wanted(*number)) {
        // Whether it happens is drawn after all times, of which those that happen together have different numbers.
        let key = event.together.as_deref().map_or_else(|| splitmix(number as u64), named);
        let mut draws = Draws::new(splitmix(seed ^ key));
        let mut common = event.together.is_some().then(|| Draws::new(splitmix(seed ^ splitmix(key))));
        let mut within = |span: Span| nanos(span.from) + draws.below(nanos(span.to - span.from).saturating_add(1));
        let at = within(event.at);
        let lasts = match &event.what {
            Happening::Link(link) => within(link.down),
            Happening::Loss(loss) => within(loss.lasts),
            Happening::Slow(slow) => within(slow.lasts),
            Happening::Pool(pool) => within(pool.lasts),
            Happening::Jump(jump) => within(jump.by),
            Happening::Swap(_) | Happening::Trap(_) | Happening::Message(_) | Happening::Apply(_) => 0,
        };
        if common.as_mut().unwrap_or(&mut draws).happens(event.chance) {
            drawn.push(Scheduled { at, number, what: event.what.clone(), lasts });
        }
    }
    drawn.sort_by_key(|event| (event.at, event.number));
    drawn
}

/// What a name adds to the seed.
fn named(name: &str) -> u64 {
    name.bytes().fold(0x746f_6765_7468_6572, |mixed, byte| splitmix(mixed ^ u64::from(byte)))
}

#[cfg(test)]
mod test {
    use super::*;
    use perigee_config::Config;

    #[test]
    fn what_is_drawn_of_an_event_does_not_depend_on_the_others() {
        let text = "[[sim.event]]\nat = \"1ms..9ms\"\njump = { by = \"1us..1ms\" }\n".repeat(6)
            + "[[sim.event]]\nat = \"5ms\"\nchance = \"50%\"\njump = { by = \"1us\" }\n";
        let events = Config::read(&text, "x").expect("a configuration").sim.events;
        let key = |event: &Scheduled| (event.number, event.at, event.lasts);
        let all: Vec<_> = draw(&events, 7, None).iter().map(key).collect();
        let some: Vec<_> = draw(&events, 7, Some(&[1, 4])).iter().map(key).collect();
        assert_eq!(some, all.iter().filter(|(number, ..)| [1, 4].contains(number)).copied().collect::<Vec<_>>());
        assert!(all.iter().all(|(_, at, _)| (1_000_000..=9_000_000).contains(at)));
        let happens = (0..1_000).filter(|seed| draw(&events, *seed, Some(&[6])).len() == 1).count();
        assert!((430..570).contains(&happens), "{happens} of 1000 at 50 %");
    }

    #[test]
    fn what_happens_together_is_drawn_as_one() {
        let text = "[[sim.event]]\nat = \"1ms..9ms\"\nchance = \"50%\"\ntogether = \"a\"\njump = { by = \"1us..1ms\" }\n\
                    [[sim.event]]\nat = \"1ms..9ms\"\njump = { by = \"1us\" }\n\
                    [[sim.event]]\nat = \"2ms..10ms\"\nchance = \"50%\"\ntogether = \"a\"\nmessage = { module = \"m\", text = \"x\" }\n";
        let config = Config::read(text, "x").expect("a configuration");
        assert_eq!(config.sim.groups(), [vec![0, 2], vec![1]]);
        let mut both = 0;
        for seed in 0..1_000 {
            let at = |number: usize| draw(&config.sim.events, seed, Some(&[number])).first().map(|event| event.at);
            assert_eq!(at(0).map(|at| at + 1_000_000), at(2), "seed {seed}");
            both += u32::from(at(0).is_some());
        }
        assert!((430..570).contains(&both), "{both} of 1000 at 50 %");
    }
}
