//! What a collector remembers of templates.

use super::{Field, Template};
use crate::wire::Error;

/// Room for `N` templates of up to `FIELDS` fields, of all exporters together. When all rooms are taken, a new template takes
/// that of the one that was learned first: an exporter that sends ever new ones costs no memory, but may push out others.
#[derive(Clone, Debug)]
pub struct Templates<const N: usize, const FIELDS: usize> {
    rooms: [Room<FIELDS>; N],
    next: usize,
}

#[derive(Clone, Copy, Debug)]
struct Room<const FIELDS: usize> {
    /// Exporter and template; nothing in a free room.
    key: Option<(u64, u16)>,
    /// It is a template of options.
    options: bool,
    fields: [Field; FIELDS],
    len: usize,
}

impl<const N: usize, const FIELDS: usize> Default for Templates<N, FIELDS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize, const FIELDS: usize> Templates<N, FIELDS> {
    /// Without templates.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(N > 0, "a table needs room for one template") };
        let nothing = Field { element: super::Element { enterprise: 0, id: 0 }, length: 0 };
        Self { rooms: [Room { key: None, options: false, fields: [nothing; FIELDS], len: 0 }; N], next: 0 }
    }

    /// Remembers a template in place of an older one of its number, or forgets that where the template is withdrawn.
    /// `exporter` tells apart who may have the same template numbers: address and domain in one number, for example.
    ///
    /// # Errors
    ///
    /// It has more than `FIELDS` fields; an older one of its number is forgotten all the same, because it is no longer right.
    pub fn learn(&mut self, exporter: u64, template: &Template<'_>) -> Result<(), Error> {
        let key = Some((exporter, template.id));
        let known = self.rooms.iter().position(|room| room.key == key);
        if let Some(at) = known {
            self.rooms[at].key = None;
        }
        if template.count == 0 {
            self.forget_all(exporter, template.id);
            return Ok(());
        }
        if usize::from(template.count) > FIELDS {
            return Err(Error);
        }
        let free = || self.rooms.iter().position(|room| room.key.is_none());
        let at = known.or_else(free).unwrap_or_else(|| {
            let oldest = self.next;
            self.next = (self.next + 1) % N;
            oldest
        });
        let room = &mut self.rooms[at];
        (room.key, room.options, room.len) = (key, template.scope_count > 0, 0);
        for (to, field) in room.fields.iter_mut().zip(template.fields()) {
            *to = field;
            room.len += 1;
        }
        Ok(())
    }

    /// The number of a kind of set withdraws all templates of that kind (RFC 7011, section 8.1).
    fn forget_all(&mut self, exporter: u64, id: u16) {
        let options = match id {
            2 => false,
            3 => true,
            _ => return,
        };
        for room in &mut self.rooms {
            if room.options == options && room.key.is_some_and(|(whose, _)| whose == exporter) {
                room.key = None;
            }
        }
    }

    /// The fields of a template; nothing where it is not known, or no more.
    #[must_use]
    pub fn find(&self, exporter: u64, id: u16) -> Option<&[Field]> {
        let room = self.rooms.iter().find(|room| room.key == Some((exporter, id)))?;
        room.fields.get(..room.len)
    }
}
