//! Tables and numbers for people.

/// Rows of text under a head, each column as wide as its widest cell.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column heads. A head that begins with `<` is of a column of text, which stands left; numbers stand
    /// right.
    pub(crate) fn new(heads: &[&str]) -> Self {
        Self { rows: vec![heads.iter().map(|&head| head.to_owned()).collect()] }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// As [`Table::text`], and nothing where there are no rows.
    pub(crate) fn text_unless_empty(&self) -> String {
        if self.rows.len() == 1 { String::new() } else { self.text() }
    }

    /// The whole of it, each line with two blanks before it.
    pub(crate) fn text(&self) -> String {
        let heads = &self.rows[0];
        let left: Vec<bool> = heads.iter().map(|head| head.starts_with('<')).collect();
        let shown = |row: usize, column: usize| -> &str {
            let cell = self.rows[row].get(column).map_or("", String::as_str);
            if row == 0 { cell.trim_start_matches('<') } else { cell }
        };
        let width =
            |column: usize| (0..self.rows.len()).map(|row| shown(row, column).chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..heads.len()).map(width).collect();
        let mut text = String::new();
        for row in 0..self.rows.len() {
            let mut line = String::new();
            for (column, &width) in widths.iter().enumerate() {
                let cell = shown(row, column);
                line += &if left[column] { format!("  {cell:<width$}") } else { format!("  {cell:>width$}") };
            }
            text += line.trim_end();
            text.push('\n');
        }
        text
    }
}

/// A count with its thousands apart: `12,345`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in the largest unit that leaves a whole number: `256 MiB`.
pub(crate) fn bytes(number: u64) -> String {
    let units = [(1_u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit = units.iter().find(|(size, _)| number >= *size && number.is_multiple_of(*size));
    unit.map_or_else(|| format!("{} bytes", count(number)), |(size, name)| format!("{} {name}", number / size))
}

/// Packets per second in a fitting unit, from a number of packets in a window of nanoseconds.
pub(crate) fn packet_rate(packets: u64, window_ns: u64) -> String {
    rate(per_second(packets, window_ns), ["pps ", "kpps", "Mpps", "Gpps"])
}

/// Bits per second in a fitting unit, from a number of bytes in a window of nanoseconds.
pub(crate) fn bit_rate(bytes: u64, window_ns: u64) -> String {
    rate(per_second(bytes, window_ns) * 8.0, ["bit/s ", "kbit/s", "Mbit/s", "Gbit/s"])
}

/// As [`bit_rate`], of a port: some drivers (net_null) count packets and not their bytes.
pub(crate) fn port_bit_rate(packets: u64, bytes: u64, window_ns: u64) -> String {
    if packets > 0 && bytes == 0 { format!("{:>6} {:<6}", "-", "Gbit/s") } else { bit_rate(bytes, window_ns) }
}

/// How many in a second.
#[allow(clippy::cast_precision_loss, reason = "a rate for people: beyond 2^53 the last digits do not matter")]
pub(crate) fn per_second(number: u64, window_ns: u64) -> f64 {
    if window_ns == 0 { 0.0 } else { number as f64 * 1e9 / window_ns as f64 }
}

/// A number in the largest unit of which it has at least one: so at least three digits are shown.
fn rate(number: f64, units: [&str; 4]) -> String {
    // What would be shown as 1000.00 is 1.00 of the next unit.
    match number {
        ..999.5 => format!("{number:6.0} {}", units[0]),
        ..999_995.0 => format!("{:6.2} {}", number / 1e3, units[1]),
        ..999_995_000.0 => format!("{:6.2} {}", number / 1e6, units[2]),
        _ => format!("{:6.2} {}", number / 1e9, units[3]),
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(&["<port", "rx", "tx"]);
        table.row(["a".to_owned(), count(1), count(20_000)]);
        table.row(["longer".to_owned(), count(300), count(0)]);
        table.row(["<x>".to_owned()]);
        assert_eq!(table.text(), "  port     rx      tx\n  a         1  20,000\n  longer  300       0\n  <x>\n");
    }

    #[test]
    fn rates_have_units() {
        let second = 1_000_000_000;
        assert_eq!(packet_rate(0, second), "     0 pps ");
        assert_eq!(packet_rate(500, second / 2), "  1.00 kpps");
        assert_eq!(packet_rate(12_345_678, second), " 12.35 Mpps");
        assert_eq!(packet_rate(123_456, second), "123.46 kpps");
        assert_eq!(bit_rate(12_500_000, second), "100.00 Mbit/s");
        assert_eq!(bit_rate(124_999_900, second), "  1.00 Gbit/s");
        assert_eq!(packet_rate(1, 0), "     0 pps ");
        assert_eq!(bit_rate(125, second), "  1.00 kbit/s");
        assert_eq!(bit_rate(1_250_000_000, second), " 10.00 Gbit/s");
        assert_eq!(bit_rate(1_250_000, second), " 10.00 Mbit/s");
        assert_eq!(port_bit_rate(1, 0, second), "     - Gbit/s");
        assert_eq!(port_bit_rate(1, 125, second), "  1.00 kbit/s");
    }

    #[test]
    fn rates_have_three_digits_and_the_same_width() {
        for power in 0..33 {
            for packets in [10_u64.pow(power / 3), 10_u64.pow(power / 3) * 999_999 / 100_000] {
                let text = packet_rate(packets, 1_000_000_000);
                let digits = text.bytes().filter(u8::is_ascii_digit).count();
                assert!(text.len() == 11 && (digits >= 3 || packets < 100), "{packets}: {text:?}");
            }
        }
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(12_345_678), "12,345,678");
        assert_eq!(bytes(256 << 20), "256 MiB");
        assert_eq!(bytes(1000), "1,000 bytes");
        assert_eq!(bytes(5 << 30), "5 GiB");
    }
}
