//! Streams as a file has them.

use perigee_runtime::config::stream::Rate;
use std::time::Duration;
use toml::{Table, Value};

/// A stream's keys, in the order in which they are written.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// Lines above it.
    pub(super) comments: Vec<String>,
    keys: Vec<(&'static str, Value)>,
}

impl Stream {
    pub(super) fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        self.keys.push((key, value.into()));
    }

    pub(super) fn set_some(&mut self, key: &'static str, value: Option<impl Into<Value>>) {
        self.keys.extend(value.map(|value| (key, value.into())));
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        self.keys.iter().find(|(key, _)| *key == "name").and_then(|(_, value)| value.as_str()).unwrap_or_default()
    }
}

/// The file.
pub(super) fn text(from: &str, streams: &[Stream]) -> String {
    let mut text = format!(
        "# From {from}, by `perigee convert`. Run it with: perigee streams FILE --port out=DEVICE\n\
         # or look at it first: perigee streams FILE --print\n"
    );
    for stream in streams {
        text.push('\n');
        for comment in &stream.comments {
            text += &format!("# {comment}\n");
        }
        text += "[[stream]]\n";
        for (key, value) in &stream.keys {
            text += &format!("{key} = {}\n", written(value));
        }
    }
    text
}

/// A value; lists of tables with one on a line.
fn written(value: &Value) -> String {
    match value {
        Value::Array(items) if items.iter().any(Value::is_table) => {
            let lines: Vec<String> = items.iter().map(|item| format!("    {item},\n")).collect();
            format!("[\n{}]", lines.concat())
        }
        value => value.to_string(),
    }
}

/// A table of keys and values.
pub(super) fn table<const N: usize>(entries: [(&str, Value); N]) -> Table {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// A number where TOML has it.
pub(super) fn number(number: u64) -> Value {
    i64::try_from(number).map_or_else(|_| Value::from(format!("{number:#x}")), Value::from)
}

/// A rate of this number and unit, with nine digits behind the point at most; with the unit's prefix where that loses nothing.
pub(super) fn rate(number: f64, unit: &str) -> String {
    let text = format!("{} {unit}", decimal(number));
    let short = Rate::parse(&text).map(|rate| rate.to_string());
    short.ok().filter(|short| Rate::parse(short) == Rate::parse(&text)).unwrap_or(text)
}

/// A number with up to nine digits behind the point.
pub(super) fn decimal(number: f64) -> String {
    let text = format!("{number:.9}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A time of so many microseconds, to the nanosecond.
pub(super) fn micros(micros: f64) -> String {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "times are not negative")]
    let nanos = (micros * 1_000.0).round() as u64;
    let short = humantime::format_duration(Duration::from_nanos(nanos)).to_string();
    if short.contains(' ') { format!("{nanos}ns") } else { short }
}

/// A name that no stream has yet, made of this one.
pub(super) fn unique(name: &str, streams: &[Stream]) -> String {
    let is_taken = |name: &str| streams.iter().any(|stream| stream.name() == name);
    if !is_taken(name) {
        return name.to_owned();
    }
    let numbered = (2_u32..).map(|number| format!("{name}-{number}"));
    numbered.into_iter().find(|name| !is_taken(name)).unwrap_or_default()
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn streams_are_written_as_toml() {
        let mut stream = Stream::default();
        stream.comments.push("as it was".to_owned());
        stream.set("name", "a");
        stream.set("vary", vec![Value::from(table([("field", "ipv4.ttl".into()), ("to", number(9))]))]);
        let text = text("a.yaml", &[stream]);
        assert!(
            text.ends_with(
                "# as it was\n[[stream]]\nname = \"a\"\nvary = [\n    { field = \"ipv4.ttl\", to = 9 },\n]\n"
            ),
            "{text}"
        );
        toml::from_str::<Table>(&text).unwrap();
    }

    #[test]
    fn rates_and_times_are_as_short_as_they_can_be() {
        for (number, text) in [
            (1e6, "1 Mpps"),
            (976_562.5, "976.5625 kpps"),
            (91_743.119_266_055, "91743.119266055 pps"),
            (0.1, "0.1 pps"),
        ] {
            assert_eq!(rate(number, "pps"), text);
        }
        assert_eq!(rate(1e6, "bit/s l1"), "1 Mbit/s l1");
        assert_eq!([50.0, 0.25, 1_500.0].map(micros), ["50us", "250ns", "1500000ns"]);
    }
}
