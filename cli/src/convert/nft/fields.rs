//! What a rule is met by, field by field.

use super::address::Family;
use std::collections::BTreeSet;

/// Numbers from one to another, both among them; sorted, and apart from each other.
pub(super) type Ranges = Vec<(u128, u128)>;

/// All flags of TCP.
pub(super) const ALL_FLAGS: u8 = 0xff;

/// What a packet must have; a field that is not there may be anything.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fields {
    pub(super) family: Option<Family>,
    pub(super) source: Option<Ranges>,
    pub(super) destination: Option<Ranges>,
    pub(super) protocols: Option<BTreeSet<u8>>,
    pub(super) source_port: Option<Ranges>,
    pub(super) destination_port: Option<Ranges>,
    pub(super) icmp_type: Option<Ranges>,
    pub(super) icmp_code: Option<Ranges>,
    /// One of these: flags that are set, of those that are looked at.
    pub(super) flags: Option<BTreeSet<(u8, u8)>>,
    pub(super) vlan: Option<Ranges>,
    pub(super) input: Option<BTreeSet<String>>,
    pub(super) output: Option<BTreeSet<String>>,
    pub(super) states: Option<BTreeSet<&'static str>>,
}

/// Sorts ranges, and joins those that touch.
pub(super) fn sorted(mut ranges: Ranges) -> Ranges {
    ranges.sort_unstable();
    let mut all: Ranges = Vec::new();
    for (from, to) in ranges {
        match all.last_mut() {
            Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
            _ => all.push((from, to)),
        }
    }
    all
}

/// All numbers up to `most` that are in none of these sorted ranges.
pub(super) fn complement(ranges: &Ranges, most: u128) -> Ranges {
    let mut all = Vec::new();
    let mut next = Some(0);
    for (from, to) in ranges {
        if let Some(start) = next.filter(|start| start < from) {
            all.push((start, from - 1));
        }
        next = to.checked_add(1);
    }
    all.extend(next.filter(|start| *start <= most).map(|start| (start, most)));
    all
}

/// What is in both; nothing where that is empty.
fn common(one: &Ranges, other: &Ranges) -> Option<Ranges> {
    let pairs = one.iter().flat_map(|a| other.iter().map(move |b| (a.0.max(b.0), a.1.min(b.1))));
    Some(sorted(pairs.filter(|(from, to)| from <= to).collect())).filter(|all| !all.is_empty())
}

fn shared<T: Ord + Clone>(one: &BTreeSet<T>, other: &BTreeSet<T>) -> Option<BTreeSet<T>> {
    Some(one & other).filter(|all| !all.is_empty())
}

/// Flags that meet both.
fn flags(one: &BTreeSet<(u8, u8)>, other: &BTreeSet<(u8, u8)>) -> Option<BTreeSet<(u8, u8)>> {
    let pairs = one.iter().flat_map(|a| other.iter().map(move |b| (*a, *b)));
    let agree = pairs.filter(|((a, a_mask), (b, b_mask))| a & b_mask == b & a_mask);
    Some(agree.map(|((a, a_mask), (b, b_mask))| (a | b, a_mask | b_mask)).collect())
        .filter(|all: &BTreeSet<_>| !all.is_empty())
}

/// One of two, or what `both` makes of them. The outer error is that nothing is left.
fn meet<T: Clone>(one: &Option<T>, other: &Option<T>, both: impl Fn(&T, &T) -> Option<T>) -> Result<Option<T>, Never> {
    match (one, other) {
        (Some(one), Some(other)) => both(one, other).map(Some).ok_or(Never),
        (one, other) => Ok(one.as_ref().or(other.as_ref()).cloned()),
    }
}

/// No packet has all that.
#[derive(Debug, PartialEq)]
pub(super) struct Never;

impl Fields {
    /// What a packet must have to meet both.
    pub(super) fn and(&self, other: &Self) -> Result<Self, Never> {
        let fields = Self {
            family: meet(&self.family, &other.family, |a, b| (a == b).then_some(*a))?,
            source: meet(&self.source, &other.source, common)?,
            destination: meet(&self.destination, &other.destination, common)?,
            protocols: meet(&self.protocols, &other.protocols, shared)?,
            source_port: meet(&self.source_port, &other.source_port, common)?,
            destination_port: meet(&self.destination_port, &other.destination_port, common)?,
            icmp_type: meet(&self.icmp_type, &other.icmp_type, common)?,
            icmp_code: meet(&self.icmp_code, &other.icmp_code, common)?,
            flags: meet(&self.flags, &other.flags, flags)?,
            vlan: meet(&self.vlan, &other.vlan, common)?,
            input: meet(&self.input, &other.input, shared)?,
            output: meet(&self.output, &other.output, shared)?,
            states: meet(&self.states, &other.states, shared)?,
        };
        fields.of_one_family()
    }

    /// A field has no value that would do.
    pub(super) fn is_never(&self) -> bool {
        let ranges = [
            &self.source,
            &self.destination,
            &self.source_port,
            &self.destination_port,
            &self.icmp_type,
            &self.icmp_code,
            &self.vlan,
        ];
        let is_empty = |ranges: &&Option<Ranges>| ranges.as_ref().is_some_and(Vec::is_empty);
        ranges.iter().any(is_empty)
            || self.protocols.as_ref().is_some_and(BTreeSet::is_empty)
            || self.flags.as_ref().is_some_and(BTreeSet::is_empty)
            || [&self.input, &self.output].into_iter().flatten().any(BTreeSet::is_empty)
            || self.states.as_ref().is_some_and(BTreeSet::is_empty)
    }

    /// Without ICMP of the other family.
    fn of_one_family(mut self) -> Result<Self, Never> {
        let foreign = match self.family {
            Some(Family::V4) => 58,
            Some(Family::V6) => 1,
            None => return Ok(self),
        };
        if let Some(protocols) = &mut self.protocols {
            protocols.remove(&foreign);
            if protocols.is_empty() {
                return Err(Never);
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn ranges_meet_and_complement_each_other() {
        let ranges = sorted(vec![(5, 9), (1, 2), (3, 4), (20, 20)]);
        assert_eq!(ranges, [(1, 9), (20, 20)]);
        assert_eq!(complement(&ranges, 30), [(0, 0), (10, 19), (21, 30)]);
        assert_eq!(complement(&vec![(0, u128::MAX)], u128::MAX), []);
        assert_eq!(common(&ranges, &vec![(9, 20)]), Some(vec![(9, 9), (20, 20)]));
        assert_eq!(common(&ranges, &vec![(10, 19)]), None);
    }

    #[test]
    fn flags_meet_where_they_agree() {
        let one = BTreeSet::from([(2, 0x12), (0x10, 0x10)]);
        let other = BTreeSet::from([(0, 4), (2, 2)]);
        assert_eq!(flags(&one, &other), Some(BTreeSet::from([(2, 0x16), (2, 0x12), (0x10, 0x14), (0x12, 0x12)])));
        assert_eq!(flags(&BTreeSet::from([(2, 2)]), &BTreeSet::from([(0, 2)])), None);
    }
}
