//! The short forms: `gen` and `forward` build the configuration that a file would give, and run it as such.

use crate::args::{ModuleArgs, RunOptions};
use crate::run;
use anyhow::{Context, Result, bail};
use perigee_runtime::config::{Config, ModuleConfig};
use std::path::Path;
use std::process::ExitCode;

/// `perigee gen`.
pub(crate) fn generate(args: &ModuleArgs, port: &str, options: &RunOptions) -> Result<ExitCode> {
    let mut config = Config::generate(file_name(args)?, port);
    config.chains[0].lcores.clone_from(&args.lcores);
    start("gen", config, args, options)
}

/// `perigee forward`.
pub(crate) fn forward(args: &ModuleArgs, ports: &[String], options: &RunOptions) -> Result<ExitCode> {
    let [a, b] = ports else {
        bail!("forward needs two ports, and {} were given: --port A --port B", ports.len());
    };
    let mut config = Config::forward(file_name(args)?, a, b);
    let (forth, back) = directions(&args.lcores)?;
    config.chains[0].lcores = forth;
    config.chains[1].lcores = back;
    start("forward", config, args, options)
}

fn start(name: &str, mut config: Config, args: &ModuleArgs, options: &RunOptions) -> Result<ExitCode> {
    config.modules[0].config = module_config(&args.config)?;
    config.run.burst = args.burst;
    config.run.seed = args.seed;
    // The module's path is the user's own, so it is taken from the working directory.
    let base = Path::new("");
    run::refuse_problems(&config.problems(base))?;
    run::session(name, config, base, options)
}

fn file_name(args: &ModuleArgs) -> Result<&str> {
    args.module.to_str().with_context(|| format!("{}: the path is not UTF-8", args.module.display()))
}

/// Both directions share one lcore, or have as many each.
fn directions(lcores: &[u32]) -> Result<(Vec<u32>, Vec<u32>)> {
    match lcores.len() {
        0 => Ok((Vec::new(), Vec::new())),
        1 => Ok((lcores.to_vec(), lcores.to_vec())),
        even if even % 2 == 0 => Ok((lcores[..even / 2].to_vec(), lcores[even / 2..].to_vec())),
        odd => bail!("{odd} lcores cannot be shared by two directions: give 1 or an even number of --lcore"),
    }
}

/// Makes one table of what was given, later texts going before earlier ones.
pub(crate) fn module_config(texts: &[String]) -> Result<Option<ModuleConfig>> {
    let mut table = toml::Table::new();
    for text in texts {
        table.extend(config_text(text)?);
    }
    Ok((!texts.is_empty()).then_some(ModuleConfig::Table(table)))
}

/// Reads TOML (`a = 1`), an inline table (`{ a = 1 }`), or key=value with a value that is no TOML (`a=10.0.0.1`).
fn config_text(text: &str) -> Result<toml::Table> {
    let trimmed = text.trim();
    if trimmed.starts_with('{') {
        let wrapped: toml::Table = toml::from_str(&format!("config = {trimmed}"))
            .map_err(|error| anyhow::anyhow!("--config {text:?}: {}", error.message()))?;
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
        _ => bail!("--config {text:?} is neither TOML nor key=value"),
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn check(texts: &[&str], expected: &str) {
        let texts: Vec<String> = texts.iter().map(|&text| text.to_owned()).collect();
        let bytes = module_config(&texts).unwrap().unwrap().bytes();
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn config_is_toml_or_pairs() {
        check(&["a = 1"], r#"{"a":1}"#);
        check(&["{ a = 1, b = [\"x\"] }"], r#"{"a":1,"b":["x"]}"#);
        check(&["a=10.0.0.1", "b=2", "c = true"], r#"{"a":"10.0.0.1","b":2,"c":true}"#);
        check(&["a=1", "a=2"], r#"{"a":2}"#);
        assert!(module_config(&[]).unwrap().is_none());
    }

    #[test]
    fn config_that_is_neither_is_refused() {
        let refused = |text: &str| module_config(&[text.to_owned()]).unwrap_err().to_string();
        assert_eq!(refused("fast"), "--config \"fast\" is neither TOML nor key=value");
        assert!(refused("{ a = }").starts_with("--config \"{ a = }\": "), "{}", refused("{ a = }"));
    }

    #[test]
    fn directions_share_lcores() {
        assert_eq!(directions(&[]).unwrap(), (vec![], vec![]));
        assert_eq!(directions(&[3]).unwrap(), (vec![3], vec![3]));
        assert_eq!(directions(&[1, 2, 3, 4]).unwrap(), (vec![1, 2], vec![3, 4]));
        assert!(directions(&[1, 2, 3]).is_err());
    }
}
