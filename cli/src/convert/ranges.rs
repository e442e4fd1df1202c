//! Places in a packet by the names of their fields.

use super::written::number;
use crate::streams::spelt;
use perigee_guest::wire::{Layers, Places};
use toml::Table;

/// Writes into a table where `bits` bits from bit `at` on of this packet are: by the field's name, where there is one just there, else
/// by offset.
pub(super) fn place(packet: &[u8], at: usize, bits: usize, table: &mut Table) {
    if let Some(name) = field(packet, at, bits) {
        table.insert("field".to_owned(), name.into());
        return;
    }
    table.insert("offset".to_owned(), number((at / 8) as u64));
    if !at.is_multiple_of(8) {
        table.insert("bit".to_owned(), number((at % 8) as u64));
    }
    table.insert("bits".to_owned(), number(bits as u64));
}

/// The name of the field that is just these bits.
pub(super) fn field(packet: &[u8], at: usize, bits: usize) -> Option<String> {
    let places: Places = Layers::new(packet).of_template().collect();
    places.iter().enumerate().find_map(|(index, place)| {
        let mut fields = place.info.format.fields.iter();
        let field = fields.find(|field| field.after(place.start).bit == at && field.bits == bits)?;
        let before = places[..index].iter().filter(|other| other.name() == place.name()).count();
        let number = if before == 0 { String::new() } else { format!("#{}", before + 1) };
        Some(format!("{}{number}.{}", spelt(place.name()), field.name))
    })
}

/// The names of a packet's headers.
pub(super) fn headers(packet: &[u8]) -> String {
    Layers::new(packet).of_template().map(|place| place.name()).collect::<Vec<_>>().join(", ")
}
