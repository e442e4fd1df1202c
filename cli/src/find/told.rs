//! What a search comes to.

use crate::table::Table;
use perigee_pcap::index::Unusable;
use serde::Serialize;

/// Of one file.
#[derive(Debug, Default, Serialize)]
pub(super) struct FileTold {
    pub(super) name: String,
    /// Packets that were found.
    pub(super) found: u64,
    /// Packets that were looked at.
    pub(super) packets: u64,
    /// Packets that were not, for the index says that none of them is wanted.
    pub(super) skipped: u64,
    /// Bytes that the file has, and that were read of it.
    pub(super) bytes: u64,
    pub(super) read: u64,
    /// It ends within a record: of a process that was killed, or that still writes it.
    pub(super) is_cut: bool,
    /// Why it was read without an index.
    #[serde(serialize_with = "why")]
    pub(super) without_index: Option<Unusable>,
    /// The first and the last time of what was found, nanoseconds since 1970.
    pub(super) from_unix_ns: Option<i128>,
    pub(super) until_unix_ns: Option<i128>,
}

fn why<S: serde::Serializer>(why: &Option<Unusable>, to: S) -> Result<S::Ok, S::Error> {
    why.map(|why| why.to_string()).serialize(to)
}

/// Of all files.
#[derive(Debug, Default, Serialize)]
pub(super) struct Told {
    /// Packets that were found.
    found: u64,
    files: Vec<FileTold>,
}

impl FileTold {
    /// A packet was found.
    pub(super) fn take(&mut self, time: Option<i128>) {
        self.found += 1;
        self.from_unix_ns = [self.from_unix_ns, time].into_iter().flatten().min();
        self.until_unix_ns = [self.until_unix_ns, time].into_iter().flatten().max();
    }
}

impl Told {
    pub(super) fn add(&mut self, file: FileTold) {
        self.found += file.found;
        self.files.push(file);
    }

    /// For people.
    pub(super) fn shown(&self) -> String {
        let mut table = Table::new(&["<file", "packets", "found", "read"]);
        let mut remarks = String::new();
        for file in &self.files {
            if file.found > 0 {
                let packets = (file.packets + file.skipped).to_string();
                table.row([file.name.clone(), packets, file.found.to_string(), percent(file.read, file.bytes)]);
            }
            if file.is_cut {
                remarks += &format!("{}: ends within a packet, and was read until there\n", file.name);
            }
            if let Some(why) = file.without_index.filter(|why| *why != Unusable::Missing) {
                remarks += &format!("{}: {why}; all of it was read\n", file.name);
            }
        }
        let missing = self.files.iter().filter(|file| file.without_index == Some(Unusable::Missing)).count();
        if missing > 0 {
            remarks += &format!("{missing} of the files have no index, and all of them was read\n");
        }
        let sum = |of: fn(&FileTold) -> u64| self.files.iter().map(of).sum::<u64>();
        let (found, files, read) =
            (self.found, self.files.len(), percent(sum(|file| file.read), sum(|file| file.bytes)));
        let table = if found > 0 { table.text() } else { String::new() };
        format!("{table}{remarks}{found} packets found in {files} files, of which {read} was read\n")
    }
}

fn percent(part: u64, of: u64) -> String {
    let tenths = (u128::from(part) * 1_000).checked_div(of.into()).unwrap_or(1_000);
    format!("{}.{} %", tenths / 10, tenths % 10)
}
