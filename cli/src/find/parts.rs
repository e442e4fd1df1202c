//! What is read of a file: all but the stretches of which its index says that they have nothing.

use super::search::Wanted;
use perigee_pcap::index::{Index, Stretch, Unusable};
use std::collections::VecDeque;
use std::fs::{File, Metadata};
use std::io::{Read, Result as IoResult, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

/// An index that leaves more parts is none of ours.
const MOST_PARTS: usize = 1 << 20;

/// What is passed over.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// In order; none touches another.
    skipped: VecDeque<Range<u64>>,
    /// Packets and bytes of that.
    pub(super) packets: u64,
    pub(super) bytes: u64,
    /// Why there is no index to go by; `None` where there is.
    pub(super) without: Option<Unusable>,
}

impl Plan {
    /// By the file's index, where it has one that fits.
    pub(super) fn of(path: &Path, metadata: &Metadata, wanted: &Wanted) -> Self {
        by_index(path, metadata, wanted).unwrap_or_else(|why| Self { without: Some(why), ..Self::default() })
    }

    fn skip(&mut self, stretch: &Stretch) {
        self.packets = self.packets.saturating_add(stretch.packets);
        self.bytes += stretch.end - stretch.begin;
        match self.skipped.back_mut() {
            Some(last) if last.end == stretch.begin => last.end = stretch.end,
            _ => self.skipped.push_back(stretch.begin..stretch.end),
        }
    }
}

fn by_index(path: &Path, metadata: &Metadata, wanted: &Wanted) -> Result<Plan, Unusable> {
    let (mut index, mut plan) = (Index::open(path, metadata)?, Plan::default());
    while let Some(stretch) = index.next_stretch()? {
        if stretch.end > metadata.len() || plan.skipped.len() > MOST_PARTS {
            return Err(Unusable::Damaged);
        }
        if !wanted.may_be_in(&stretch) {
            plan.skip(&stretch);
        }
    }
    Ok(plan)
}

/// A file without what is passed over.
#[derive(Debug)]
pub(super) struct Parts {
    file: File,
    at: u64,
    skipped: VecDeque<Range<u64>>,
}

impl Parts {
    pub(super) fn new(file: File, plan: &mut Plan) -> Self {
        Self { file, at: 0, skipped: std::mem::take(&mut plan.skipped) }
    }
}

impl Read for Parts {
    fn read(&mut self, to: &mut [u8]) -> IoResult<usize> {
        if let Some(range) = self.skipped.pop_front_if(|range| range.start == self.at) {
            self.at = self.file.seek(SeekFrom::Start(range.end))?;
        }
        let left = self.skipped.front().map_or(u64::MAX, |range| range.start - self.at);
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(to.len());
        let read = self.file.read(&mut to[..len])?;
        self.at += read as u64;
        Ok(read)
    }
}
