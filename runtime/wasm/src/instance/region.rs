//! The state region of an instance: its own, which others may read, or another's, which it reads.

use super::Instance;
use crate::flat::Ahead;
use crate::host::Link;
use std::io;

impl Instance {
    /// A call begins, in which it may look at the region that it reads. True: it was not called before, so it is not waited for when
    /// the call is over.
    #[inline]
    pub(super) fn enter(&self) -> bool {
        self.mirror.as_ref().is_some_and(|mirror| mirror.reader.enter())
    }

    /// It is not called for now: nobody waits until it has gone on.
    pub fn rest(&self) {
        if let Some(mirror) = &self.mirror {
            mirror.reader.leave();
        }
    }

    /// It reads another instance's state region.
    pub fn reads(&self) -> bool {
        self.mirror.is_some()
    }

    /// Between two bursts, of an instance that works: tells those who read its region what that lies in; follows the one that it reads.
    #[inline]
    pub fn tend(&mut self) {
        if let Some(mirror) = &mut self.mirror {
            // It sees what it saw, and the next time it is tried again.
            let _ = mirror.follow();
        } else if let (Some(flat), Link::Own { shared, .. }) = (&self.flat, &self.store.data().region) {
            shared.publish(flat.current());
        }
    }

    /// Lays another instance's region in place of its own ([`crate::flat::Flat::take_over`]). How many bytes that are.
    ///
    /// # Errors
    /// As a text: it has another length, or cannot be moved.
    pub fn take_over(&mut self, ahead: &mut Ahead) -> Result<usize, String> {
        let Some(flat) = &mut self.flat else { return Ok(0) };
        flat.take_over(ahead)?;
        let len = flat.len();
        self.note_waits();
        Ok(len)
    }

    /// Makes a piece more of what was taken over its own. True once all of it is.
    ///
    /// # Errors
    /// As [`crate::flat::Flat::settle`].
    pub fn settle(&mut self) -> io::Result<bool> {
        let settled = self.flat.as_mut().map_or(Ok(true), crate::flat::Flat::settle);
        self.note_waits();
        settled
    }

    /// Whether others see what it writes, for the instance to ask.
    fn note_waits(&mut self) {
        let is_settled = self.flat.as_ref().is_none_or(crate::flat::Flat::is_settled);
        if let Link::Own { waits, .. } = &mut self.store.data_mut().region {
            *waits = !is_settled;
        }
    }
}
