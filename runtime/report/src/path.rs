//! What was measured of packets that pass by: the same one seen at two places.

use super::{TimeStats, Variation};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was measured of one path.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct PathStats {
    /// Name in the configuration.
    pub name: String,
    /// What identifies its packets.
    pub identity: String,
    /// Whose times those of the first place and of the second are: `port` or `lcore`, or both.
    pub times: [String; 2],
    /// What became of its packets.
    pub packets: PathCounts,
    /// From the first place to the second, of those that were seen at both.
    pub latency: TimeStats,
    /// Variation of the latency, in the order of the first place.
    pub variation: Variation,
}

impl PathStats {
    /// What is to be known before its figures are believed: a text each.
    #[must_use]
    pub fn remarks(&self) -> Vec<String> {
        let (packets, identity, mut told) = (&self.packets, &self.identity, Vec::new());
        let PathCounts { first, ambiguous, .. } = *packets;
        if ambiguous.saturating_mul(100) > first {
            told.push(format!(
                "{ambiguous} of {first} packets are AMBIGUOUS: by identity {identity:?} they are the same as others, and are not \
                 matched; another `identity` may tell them apart"
            ));
        }
        if packets.in_time + packets.late + ambiguous == 0 && first > 0 && packets.only_then > 0 {
            told.push(format!(
                "NONE was seen at both places: what identity {identity:?} looks at is changed on the way, or these are other packets"
            ));
        }
        let [unlooked, nameless] =
            [packets.unlooked, packets.nameless].map(|[first, then]| (first + then, first, then));
        if unlooked.0 > 0 {
            told.push(format!(
                "{} packets at the first place and {} at the second were NOT LOOKED AT, for the lcore that matches was behind: loss \
                 is wrong by as many",
                unlooked.1, unlooked.2
            ));
        }
        if packets.overrun > 0 {
            told.push(format!(
                "{} packets were given up before their time-out, for there are too few `places`: they may have come",
                packets.overrun
            ));
        }
        if nameless.0 > 0 {
            told.push(format!(
                "{} packets at the first place and {} at the second have nothing that identity {identity:?} looks at: they are in \
                 no count",
                nameless.1, nameless.2
            ));
        }
        if self.latency.before_departure > 0 {
            told.push(format!(
                "{} packets came to the second place before they came to the first, which is WRONG: stamps of lcores are late by as \
                 long as an lcore does not look",
                self.latency.before_departure
            ));
        }
        told
    }
}

/// What became of packets. At each moment `first = in_time + late + lost + ambiguous + outstanding` and
/// `then = in_time + late + twice + ambiguous_then + only_then + waiting`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct PathCounts {
    /// Seen at the first place.
    pub first: u64,
    /// Seen at the second place before the time-out.
    pub in_time: u64,
    /// Seen there after it, and not later than twice the time-out.
    pub late: u64,
    /// Not seen there by then.
    pub lost: u64,
    /// Seen at the first place while another one with the same identity was remembered, and that one: which of them came to the
    /// second place cannot be told.
    pub ambiguous: u64,
    /// May still come in time.
    pub outstanding: u64,
    /// Seen at the second place.
    pub then: u64,
    /// Seen there once more.
    pub twice: u64,
    /// Seen there with an identity that was ambiguous.
    pub ambiguous_then: u64,
    /// Seen there alone.
    pub only_then: u64,
    /// Seen there, and may still be seen at the first place, whose lcore is behind.
    pub waiting: u64,
    /// Seen at the second place behind one that was seen later at the first (RFC 4737).
    pub reordered: u64,
    /// Of those lost, those that were given up before the time-out because more were under way than there are places.
    pub overrun: u64,
    /// Packets at the first place and at the second that have nothing that identifies them: they are in no other count.
    pub nameless: [u64; 2],
    /// Packets at the first place and at the second that were not looked at, because the lcore that matches was too far behind.
    pub unlooked: [u64; 2],
}

impl PathCounts {
    /// Every packet is accounted for.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        self.first == self.in_time + self.late + self.lost + self.ambiguous + self.outstanding
            && self.then == self.in_time + self.late + self.twice + self.ambiguous_then + self.only_then + self.waiting
    }

    /// Part of the packets that is lost, of those whose fate is known (RFC 7680); `None` where there is none.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a ratio")]
    pub fn loss_ratio(&self) -> Option<f64> {
        let known = self.in_time + self.late + self.lost;
        (known > 0).then(|| self.lost as f64 / known as f64)
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn loss_is_a_part_of_what_is_known() {
        let counts = PathCounts {
            first: 130,
            in_time: 80,
            late: 10,
            lost: 10,
            ambiguous: 20,
            outstanding: 10,
            then: 95,
            twice: 1,
            only_then: 3,
            waiting: 1,
            ..PathCounts::default()
        };
        assert!(counts.is_balanced());
        assert_eq!(counts.loss_ratio(), Some(0.1));
        assert_eq!(PathCounts { ambiguous: 130, first: 130, ..PathCounts::default() }.loss_ratio(), None);
        let path = |packets| PathStats { identity: "ip".into(), packets, ..PathStats::default() };
        let told =
            path(PathCounts { ambiguous: 130, first: 130, then: 130, ambiguous_then: 130, ..PathCounts::default() });
        assert!(
            told.remarks()[0].contains("AMBIGUOUS") && told.remarks()[0].contains("another `identity`"),
            "{told:?}"
        );
        let told = path(PathCounts { first: 130, lost: 130, then: 5, only_then: 5, ..PathCounts::default() });
        assert!(told.remarks()[0].starts_with("NONE was seen at both places"), "{told:?}");
        assert_eq!(path(counts).remarks().len(), 1, "of 130 packets 20 are ambiguous");
        assert_eq!(path(PathCounts { ambiguous: 1, ..counts }).remarks(), [""; 0]);
        assert!(!PathCounts { then: 1, ..PathCounts::default() }.is_balanced());
    }
}
