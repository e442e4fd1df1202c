//! A module's configuration on the command line: a table in parts, or a text as it is.

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use perigee_runtime::config::ModuleConfig;
use perigee_runtime::config::secret::{self, Secret, Secrets};
use std::path::PathBuf;

/// What the module is configured with; nothing of it: without a configuration.
#[derive(Args, Debug, Default)]
pub(crate) struct ConfigArgs {
    /// The module's configuration, as TOML (`src = "10.0.0.1"`, or a table in braces) or as key=value, where a value that
    /// is no TOML is text. The module gets it as JSON. May be given several times.
    #[arg(long, value_name = "TOML")]
    config: Vec<String>,
    /// The module's configuration as a text that the module gets as it is; @FILE is what is in a file, @- standard input.
    #[arg(long, value_name = "TEXT", conflicts_with = "config")]
    config_text: Option<String>,
}

impl ConfigArgs {
    /// The configuration as a file would give it.
    pub(crate) fn read(&self) -> Result<Option<ModuleConfig>> {
        let Some(text) = &self.config_text else { return table(&self.config) };
        let bytes = crate::read::content(text).context("--config-text")?;
        let text = String::from_utf8(bytes).with_context(|| format!("--config-text {text:?} is not UTF-8"))?;
        Ok(Some(ModuleConfig::Text(text)))
    }
}

/// Reads NAME=FILE.
pub(crate) fn secret_file(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, file)) if secret::is_name(name) && !file.is_empty() => Ok((name.to_owned(), file.into())),
        _ => Err("it is NAME=FILE, with a name of letters, digits, - and _".to_owned()),
    }
}

/// Reads secrets from their files.
pub(crate) fn read_secrets(files: &[(String, PathBuf)]) -> Result<Secrets> {
    let read = |(name, file): &(String, PathBuf)| {
        let secret = secret::read_file(file).and_then(|bytes| Secret::of_file(&bytes));
        Ok((name.clone(), secret.map_err(|unfit| anyhow!("--secret {name}: {} {unfit}", file.display()))?))
    };
    files.iter().map(read).collect()
}

/// Makes one table of what was given, later texts going before earlier ones.
fn table(texts: &[String]) -> Result<Option<ModuleConfig>> {
    let mut table = toml::Table::new();
    for text in texts {
        table.extend(pairs("--config", text)?);
    }
    Ok((!texts.is_empty()).then_some(ModuleConfig::Table(table)))
}

/// Reads TOML (`a = 1`), an inline table (`{ a = 1 }`), or key=value with a value that is no TOML (`a=10.0.0.1`).
pub(crate) fn pairs(option: &str, text: &str) -> Result<toml::Table> {
    let trimmed = text.trim();
    if trimmed.starts_with('{') {
        let wrapped: toml::Table = toml::from_str(&format!("config = {trimmed}"))
            .map_err(|error| anyhow::anyhow!("{option} {text:?}: {}", error.message()))?;
        return Ok(wrapped.into_iter().filter_map(|(_, value)| value.try_into().ok()).next().unwrap_or_default());
    }
    if let Ok(table) = toml::from_str(trimmed) {
        return Ok(table);
    }
    match trimmed.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            let value = toml::Value::String(value.trim().to_owned());
            Ok(toml::Table::from_iter([(key.trim().to_owned(), value)]))
        }
        _ => bail!("{option} {text:?} is neither TOML nor key=value"),
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn read(texts: &[&str]) -> Result<Option<ModuleConfig>> {
        let config = texts.iter().map(|&text| text.to_owned()).collect();
        ConfigArgs { config, config_text: None }.read()
    }

    fn check(texts: &[&str], expected: &str) {
        let bytes = read(texts).unwrap().unwrap().bytes();
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn config_is_toml_or_pairs() {
        check(&["a = 1"], r#"{"a":1}"#);
        check(&["{ a = 1, b = [\"x\"] }"], r#"{"a":1,"b":["x"]}"#);
        check(&["a=10.0.0.1", "b=2", "c = true"], r#"{"a":"10.0.0.1","b":2,"c":true}"#);
        check(&["a=1", "a=2"], r#"{"a":2}"#);
        assert!(read(&[]).unwrap().is_none());
    }

    #[test]
    fn config_that_is_neither_is_refused() {
        let refused = |text: &str| read(&[text]).unwrap_err().to_string();
        assert_eq!(refused("fast"), "--config \"fast\" is neither TOML nor key=value");
        assert!(refused("{ a = }").starts_with("--config \"{ a = }\": "), "{}", refused("{ a = }"));
    }

    #[test]
    fn a_text_stays_as_it_is() {
        let text = |text: &str| ConfigArgs { config: Vec::new(), config_text: Some(text.to_owned()) }.read();
        assert_eq!(text("a = 1\n").unwrap(), Some(ModuleConfig::Text("a = 1\n".to_owned())));
        assert_eq!(text("").unwrap(), Some(ModuleConfig::Text(String::new())));
        let refused = format!("{:#}", text("@/nowhere/rules").unwrap_err());
        assert!(refused.starts_with("--config-text: cannot read /nowhere/rules: "), "{refused}");
    }
}
